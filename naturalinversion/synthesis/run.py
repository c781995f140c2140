"""`synthesize`: labels, seeds, shards, resuming and progress for any method."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor, nn

from naturalinversion.errors import DivergedError, NaturalInversionWarning, StoreError
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.meta import Meta, as_stored
from naturalinversion.image_store.same_run import other_version
from naturalinversion.image_store.shards import shard_is_whole
from naturalinversion.image_store.shared_folder import claimed
from naturalinversion.library_version import library_version
from naturalinversion.module_modes import modes_kept
from naturalinversion.precision import compute_in, effective_precision
from naturalinversion.progress import Draw
from naturalinversion.seeds import derive
from naturalinversion.synthesis.agreement import low_agreement, record_agreement
from naturalinversion.synthesis.batch_check import check_batch, implausible
from naturalinversion.synthesis.labels import check_chosen, check_classes, target_labels
from naturalinversion.synthesis.method_settings import settings_of, source_of
from naturalinversion.synthesis.prepare_state import PrepareState
from naturalinversion.synthesis.sequence import AnyOrder, check_first, order_of
from naturalinversion.synthesis.student import (
    check_kept,
    frozen_digest,
    is_as_before,
    student_digest,
    student_restored,
)
from naturalinversion.synthesis.synthesizer import Batch, Synthesizer, Training, check_request
from naturalinversion.synthesis.teacher_kept import TeacherKept
from naturalinversion.synthesis.training_bar import training_bar
from naturalinversion.teacher.batch_norms import looks_untrained
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.torch_state import usual_torch_state

UNTRAINED_STUDENT = (
    "the student to compete with looks untrained: its batch norms hold their initial statistics; "
    "give it its weights first (on the command line --student-weights)"
)
ATTEMPTS = 3  # seeds for a batch whose loss or images are not finite


def synthesize(
    synthesizer: Synthesizer,
    teacher: Teacher,
    folder: Path | str,
    *,
    batches: int,
    batch_size: int,
    first: int = 0,
    seed: int = 0,
    classes: Sequence[int] | None = None,
    student: nn.Module | None = None,
    student_known: bool = False,
    method: str = "",
    settings: Mapping[str, Any] | None = None,
    training: Training | None = None,
    on_batch: Callable[[int, Batch], None] | None = None,
    progress: bool | Draw = False,
) -> SyntheticDataset:
    """Fill ``folder`` with ``batches`` batches, the first of them numbered ``first``.

    A batch depends on its number alone: two folders with batches 0 to 4 and 5 to 9 hold the same
    images as one folder with ten. The batches of a sequential method are made in order from 0, and
    n of them are the first n of any longer run; its state lies beside the shards (`sequence`). Each
    of ``classes`` (all, by default) is the target of equally many images of a batch; what is left
    over is drawn. A method that draws its labels itself can't be asked for some.

    Undamaged batches in the folder are kept, so the same call resumes an interrupted one and ends
    with the same bytes; with more ``batches`` it adds the others, with fewer it returns the first.
    The folder remembers the run: method, its settings (the fields of its dataclass, and
    ``settings`` by name), the code of a method from outside, teacher, student, seed, classes.
    Another run is refused. A batch that diverges is retried with its next seed, `ATTEMPTS` times in
    all; its shard records the retries. Whatever the method computes is in the teacher's
    ``precision``, by `compute_in`. ``on_batch`` is called with the number and content of every
    batch made in this call, before it is written. ``student`` is for methods that compete with one
    or train one, others don't look at it; where the call fails or is interrupted, it is as it was.
    Its gradients are so always.
    ``student_known``: the caller has the student of a joint method, which is then not trained again
    if all batches exist; others need it as it was before. Without a ``training`` the state that
    `prepare` saves lies in the folder until all batches exist (`prepare_state`). ``progress`` draws
    a bar; a function in its place is called with the number of iterations to do, unless there is
    nothing to make, and returns a context with a callback, as `progress.bar` does. Networks are
    initialised from the global random state, seeded for the moment: no other thread may draw from
    it meanwhile.

    Warns where another version of the library made the batches before, where a student to compete
    with looks untrained, where images can hardly be in teacher space, and where the teacher gives
    fewer than half of them the label they are stored with (`SyntheticDataset.teacher_agreement`),
    unless their student was trained with them, without labels.

    Raises `StoreError` naming what differs when the folder holds images of another run,
    `SettingError` for a missing student, a network in place of a `Teacher`, numbers out of range
    and ``classes`` that can't be asked of the method, `MethodError` for a batch that breaks a rule
    of the protocol and for a teacher that the method has changed, `DivergedError` naming the batch.
    """
    batches, batch_size, first, seed = check_request(
        synthesizer, teacher, batches, batch_size, first, seed, student
    )
    student_logits = None
    if synthesizer.student_use != "none" and student is not None:
        student_logits = teacher.check_student(student, trained=synthesizer.student_use == "joint")
        check_kept(synthesizer, student)
        if synthesizer.student_use == "compete" and looks_untrained(student):
            warnings.warn(UNTRAINED_STUDENT, NaturalInversionWarning, stacklevel=2)
    folder = Path(folder)
    chosen = check_classes(synthesizer, classes, teacher.num_classes)
    check_first(synthesizer, first)
    meta = as_stored(
        Meta(
            method=method or type(synthesizer).__name__,
            teacher=teacher.fingerprint,
            num_classes=teacher.num_classes,
            image_shape=teacher.image_shape,
            mean=teacher.mean,
            std=teacher.std,
            seed=seed,
            batch_size=batch_size,
            batches=batches,
            settings=settings_of(synthesizer, settings),
            first=first,
            source=source_of(synthesizer),
            student=student_digest(synthesizer, student),
            student_logits=student_logits,
            student_frozen=frozen_digest(synthesizer, student),
            precision=effective_precision(teacher.device, teacher.precision),
            stages=tuple(f"{stage.module} {stage.call}" for stage in teacher.stages),
            logits=teacher.noise_logits,
            classes=chosen,
            version=library_version(),
        )
    )
    joint_use = synthesizer.student_use == "joint"
    joint = joint_use and not student_known
    remarks: list[str] = []
    with (
        claimed(folder, meta, any_student=student_known) as found,
        usual_torch_state(),
        modes_kept(teacher.model),
        student_restored(synthesizer, student) as taking_part,
    ):
        run = msgspec.structs.replace(meta, student=found.student or meta.student)  # untrained
        kept = PrepareState(folder, run, training)
        order = order_of(synthesizer, folder, run)
        numbers = range(first, first + batches)
        missing = [index for index in numbers if not shard_is_whole(folder, index, found)]
        missing = order.to_make(missing, batches, joint)
        if 0 < len(missing) < batches and (remark := other_version(found, meta)):
            warnings.warn(f"{folder}: {remark}", NaturalInversionWarning, stacklevel=2)
        if missing:
            if joint_use and not order.goes_on and not is_as_before(found, meta):
                raise StoreError(
                    f"{folder}: {len(missing)} batches are to be made, and the student is trained "
                    "already: they need it as it was before"
                )
            order.begin(teacher, batches, batch_size)
            held = TeacherKept(teacher)
        with training_bar(
            synthesizer, len(missing), joint, meta.method, progress, kept.training
        ) as shown:
            if missing or joint:
                with compute_in(teacher.device, teacher.precision), kept.preparing():
                    synthesizer.prepare(teacher, taking_part, derive(seed, "prepare"), shown)
                order.resume()
            for index in missing:
                labels = target_labels(
                    batch_size, teacher.num_classes, chosen, derive(seed, "labels", index)
                )
                labels = labels.to(teacher.device)
                with compute_in(teacher.device, teacher.precision):
                    batch, attempt = _attempt(synthesizer, labels, meta, index, shown, order)
                held.check(f"{meta.method}, batch {index}")
                if not remarks and (remark := implausible(batch, teacher)):
                    remarks.append(f"{meta.method}, batch {index}: {remark}")
                if on_batch is not None:
                    on_batch(index, batch)
                order.write(index, batch.images, batch.labels, attempt)
        with compute_in(teacher.device, teacher.precision):
            record_agreement(folder, batches, teacher, missing)
        dataset = SyntheticDataset(folder, batches)
        share = dataset.teacher_agreement
        if share is not None and (remark := low_agreement(share, synthesizer)):
            remarks.append(remark)
        for remark in remarks:  # here, as they may be errors
            warnings.warn(remark, NaturalInversionWarning, stacklevel=2)
        kept.forget()
    return dataset


def _attempt(
    synthesizer: Synthesizer,
    labels: Tensor,
    meta: Meta,
    index: int,
    training: Training,
    order: AnyOrder,
) -> tuple[Batch, int]:
    """The batch of this number, and the number of attempts that diverged before."""
    reason = ""
    where = f"{meta.method}, batch {index}"
    for attempt in range(ATTEMPTS):
        path = ("batch", index, "attempt", attempt) if attempt else ("batch", index)
        order.enter(index, attempt)
        try:
            batch = synthesizer.batch(labels, derive(meta.seed, *path), training.progress)
            check_batch(batch, where, len(labels), meta.image_shape, meta.num_classes)
            check_chosen(batch, where, meta.classes)
        except DivergedError as error:
            reason = str(error)
            continue
        return batch, attempt
    raise DivergedError(f"batch {index}: {reason}, with every of {ATTEMPTS} seeds")
