"""A method from outside with its recipe in a file: what holds, what is refused, what is kept."""

from pathlib import Path

import pytest

from benchmarks.recipes.recipe_file import read_recipes
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import MissingError, UsageError
from reports.records import load_all
from tests.benchmarks.command_line import here, one_line
from tests.processes import ROOT

OUTSIDE = "contract_methods:FromOutside"
FILE = f"""
method = "{OUTSIDE}"
title = "Noise"
source = "nobody, nowhere"

[assumed]
"settings.noise" = "half a deviation"

[[layer]]
[layer.set]
batches = 7
batch_size = 30
[layer.set.settings]
noise = 0.25

[[layer]]
scale = "demo"
[layer.set]
batches = 2

[[layer]]
scale = "paper"
dataset = "cifar100"
[layer.set.settings]
noise = 0.75

[[layer]]
teacher = ["vgg11", "my_nets:build"]
[layer.set]
batch_size = 40
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "noise.toml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("scale", "dataset", "teacher", "batches", "batch_size", "noise"),
    [
        ("demo", "digits", "resnet34", 2, 30, 0.25),
        ("demo", "cifar100", "vgg11", 2, 40, 0.25),
        ("mini", "cifar10", "my_nets:build@0123456789ab", 7, 40, 0.25),
        ("paper", "cifar10", "", 7, 30, 0.25),
        ("paper", "cifar100", "", 7, 30, 0.75),
    ],
)
def test_its_layers_hold_where_they_say(
    scale: str, dataset: str, teacher: str, batches: int, batch_size: int, noise: float, file: Path
) -> None:
    recipe = Recipes(scale, dataset, files=[file]).resolve(teacher).method(OUTSIDE)
    assert (recipe.batches, recipe.batch_size) == (batches, batch_size)
    assert recipe.settings == {"noise": noise}
    assert recipe.title == "Noise"
    assert recipe.assumed == {"settings.noise": "half a deviation"}


def test_the_command_line_comes_after_it(file: Path) -> None:
    given = [f"{OUTSIDE}.settings.noise=0.125"]
    recipe = Recipes("demo", "digits", given, files=[file]).resolve().method(OUTSIDE)
    assert (recipe.settings, recipe.batches) == ({"noise": 0.125}, 2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('scale = "demo"', 'scale = "dmeo"', "unknown scale 'dmeo': one of demo"),
        ('"cifar100"', '"cifra100"', "unknown data set 'cifra100'"),
        ('"vgg11"', '"vgg12"', "unknown teacher 'vgg12'"),
        ("batches = 2", "batchez = 2", "layer 2: recipe contract_methods:FromOutside"),
        ("batches = 2", "batches = 0", "layer 2: recipe contract_methods:FromOutside"),
        ("noise = 0.75", "nose = 0.75", "layer 3: contract_methods:FromOutside.settings.nose"),
        ("noise = 0.75", 'noise = "loud"', "layer 3: recipe contract_methods:FromOutside.settings"),
        ("batches = 2", 'title = "Other"', "layer 2 sets title, which describes the recipe"),
        ('"settings.noise"', '"settings.nose"', "assumed.settings.nose: the recipe of"),
        ('"half a deviation"', '""', "assumed.settings.noise gives no reason"),
        (OUTSIDE, "di", "di has its recipe, which --set changes"),
        (f'method = "{OUTSIDE}"', "", 'method = "package.module:Class"'),
        (OUTSIDE, "contract_methods:Nothing", "has no 'Nothing'"),
        ("title =", "titel =", "unknown field `titel`"),
        ("[[layer]]", "[[layer", "noise.toml: "),
    ],
)
def test_what_is_wrong_in_it_is_one_line_wherever_it_holds(
    old: str, new: str, says: str, file: Path
) -> None:
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        Recipes("mini", "cifar10", files=[file])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_that_is_missing_or_the_second_is_one_line(file: Path) -> None:
    with pytest.raises(MissingError, match=r"--recipe none.toml: no such file"):
        Recipes("demo", "digits", files=[Path("none.toml")])
    with pytest.raises(UsageError, match="has another one already"):
        Recipes("demo", "digits", files=[file, file])


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "di"],
        ["plan", "table5", "--methods", "di", "--no-timing"],
        ["run", "table5", "--methods", "di"],
        ["synthesize", "--out", "out", "--ready", "cifar10-vgg11"],
    ],
)
def test_one_that_nothing_reads_is_refused(
    command: list[str],
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = here(capfd, *command, "--recipe", "noise.toml")
    assert (code, out) == (2, "")
    assert OUTSIDE in one_line(err)
    assert [path.name for path in tmp_path.iterdir()] == ["noise.toml"]


def test_accepted_numbers_are_not_of_it(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "accept"):
        code, _, err = here(capfd, command, "--seeds=3", "--recipe", str(file))
        assert code == 2
        assert "not with --set, --recipe, --ready or --weights" in err.splitlines()[-1]


def test_synthesize_takes_its_settings_and_its_batches(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--method", OUTSIDE, "--ready", "cifar10-vgg11", "--device=cpu", "--images=30"]
    out = ["--out", str(tmp_path / "out"), "--json"]
    code, printed, err = here(capfd, "synthesize", *options, *out, "--recipe", str(file))
    assert code == 0, err
    assert '"noise": 0.25' in printed
    assert '"title": "Noise"' in printed
    assert len(list((tmp_path / "out").glob("batch-*"))) == 1


@pytest.mark.timeout(300)
def test_records_and_tables_hold_what_it_says(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = [f"--set=protocol.{who}.epochs=1" for who in ("classifier", "student")]
    few = [f"--set=protocol.{who}.updates_per_epoch=1" for who in ("classifier", "student")]
    sizes = ["--set=protocol.network.width=0.0625", "--set=protocol.classifier_floor=0"]
    one = ["--workers=1", "--device=cpu", "--teacher=resnet18"]
    options = [*trained, *few, *sizes, *one, "--recipe", str(file)]
    code, printed, err = here(capfd, "compare", OUTSIDE, *options)
    assert code == 0, err
    (made,) = [r for r in load_all(tmp_path / "runs").values() if r.kind == "synthesis"]
    assert made.recipe["settings"] == {"noise": 0.25}
    assert (made.recipe["batches"], made.recipe["batch_size"]) == (2, 30)
    assert "Noise: assumed, at scale paper — settings.noise: half a deviation" in printed


def test_two_methods_of_one_title_are_told_apart(tmp_path: Path, file: Path) -> None:
    """Two versions of a class in two modules are what their author compares."""
    twin = tmp_path / "twin.toml"
    twin.write_text(f'method = "small_twin:FromOutside"\ntitle = "Noise"\n{_layers()}')
    (tmp_path / "small_twin.py").write_text("from contract_methods import FromOutside\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        recipes = Recipes("demo", "digits", files=[file, twin])
        methods = [OUTSIDE, "small_twin:FromOutside", "di"]
        (table,) = expand(read_table("table5"), recipes, [0], methods=methods).tables
    titles = [column.title for column in table.columns if column.role == "method"]
    assert titles == [OUTSIDE, "small_twin:FromOutside", "DI"]


def _layers() -> str:
    return "[[layer]]\n[layer.set]\nbatches = 2\n"


def test_the_example_of_the_docs_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "adding-a-method.md").read_text()
    (example,) = [part.split("```")[0] for part in text.split("```toml\n")[1:]]
    (tmp_path / "example.toml").write_text(example)
    (found,) = read_recipes([tmp_path / "example.toml"])
    assert found == "my_package.my_module:MyMethod"
