"""A machine where some packages are not installed, and which has no network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from tests.processes import ROOT, environment

RUN_WITHOUT = """
import os, runpy, sys
from importlib.machinery import PathFinder

class Installed:
    find_distributions = PathFinder.find_distributions

    @staticmethod
    def find_spec(name, path=None, target=None):
        absent = name.partition(".")[0] in os.environ["ABSENT"].split()
        return None if absent else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Installed
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(
    module: str, *arguments: str, without: set[str], cwd: Path, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """``python -m module …`` where these modules are not installed and nothing can be fetched.

    Ours are those of ``root``.
    """
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    settings = environment(**nowhere, OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", NO_COLOR="1")
    settings["PYTHONPATH"] = os.pathsep.join([str(root), settings["PYTHONPATH"]])
    settings |= {"ABSENT": " ".join(without), "TORCH_HOME": str(cwd / "torch")}
    command = [sys.executable, "-c", RUN_WITHOUT, module, *arguments]
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True)


def modules_without(there: Iterable[str]) -> set[str]:
    """The modules installed here that neither these packages nor what they require bring."""
    known = needed(there)
    return {
        module
        for module, owners in metadata.packages_distributions().items()
        if not any(
            normal(owner) in known or normal(owner) == "naturalinversion" for owner in owners
        )
    }


def needed(packages: Iterable[str]) -> set[str]:
    """The packages and all that they require, by normal names."""
    found: set[str] = set()
    queue = [*packages]
    while queue:
        name = normal(queue.pop())
        if name in found:
            continue
        found.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        queue += [re.split(r"[^\w.-]", one)[0] for one in requirements if "extra ==" not in one]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
