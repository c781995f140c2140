"""A machine where some packages are not installed, and which has no network."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tests.processes import ROOT, environment

LIGHT = {"torch", "numpy", "safetensors", "msgspec", "tqdm", "pillow"}  # the library's own
RUN_WITHOUT = """
import io, json, os, runpy, sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import PathFinder

class Installed:
    find_distributions = PathFinder.find_distributions

    @staticmethod
    def find_spec(name, path=None, target=None):
        absent = name.partition(".")[0] in os.environ["ABSENT"].split()
        return None if absent else PathFinder.find_spec(name, path, target)

def run(words):
    sys.argv, out, err, code = words, io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
    return code, out.getvalue(), err.getvalue()

sys.meta_path[sys.meta_path.index(PathFinder)] = Installed
print(json.dumps([run(words) for words in json.loads(sys.argv[1])]))
"""


class Answer(NamedTuple):
    """What a command ended with and said."""

    returncode: int
    stdout: str
    stderr: str


def run_each(
    commands: Iterable[Sequence[str]], without: set[str], cwd: Path, root: Path = ROOT
) -> list[Answer]:
    """``python -m`` each of them where these modules are not installed and nothing can be fetched.

    One process runs all, as it takes seconds to load PyTorch. Ours are those of ``root``.
    """
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    settings = environment(**nowhere, OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", NO_COLOR="1")
    settings["PYTHONPATH"] = os.pathsep.join([str(root), settings["PYTHONPATH"]])
    settings |= {"ABSENT": " ".join(without), "TORCH_HOME": str(cwd / "torch")}
    command = [sys.executable, "-c", RUN_WITHOUT, json.dumps([*commands])]
    done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [Answer(*answer) for answer in json.loads(done.stdout)]


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
