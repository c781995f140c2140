"""The kept ratios as the tables of docs/speed.md: ``python -m benchmarks.perf.ratios``."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reports.tables.markup import markdown_table

KEPT = Path(__file__).parent / "results" / "cpu.json"
OTHERS = {
    "test_full_step": "NI's step, ResNet-34 at full width, 32 images",
    "test_bn_statistics": "R_BN and its gradient",
    "test_training_step": "training loop against the bare step",
    "test_loader": "crops, flips and normalisation against one image at a time",
    "test_precision_and_recall": "precision and recall in chunks against all distances at once",
    "test_real_features": "features of the real set, found again",
}


def markdown(kept: Path = KEPT) -> str:
    """How many times faster than the published or plain way, medians over rounds."""
    content = json.loads(kept.read_text())
    found = content["benchmarks"]
    demo = [one for one in found if one["name"].startswith("test_demo_step")]
    joint = [one for one in demo if "student" in one["params"]]
    alone = [one for one in demo if "arch" in one["params"]]
    parts = [
        "A step of the demo, by the network inverted:",
        _matrix(alone, "name", "arch"),
        "A step of the joint methods, by teacher and student:",
        _matrix(joint, "name", "of", "student"),
        "The rest:",
        markdown_table(("what", "times faster"), _others(found), "lr", pad=False),
    ]
    return "\n\n".join(parts) + "\n"


def _matrix(found: list[dict[str, Any]], row: str, *columns: str) -> str:
    cells: dict[str, dict[str, str]] = {}
    for one in found:
        of = " to ".join(one["params"][name] for name in columns)
        cells.setdefault(one["params"][row], {})[of] = f"{one['extra_info']['ratio']:.2f}"
    heads = list(dict.fromkeys(head for line in cells.values() for head in line))
    lines = [(name, *(line.get(head, "") for head in heads)) for name, line in cells.items()]
    return markdown_table(("", *heads), lines, "l" + "r" * len(heads), pad=False)


def _others(found: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in found:
        name = one["name"].partition("[")[0]
        if name not in OTHERS:
            continue
        about = OTHERS[name] + _parameters(one["params"])
        stats = one["stats"]
        spread = f"{1 / stats['max']:.2f} to {1 / stats['min']:.2f}"
        yield about, f"{one['extra_info']['ratio']:.2f} ({spread})"


def _parameters(params: Mapping[str, Any] | None) -> str:
    if not params:
        return ""
    width = f", width {params['width']:g}" if "width" in params else ""
    return f", {params['arch']}{width}"


if __name__ == "__main__":
    print(markdown(), end="")
