"""State dicts as they are found in the wild: wrapped, averaged, with more beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from naturalinversion.classifiers.key_mapping import renaming_text
from naturalinversion.classifiers.weights import load_classifier, load_state, read_weights
from naturalinversion.errors import UsageError
from tests.naturalinversion.teacher.zoo import ExtraState, Small, trained

State = dict[str, Any]


def state() -> State:
    return dict(trained(Small).state_dict())


def under(prefix: str, inner: State, **beside: torch.Tensor) -> State:
    return beside | {prefix + name: value for name, value in inner.items()}


def zeros(inner: State) -> State:
    return {name: torch.zeros_like(value) for name, value in inner.items()}


def averaged() -> State:
    return dict(AveragedModel(trained(Small), multi_avg_fn=get_ema_multi_avg_fn(0.9)).state_dict())


def data_parallel() -> State:
    return dict(nn.DataParallel(trained(Small)).state_dict())


def compiled() -> State:
    return dict(torch.compile(nn.DataParallel(trained(Small))).state_dict())  # type: ignore[attr-defined]


def part_compiled() -> State:
    model = trained(Small)
    model.norm1 = torch.compile(model.norm1)
    return dict(model.state_dict())


FOUND: dict[str, Callable[[], State]] = {
    "plain": state,
    "compiled": lambda: under("_orig_mod.", state()),
    "data parallel": data_parallel,
    "both": compiled,
    "the other way round": lambda: under("module._orig_mod.", state()),
    "a compiled part": part_compiled,
    "Lightning": lambda: {
        "epoch": 3,
        "pytorch-lightning_version": "2.5",
        "state_dict": under("model.", state(), **{"criterion.weight": torch.ones(4)}),
    },
    "Lightning, compiled": lambda: under("net._orig_mod.", state(), loss_scale=torch.ones(1)),
    "an attribute of any name": lambda: under("encoder.network.", state(), weights=torch.ones(9)),
    "averaged by PyTorch": averaged,
    "averaged by ema_pytorch": lambda: {
        "initted": torch.tensor(True),
        "step": torch.tensor(9),
        **under("online_model.", zeros(state())),
        **under("ema_model.", state()),
    },
    "averaged by timm": lambda: {"state_dict": zeros(state()), "state_dict_ema": state()},
    "averaged by timm, data parallel": lambda: {
        "state_dict": zeros(state()),
        "state_dict_ema": under("module.", state()),
        "arch": "small",
    },
    "old, without counts": lambda: {
        name: value for name, value in state().items() if not name.endswith("tracked")
    },
}


@pytest.mark.parametrize("name", FOUND)
def test_the_network_in_it_is_found(name: str, tmp_path: Path) -> None:
    torch.save(FOUND[name](), tmp_path / "file.pt")
    model = Small()
    load_state(model, read_weights(tmp_path / "file.pt"), tmp_path / "file.pt")
    for key, value in state().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(model.state_dict()[key], value), key


WORDS = st.sampled_from(
    ["model", "module", "_orig_mod", "net", "backbone", "student", "a", "conv1"]
)


@settings(max_examples=40, deadline=None)
@given(prefix=st.lists(WORDS, max_size=4), beside=st.lists(WORDS, max_size=3, unique=True))
def test_under_any_prefix_with_anything_beside_it(prefix: list[str], beside: list[str]) -> None:
    """Names beside the network are left out and named, where it has a prefix of its own."""
    own = [word for word in prefix if word != "_orig_mod"]
    others = {f"{word}_loss.weight": torch.ones(2) for word in beside if own}
    given_state = under("".join(f"{word}." for word in prefix), state()) | others
    model = Small()
    renamed = load_state(model, given_state, Path("x"))
    for key, value in state().items():
        assert torch.equal(model.state_dict()[key], value), key
    assert {old for old, new in renamed.items() if not new} == set(others)


def test_what_is_left_out_is_said() -> None:
    given_state = under("model.", state(), **{"loss.weight": torch.ones(4)})
    text = renaming_text(load_state(Small(), given_state, Path("x")))
    assert text.startswith("16 names mapped: ")
    assert text.endswith("; 1 left out: loss.weight")
    assert "model.conv1.weight → conv1.weight" in text


def test_a_buffer_that_is_called_as_a_count_is_the_networks_own() -> None:
    model = Small()
    model.register_buffer("step", torch.zeros(()))
    given_state = state() | {"step": torch.ones(())}
    assert load_state(model, given_state, Path("x")) == {}
    assert model.step.item() == 1  # type: ignore[operator,union-attr]


def test_two_networks_that_fit_are_not_guessed_at() -> None:
    both = under("teacher.", state()) | under("student.", zeros(state()))
    with pytest.raises(
        UsageError, match=r"two networks fit, under 'teacher\.' and 'student\.': keep"
    ):
        load_state(Small(), both, Path("x"))


def test_a_larger_network_does_not_fit() -> None:
    """Names beside a network without a prefix may be more layers of it."""
    with pytest.raises(UsageError, match=r"1 unknown \(conv3.weight\)"):
        load_state(Small(), state() | {"conv3.weight": torch.ones(1)}, Path("x"))
    with pytest.raises(UsageError, match=r"1 unknown \(model.conv3.weight\)"):
        load_state(Small(), under("model.", state() | {"conv3.weight": torch.ones(1)}), Path("x"))


def test_extra_state_that_is_no_tensor_is_loaded(tmp_path: Path) -> None:
    source = trained(ExtraState)
    torch.save(under("module.", dict(source.state_dict())), tmp_path / "file.pt")
    model = ExtraState()
    load_state(model, read_weights(tmp_path / "file.pt"), tmp_path / "file.pt")
    assert model.loaded["version"] == 3
    assert torch.equal(model.conv1.weight, source.conv1.weight)  # type: ignore[arg-type]


def test_extra_state_that_a_module_refuses_is_one_line(tmp_path: Path) -> None:
    given_state = dict(trained(ExtraState).state_dict())
    with pytest.raises(UsageError, match="weights of another network: 1 unknown") as caught:
        load_state(Small(), given_state, Path("x"))
    assert "\n" not in str(caught.value)


def test_what_a_file_holds_counts_and_not_its_name(tmp_path: Path) -> None:
    state = nn.Linear(2, 2).state_dict()
    torch.save(state, tmp_path / "file.safetensors")
    torch.save(state, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "file.ckpt")
    for name in ("file.safetensors", "old.ckpt", "file.ckpt"):
        assert read_weights(tmp_path / name).keys() == state.keys()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"epoch 1\n", "it is neither safetensors nor of torch.save"),
        (b"", "it is neither safetensors nor of torch.save"),
        (b"PK\x03\x04", "it is cut off, as by a copy or download that was stopped"),
        (None, "it is TorchScript, which holds code: save model.state_dict() alone"),
    ],
)
def test_a_file_of_another_kind_is_one_short_line(
    content: bytes | None, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.pt"
    if content is None:
        torch.save(nn.Linear(2, 2).state_dict(), path)
        with ZipFile(path, "a") as archive:
            archive.writestr("file/constants.pkl", b"")  # by which PyTorch tells it
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_weights(path)
    assert str(caught.value).startswith(f"{path}: can't be read as weights: {says}")
    assert len(str(caught.value)) < len(str(path)) + 120
    with pytest.raises(UsageError, match="holds no classifier of this suite: it is not safetenso"):
        load_classifier(path)


def test_a_checkpoint_that_was_copied_in_part_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "half.ckpt"
    torch.save({"state_dict": nn.Linear(64, 64).state_dict()}, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UsageError, match=r"half\.ckpt: can't be read as weights: it is cut off"):
        read_weights(path)
