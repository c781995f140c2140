"""One record of every kind of cell: reports see in it what makes numbers unlike each other."""

import msgspec
import pytest
import torch
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from benchmarks.engine import executor
from benchmarks.engine.cell import with_inputs
from benchmarks.engine.context import DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.evaluation.fidelity import extractors
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import Measurement, read_table, tables
from naturalinversion.classifiers.weights import Classifier, save_classifier
from reports.claims.comparability import differences
from reports.claims.matching import MeasuredClaim
from reports.published import published
from reports.records import Metric, Record, RecordError, load_all
from reports.tables.layout import Column, Row, Table, TableCell
from reports.tables.measured import check_comparable
from tests.benchmarks.evaluation.fidelity.tiny import Tiny
from tests.reports.makers import make_record

WIDTH, SIZE, IMAGES = 0.0625, 16, 40
TINY = [
    f"protocol.network.width={WIDTH}",
    f"protocol.network.image_size={SIZE}",
    "protocol.classifier_floor=0",
    *(f"protocol.{who}.epochs=1" for who in ("classifier", "student", "scratch")),
    *(f"protocol.{who}.updates_per_epoch=2" for who in ("classifier", "student", "scratch")),
    "protocol.pruning.training.epochs=1",
    "protocol.fidelity.extractor=tiny",
    *(f"protocol.fidelity.{what}=2" for what in ("splits", "clusters", "clustering_runs")),
    f"protocol.embedding.images={IMAGES}",
    "protocol.embedding.components=5",
    "protocol.embedding.perplexity=5",
    "protocol.embedding.iterations=250",
    *(f"{name}.batches=2" for name in ("di", "dafl", "wgan_gp")),
    *(f"{name}.batch_size=20" for name in ("di", "dafl", "wgan_gp")),
    *(f"{name}.settings.iterations=2" for name in ("di", "wgan_gp")),
    *(f"dafl.settings.{what}=2" for what in ("epochs", "steps")),
    "dafl.settings.batch_size=16",
    "dafl.settings.latent=8",
]
DI = Measurement(method="di", student="resnet18")
MEASURED = {
    "classifier": Measurement(evaluation="teacher"),
    "pretrained": Measurement(evaluation="teacher"),
    "synthesis": Measurement(evaluation="synthesis", method="di"),
    "wgan_gp": Measurement(evaluation="synthesis", method="wgan_gp"),
    "distillation": msgspec.structs.replace(DI, evaluation="distillation"),
    "joint_student": Measurement(evaluation="distillation", method="dafl", student="resnet18"),
    "scratch": msgspec.structs.replace(DI, evaluation="scratch"),
    "fidelity": msgspec.structs.replace(DI, evaluation="fidelity"),
    "pruning": msgspec.structs.replace(DI, evaluation="pruning", ratio=0.5),
    "tsne": Measurement(evaluation="tsne", methods=["di"]),
}
SYNTHETIC = ("distillation", "scratch", "pruning")
FIDELITY = ("evaluated", "pixels", "reference", "extractor")

Made = tuple[dict[str, Record], dict[str, Record]]  # one record of every kind, and all by key


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("kinds")
    weights = root / "given.safetensors"
    description = Classifier("resnet18", 10, WIDTH, SIZE, (0.3,) * 3, (0.3,) * 3)
    save_classifier(weights, description.build(0), description)
    torch.save({"projection": torch.randn(48, 16)}, root / "tiny.pth")
    layers = extractors.FeatureLayers("early", "final", "logits")
    tiny = extractors.ExtractorSpec(layers, lambda given, download: root / "tiny.pth", "")
    plain = Pipeline(Recipes("demo", "digits", TINY).resolve("resnet18"), 0)
    given = {"resnet18": weights}
    of_file = Pipeline(Recipes("demo", "digits", TINY, given).resolve("resnet18"), 0)
    cells = {
        kind: (of_file if kind == "pretrained" else plain).cell(measurement)
        for kind, measurement in MEASURED.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURE_EXTRACTORS_REGISTRY, "tiny", Tiny)
        patch.setitem(extractors.EXTRACTORS, "tiny", tiny)
        data = DataOptions(root, weights=given)
        threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        summary = executor.run(list(cells.values()), KINDS, root, Machine(), data)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
    assert not summary.failed
    records = load_all(root)
    return {kind: records[cell.key] for kind, cell in cells.items()}, records


