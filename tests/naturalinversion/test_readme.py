"""The README's Python runs as it stands, in order; only the iterations are fewer here."""

import re
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(300)
def test_the_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        short = block.replace("iterations=100", "iterations=2").replace("range(10)", "range(2)")
        assert short != block, "so few that a test can wait for them"
        exec(compile(short, "README.md", "exec"), names)
    assert len(ImageFolder("images/png")) == 32
    assert (tmp_path / "images" / "grid.png").is_file()
