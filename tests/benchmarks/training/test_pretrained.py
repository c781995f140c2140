"""Ready weights: others' names are understood, and what doesn't fit is said in one line."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.cli.main import main
from naturalinversion.classifiers import build
from naturalinversion.classifiers.key_mapping import map_keys
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier, load_state, read_weights
from naturalinversion.errors import UsageError
from reports.records import load_all

Renames = dict[str, str]


def published(arch: str, renames: Renames, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of a network under others' names, without the counters that old files lack."""
    torch.manual_seed(seed)
    found = {}
    for name, tensor in build(arch, 10, 0.0625).state_dict().items():
        for ours, theirs in renames.items():
            name = re.sub(ours, theirs, name)
        if not name.endswith("num_batches_tracked"):
            found[name] = tensor.contiguous()
    return found


@pytest.mark.parametrize(
    ("arch", "renames"),
    [
        ("resnet18", {}),
        ("resnet18", {r"\.downsample\.": ".shortcut.", r"^fc\.": "linear."}),
        ("resnet34", {"^": "module."}),
        ("mobilenetv2", {r"^classifier\.": "linear."}),
        ("mobilenetv2", {r"^classifier\.": "classifier.1."}),
        ("vgg11", {"^": "model."}),
        ("vgg16", {r"^classifier\.1\.": "classifier.0.", r"^classifier\.4\.": "classifier.3."}),
    ],
)
def test_names_of_others_are_understood(arch: str, renames: Renames) -> None:
    model = build(arch, 10, 0.0625)
    given = published(arch, renames)
    renamed = load_state(model, given, Path("x"))
    ours = model.state_dict()
    assert len(renamed) == sum(name not in ours for name in given)
    for name, tensor in given.items():
        torch.testing.assert_close(ours[renamed.get(name, name)], tensor, rtol=0, atol=0)


def test_what_is_missing_left_over_or_of_another_shape_is_named() -> None:
    expected = build("resnet18", 10, 0.0625).state_dict()
    given = published("resnet18", {r"^fc\.": "top.", "layer4.0.downsample": "layer4.0.side"})
    given["conv1.weight"] = torch.zeros(4, 1, 3, 3)
    with pytest.raises(UsageError) as caught:
        map_keys(given, expected, "x.pt")
    said = str(caught.value)
    assert said.startswith("x.pt: weights of another network: 7 missing (layer4.0.downsample.0.w")
    assert "7 unknown (layer4.0.side.0.weight, " in said
    assert "conv1.weight has shape (4, 1, 3, 3), not (8, 3, 3, 3)" in said
    assert "\n" not in said


def test_two_names_of_one_part_are_not_guessed_at() -> None:
    """A network with ``fc`` and ``linear`` is another network."""
    expected = build("resnet18", 10, 0.0625).state_dict()
    with pytest.raises(UsageError, match=r"2 unknown \(linear.weight, linear.bias\)"):
        map_keys(
            dict(expected) | {"linear.weight": torch.ones(1), "linear.bias": torch.ones(1)},
            expected,
            "x",
        )


SIZES = (
    "protocol.network.width=0.0625",
    "protocol.classifier_floor=0",
    "protocol.student.epochs=1",
    "protocol.student.updates_per_epoch=2",
    "di.batches=1",
    "di.batch_size=20",
    "di.settings.iterations=2",
)


def arguments(weights: str, folder: Path, *more: str) -> list[str]:
    words = ["compare", "di", "--teacher", "resnet34", "--student", "resnet34"]
    sizes = [word for size in (*SIZES, *more) for word in ("--set", size)]
    return [
        *words,
        "--weights",
        weights,
        "--runs-dir",
        str(folder / "runs"),
        "--out-dir",
        str(folder / "out"),
        "--workers",
        "1",
        *sizes,
    ]


