"""What a forward pass leaves at its stages and before its last linear layer, read by hooks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from naturalinversion.teacher.head import Head
from naturalinversion.teacher.module_calls import first_input
from naturalinversion.teacher.stages import Stage


@dataclass
class Outputs:
    """``maps``: by module, one for each of its calls. ``inputs``: those of the head's layer."""

    maps: dict[str, list[Tensor]] = field(default_factory=dict)
    inputs: list[Tensor] = field(default_factory=list)


class OutputReader:
    """Reads the maps of ``stages`` of ``network`` and the inputs of ``head``, if it has one."""

    def __init__(self, network: nn.Module, stages: Sequence[Stage], head: Head | None) -> None:
        self.head = head
        self.overwritten = {  # by the modules whose outputs are stages: is one of them overwritten
            name: any(stage.overwritten for stage in stages if stage.module == name)
            for name in {stage.module for stage in stages}
        }
        modules = dict(network.named_modules())
        self._modules = {name: modules[name] for name in self.overwritten}

    @contextmanager
    def reading(self, *, maps: bool, embedding: bool) -> Iterator[Outputs]:
        """What is asked for of the passes within the block, whose end removes the hooks."""
        outputs = Outputs()
        with ExitStack() as hooks:
            if maps:
                for name, module in self._modules.items():
                    hook = _output_hook(outputs.maps.setdefault(name, []), self.overwritten[name])
                    hooks.enter_context(module.register_forward_hook(hook))
            if embedding and self.head is not None:
                head, hook = self.head.module, _input_hook(outputs.inputs)
                hooks.enter_context(head.register_forward_pre_hook(hook, with_kwargs=True))
            yield outputs


def _output_hook(found: list[Tensor], copied: bool) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        found.append(output.clone() if copied else output)

    return hook


def _input_hook(found: list[Tensor]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.append(first_input(inputs, named))

    return hook
