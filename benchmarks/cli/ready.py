"""``ready``: the classifiers that come with the library."""

from dataclasses import dataclass

import msgspec

from benchmarks.cli.console import print_json, print_result
from naturalinversion.classifiers.ready import describe, ready_names, weights_of


@dataclass(frozen=True)
class Ready:
    """List the classifiers that come with the library, for --ready and `Teacher.ready`."""

    json: bool = False
    """print everything known of each as JSON"""

    def run(self) -> int:
        """One line each: name, accuracy, how it was trained, digest; damaged files are an error."""
        known = [describe(name) for name in ready_names()]
        for one in known:
            weights_of(one.name)
        if self.json:
            print_json([msgspec.to_builtins(one) for one in known])
            return 0
        for one in known:
            training = one.recipe["training"]
            print_result(
                f"{one.name}: {one.recipe['arch']}, {one.recipe['width']:g} of its width, "
                f"{one.test_accuracy:.2%} of {one.dataset}'s test images; "
                f"{training['epochs']} epochs, rate {training['lr']:g}, {training['schedule']}; "
                f"sha256 {one.sha256[:12]}"
            )
        return 0