def test_every_kind_is_here(made: Made) -> None:
    assert {kind: record.kind for kind, record in made[0].items()} == {k: k for k in KINDS}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((kind, "synthetic_images") for kind in SYNTHETIC),
        *(("fidelity", name) for name in FIDELITY),
        # A classifier that came ready is tested in fp32, whatever the run computes in.
        *((kind, "--precision") for kind in KINDS if kind != "pretrained"),
    ],
)
def test_unlike_numbers_of_a_kind_share_no_column(kind: str, name: str, made: Made) -> None:
    record = made[0][kind]
    if name == "--precision":
        provenance = msgspec.structs.replace(record.provenance, precision="bf16")
        other = msgspec.structs.replace(record, key="other", provenance=provenance)
    else:
        assert name in record.metrics
        metrics = record.metrics | {name: "another"}
        other = msgspec.structs.replace(record, key="other", metrics=metrics)
    rows = [Row(key, {}, {"c": TableCell([key])}) for key in (record.key, "other")]
    column = Column("c", "C", "method", "m")
    table = Table(
        id="t",
        title="T",
        caption="",
        scale="demo",
        dataset="digits",
        published_dataset="CIFAR-10",
        seeds=[0],
        columns=[column],
        rows=rows,
        pictures=[],
    )
    with pytest.raises(RecordError, match=f"unlike numbers in column C: {name} is "):
        check_comparable(table, made[1] | {"other": other})


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_says_how_it_differs_from_the_published_one(kind: str, made: Made) -> None:
    """Width and image size of the networks, and how many synthetic images it was made with."""
    number = next(n for n in published().values() if n.images and n.metric == "fid")
    measured = MeasuredClaim("t", "cifar10", "paper", 1.0, None, 1, (made[0][kind].key,))
    found = differences(number, measured, made[1])
    assert f"images of {SIZE}x{SIZE} pixels" in found
    assert (f"networks of width {WIDTH:g}" in found) == (kind != "wgan_gp")
    if kind in (*SYNTHETIC, "joint_student", "fidelity", "tsne"):
        assert f"{IMAGES} synthetic images, not {number.images:,}" in found
    if kind == "fidelity":
        assert "tiny, not Inception" in found


@pytest.mark.parametrize("kind", ["distillation", "joint_student"])
def test_students_say_how_often_they_agree_with_their_teacher(kind: str, made: Made) -> None:
    share = made[0][kind].metrics["student_teacher_agreement"]
    assert isinstance(share, float)
    assert 0 <= share <= 1
    assert "student_teacher_agreement" not in made[0][kind].recipe


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        *((name, []) for name in tables()),
        *((name, ["di", "adi"]) for name in ("accuracy", "table1", "table4", "figure5")),
        ("table3", ["ni", "ni_adi"]),
    ],
)
def test_every_row_of_a_table_may_stand_below_the_others(name: str, methods: list[str]) -> None:
    """Or it says of how many images its numbers are. Those that compete are made from others."""
    found = expand(read_table(name), Recipes("small", "cifar10"), [0], methods=methods)
    records = {}
    for cell in with_inputs(found.targets):
        counted = cell.kind in ("distillation", "scratch", "pruning")
        stated: dict[str, Metric] = (
            {"synthetic_images": cell.recipe["images"]["count"]} if counted else {}
        )
        made_from = {what: one.key for what, one in cell.inputs.items()}
        records[cell.key] = make_record(cell.key, recipe={}, metrics=stated, inputs=made_from)
    for table in found.tables:
        check_comparable(table, records)
