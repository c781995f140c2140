"""Where a classifier changes resolution: the feature maps that a Feature Transfer Pyramid reads.

The paper extracts "the feature maps at the downsampling point" (NaturalInversion, Feature Transfer
Pyramid). One forward pass shows, for any module tree, which module outputs the last map of each
resolution: a ResNet's stages, a VGG's last activation before each pooling, an inverted residual's
projection. Maps inside a block that itself halves the resolution (the first convolution of a
bottleneck, for instance) belong to that block and are skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from naturalinversion.teacher.module_calls import ModuleCall

OF_THE_PAPER = 4  # stages at most of the paper's classifiers, whose finest has the images' size


@dataclass(frozen=True)
class Stage:
    """One feature map: the module that outputs it, its channels, height and width in pixels.

    ``call`` numbers the module's calls within a forward pass from 0. ``overwritten``: an operation
    after it works in place on the map, which is copied before.
    """

    module: str
    channels: int
    size: tuple[int, int]
    call: int = 0
    overwritten: bool = False


def find_stages(
    calls: Sequence[ModuleCall], image_size: tuple[int, int], smallest: int | None = None
) -> tuple[Stage, ...]:
    """The stages from fine (f_1 in the paper) to coarse (f_N) of the network that made ``calls``.

    ``image_size`` is (H, W). Maps with a side shorter than ``smallest`` pixels (default an eighth
    of the image's shorter side, as in the paper's classifiers) are left out. Empty if none is left,
    which only a method that reads feature maps minds.
    """
    limit = max(2, min(image_size) // 8) if smallest is None else smallest
    stages: dict[tuple[int, int], ModuleCall] = {}
    for call in calls:
        if call.output is None or min(call.output[2:]) < limit or not call.name:
            continue
        known = stages.get(call.output[2:])
        if known is None or known.inside_a_downsampling or not call.inside_a_downsampling:
            stages[call.output[2:]] = call
    fine_to_coarse = sorted(stages.items(), key=lambda item: item[0][0] * item[0][1])[::-1]
    return tuple(
        Stage(call.name, call.output[1], size, call.number, call.overwritten)
        for size, call in fine_to_coarse
        if call.output is not None
    )


def left_out(
    calls: Sequence[ModuleCall], image_size: tuple[int, int], stages: Sequence[Stage]
) -> tuple[Stage, ...]:
    """Stages of two pixels or more that the default of ``smallest`` leaves out, fine to coarse.

    Empty where ``stages`` are as many as the paper's classifiers have: what they leave out as well
    is meant to be. A network whose stem takes the images to a quarter, as a ResNet for 224 pixels,
    has fewer, none of its deep half.
    """
    if len(stages) >= OF_THE_PAPER:
        return ()
    return tuple(stage for stage in find_stages(calls, image_size, 2) if stage not in stages)
