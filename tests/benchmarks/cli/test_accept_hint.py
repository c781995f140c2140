"""What ``check`` says where nothing is accepted: a command that makes what this check looks for."""

from pathlib import Path

import pytest

from benchmarks.cli.main import main


@pytest.mark.parametrize(
    ("asked", "missing", "hint"),
    [
        (
            ("table1", "--rows", "real", "--scale", "paper", "--dataset", "cifar10"),
            "table1-n10000-paper-cifar10.csv",
            "accept table1 --scale paper --dataset cifar10 --rows real --seeds 8",
        ),
        (
            ("table1", "--rows", "di", "--scale", "paper", "--dataset", "cifar10"),
            "table1-paper-cifar10.csv",
            "accept table1 --scale paper --dataset cifar10 --rows di --seeds 8",
        ),
        (
            ("iterations", "--rows", "di[10%]"),
            "iterations-demo-digits.csv",
            "accept iterations --scale demo --dataset digits --rows 'di[10%]' --seeds 18",
        ),
        (
            ("--scale", "small", "--dataset", "cifar10", "--precision", "bf16"),
            "accuracy-small-cifar10.csv",
            "accept accuracy --scale small --dataset cifar10 --seeds 8 --precision bf16",
        ),
        (
            ("figure3",),
            "figure3-demo-digits.csv",
            "accept figure3 --scale demo --dataset digits --seeds 18",
        ),
    ],
)
def test_it_names_the_spec_and_the_rows(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    asked: tuple[str, ...],
    missing: str,
    hint: str,
) -> None:
    folders = ("--runs-dir", str(tmp_path / "runs"), "--accepted-dir", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        main(["check", *asked, *folders, "--device", "cpu"])
    assert caught.value.code == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {tmp_path / missing}: no accepted numbers of ")
    assert line.endswith(f"; make them with: python -m benchmarks {hint}")
