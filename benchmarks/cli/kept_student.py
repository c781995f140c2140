"""The student that ``synthesize`` trained jointly with a generator, kept beside the images."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch import nn

from benchmarks.cli.console import log
from benchmarks.cli.given_classifier import difference
from naturalinversion.classifiers.weights import Classifier, load_described, save_classifier
from naturalinversion.digest import weights_digest
from naturalinversion.errors import UsageError
from naturalinversion.files import write_atomically
from naturalinversion.image_store.meta import META, read_meta

STUDENT = "student.safetensors"
SEEN = "student.json"  # of how many batches it is, where a method is sequential


class Seen(msgspec.Struct, frozen=True):
    """What a sequential method's student was trained on."""

    batches: int


@dataclass(frozen=True)
class JointStudent:
    """A network to be trained with the images of ``folder``, and what stays of it there.

    ``batches``: on how many it is trained; None where that doesn't depend on the images asked for.
    """

    folder: Path
    network: nn.Module
    description: Classifier
    batches: int | None

    def is_kept(self) -> bool:
        """Whether the folder has what a run makes of the network, which is not trained yet.

        Raises `UsageError` where it has another network.
        """
        path, meta = self.folder / STUDENT, self.folder / META
        if not path.is_file():
            return False
        found, _ = load_described(path, "classifier", Classifier)
        if unlike := difference(found, self.description):
            raise UsageError(
                f"--student {self.description.arch}: {path} says of itself {unlike}; take another "
                "folder"
            )
        if not meta.is_file() or read_meta(self.folder).student != weights_digest(self.network):
            return False
        if self.batches is None:
            return True
        if (seen := _seen(self.folder)) > self.batches:
            raise UsageError(
                f"{path} was trained on {seen} batches, not {self.batches}: take another folder"
            )
        if seen < self.batches:
            log(f"{path} was not trained on {self.batches} batches: trained again")
        return seen == self.batches

    def keep(self) -> None:
        """Write the trained network, in place of an earlier one, and say where it lies.

        Stopped on the way, the file counts as trained on no number of batches.
        """
        path = self.folder / STUDENT
        if self.batches is not None:
            self._write_seen(0)
        save_classifier(path, self.network, self.description)
        if self.batches is not None:
            self._write_seen(self.batches)
        log(f"the student trained jointly with the generator: {path}")

    def _write_seen(self, batches: int) -> None:
        write_atomically(self.folder / SEEN, msgspec.json.encode(Seen(batches)))


def _seen(folder: Path) -> int:
    """The number of batches that the student is of; 0 where nothing says."""
    try:
        return msgspec.json.decode((folder / SEEN).read_bytes(), type=Seen).batches
    except (OSError, msgspec.MsgspecError):
        return 0