def run(words: list[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_given_teacher_is_tested_and_distilled_not_trained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "published.safetensors"
    given = published("resnet34", {r"\.downsample\.": ".shortcut.", r"^fc\.": "linear."})
    save_file(given, path)
    assert run(arguments(f"resnet34={path}", tmp_path)) == 0, capfd.readouterr().err
    records = load_all(tmp_path / "runs").values()
    assert "classifier" not in {record.kind for record in records}
    (teacher,) = [record for record in records if record.kind == "pretrained"]
    assert 0 <= float(teacher.metrics["test_accuracy"]) < 0.5
    assert teacher.metrics["test_images"] == 500
    folder = tmp_path / "runs" / teacher.kind / f"{teacher.label}-{teacher.key}"
    model, description = load_classifier(folder / WEIGHTS)
    assert (description.arch, description.num_classes) == ("resnet34", 10)
    torch.testing.assert_close(model.state_dict()["fc.weight"], given["linear.weight"])
    assert "names mapped: " in (folder / "log.txt").read_text()
    assert json.loads((folder / "recipe.json").read_text())["recipe"]["arch"] == "resnet34"


@pytest.mark.parametrize(
    ("weights", "more", "message", "code"),
    [
        ("resnet34", "", "--weights resnet34: write ARCH=FILE", 2),
        ("lenet={}", "", "write ARCH=FILE, ARCH one of", 2),
        ("resnet34=missing.pt", "", "no such file", 3),
        ("resnet34={}", "protocol.network.width=0.125", "weights of another network", 2),
        ("resnet34={}", "protocol.classifier_floor=0.9", "below the recipe's floor", 1),
    ],
)
def test_what_can_not_be_used_is_one_line(
    weights: str,
    more: str,
    message: str,
    code: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "published.safetensors"
    save_file(published("resnet34", {}), path)
    found = run(arguments(weights.format(path), tmp_path, *([more] if more else [])))
    said = capfd.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert found == code


@pytest.mark.parametrize(
    ("content", "message"), [(b"text", "can't be read as weights"), (None, "of another network")]
)
def test_another_file_is_refused_before_anything_is_planned_or_made(
    content: bytes | None, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "published.safetensors"
    path.write_bytes(content) if content else save_file(published("resnet18", {}), path)
    for more in ([], ["--plan", "--no-timing"]):
        assert run([*arguments(f"resnet34={path}", tmp_path), *more]) == 2
        out, said = capfd.readouterr()
        assert said.startswith(f"error: {path}: ")
        assert message in said
        assert said.count("\n") == 1
        assert not out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "names", [("linear.weight", "head.weight"), ("model.fc.weight", "net.fc.weight")]
)
def test_two_candidates_for_one_part_are_refused(names: tuple[str, str]) -> None:
    expected = build("resnet18", 10, 0.0625).state_dict()
    given = dict(expected)
    for name in names:
        given[name] = given["fc.weight"].clone()
    del given["fc.weight"]
    with pytest.raises(UsageError, match=r"fc.weight given twice"):
        map_keys(given, expected, "x")


def test_a_checkpoint_with_its_optimiser_is_read(tmp_path: Path) -> None:
    state = {"weight": torch.ones(2)}
    torch.save({"model_state_dict": state, "optimizer_state_dict": {}}, tmp_path / "x.pt")
    assert list(read_weights(tmp_path / "x.pt")) == ["weight"]
    empty = {"ema": {"decay": 0.99, "shadow": {}}, "model_ema": {}}  # of who averages nothing
    torch.save(empty | {"model_state": state}, tmp_path / "x.pt")
    assert list(read_weights(tmp_path / "x.pt")) == ["weight"]
    torch.save({"weights_of_mine": state, "epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(
        UsageError,
        match=r"^/.*x.pt: holds no .*, but weights_of_mine, epoch; it may lie under .*model",
    ):
        read_weights(tmp_path / "x.pt")


def test_a_pickled_network_is_refused_with_what_to_save(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pt")
    with pytest.raises(UsageError, match=r"save model.state_dict\(\) alone$"):
        read_weights(tmp_path / "x.pt")


def test_keys_that_are_no_names_are_one_line(tmp_path: Path) -> None:
    torch.save({0: torch.ones(1)}, tmp_path / "x.pt")
    with pytest.raises(UsageError, match="holds no state dict of tensors"):
        read_weights(tmp_path / "x.pt")


def test_a_table_that_trains_its_teachers_in_many_ways_takes_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "published.safetensors"
    save_file(published("resnet34", {}), path)
    given = ["--weights", f"resnet34={path}"]
    assert run(["plan", "padding", *given, "--set", SIZES[0]]) == 2
    assert "trains its teacher in another way" in capfd.readouterr().err
    assert run(["plan", "table5", "--scale", "mini", *given]) == 2
    assert "--weights: for which data set? --dataset cifar10 or cifar100" in capfd.readouterr().err
