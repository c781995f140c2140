"""What a reader must know beside the cost of a table's methods."""

from collections.abc import Sequence

from reports.tables.cost_columns import JOINT, REAL
from reports.tables.export import NOT_RUN
from reports.tables.method_cost import MethodCost

LOW_AGREEMENT = 50.0  # percent: below, most labels of the images are wrong


def cost_notes(lines: Sequence[MethodCost]) -> list[str]:
    """What a reader must know beside the numbers, a sentence or two each."""
    several = any(len(line.seeds) > 1 for line in lines)
    compete = any(line.competes for line in lines)
    notes = [
        f"{'Means ± sd over seeds' if several else 'Single runs'}: wall time on the device, with "
        "whatever else ran there. Cells that rows or methods share ran once, and count in each.",
        "Images: all cells that made them, whole"
        + (", with the students that they compete with meanwhile" if compete else "")
        + "; the teacher is given.",
    ]
    if any(line.agreement for line in lines):
        joint = any(line.with_images for line in lines)
        notes.append(
            "Teacher agrees: it gives so many of them the label that they were made for"
            + (
                ". Of a joint method it may be all, where labels are its own answers, or few: its "
                "student learned from the images without their labels."
                if joint
                else "."
            )
        )
    if low := [line for line in lines if _agrees_too_little(line)]:
        named = "; ".join(dict.fromkeys(_name(line) for line in low))
        notes.append(
            f"WARNING: the teacher gives most images another label than the asked one ({named}). "
            "They are far from their classes, and their labels are no ground truth: raise the "
            "iterations or steps of the method."
        )
    if any(line.student_seconds for line in lines):
        notes.append("Student: the network that was trained on the images, and its test.")
    if any(line.with_images for line in lines):
        notes.append(
            f"{JOINT.capitalize()}: the student was trained together with the generator; its cost "
            "is included in that of the images."
        )
    if any(line.of_real_images for line in lines):
        notes.append(
            f"{REAL.capitalize()}: a control that learned from real images; none were made."
        )
    notes.append(f"Peak: the most memory that a cell held at a time, {_whose_memory(lines)}.")
    if len({line.machine for line in lines}) > 1:
        notes.append("Different devices stand in lines of their own; nothing is a mean over them.")
    if any(len(line.known) < len(line.seeds) for line in lines):
        notes.append(
            f"{NOT_RUN}, or fewer seeds in brackets: records of cells that made images are missing."
        )
    return notes


def _agrees_too_little(line: MethodCost) -> bool:
    """Whether most labels are wrong and that can be mended: not of a student trained with its
    images, without labels, nor of a control that has no settings.
    """
    low = line.agreement is not None and line.agreement.mean < LOW_AGREEMENT
    return low and not line.with_images and line.has_settings


def _whose_memory(lines: Sequence[MethodCost]) -> str:
    on_gpu = {line.on_gpu for line in lines}
    if on_gpu == {True}:
        return "the GPU's"
    return "the process's" if on_gpu == {False} else "the GPU's or, on a CPU, the process's"


def _name(line: MethodCost) -> str:
    own = list(line.labels.values())
    return ", ".join(own if line.in_labels else [line.method, *own])
