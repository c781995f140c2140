"""What can be measured: from a request of a table to the cell whose record holds the number."""

from collections.abc import Callable

from benchmarks.datasets.load import sizes
from benchmarks.engine.cell import Cell
from benchmarks.evaluation.fidelity.fidelity import Recipe as FidelityRecipe
from benchmarks.evaluation.pruning import Recipe as PrunedRecipe
from benchmarks.evaluation.scratch import Recipe as ScratchRecipe
from benchmarks.evaluation.tsne import Recipe as EmbeddingRecipe
from benchmarks.tables.pipeline import Images, Pipeline, make_cell, name_of
from benchmarks.tables.spec import Measurement
from benchmarks.training.wgan_reference import Recipe as WassersteinRecipe
from naturalinversion.errors import UsageError

REAL, WGAN = "real", "wgan_gp"


def images_of(pipeline: Pipeline, request: Measurement) -> Images:
    """The images of the request's method: a method's, WGAN-GP's, or none for real ones."""
    if request.method == REAL:
        _, _, test = sizes(pipeline.book.dataset)
        return Images([], min(request.images or test, test))
    if request.method == WGAN:
        return _wgan(pipeline, request.images)
    student = request.synthesis_student or request.student
    return pipeline.images(request.method, student, request.images, request.settings)


def cell_of(pipeline: Pipeline, request: Measurement) -> Cell:
    """The cell whose record has ``request.metric``."""
    if request.evaluation not in OUTCOMES:
        raise UsageError(f"unknown evaluation '{request.evaluation}': one of {', '.join(OUTCOMES)}")
    return OUTCOMES[request.evaluation](pipeline, request)


def _teacher(pipeline: Pipeline, request: Measurement) -> Cell:
    return pipeline.teacher


def _baseline(pipeline: Pipeline, request: Measurement) -> Cell:
    return pipeline.classifier(request.student)


def shown_cell(pipeline: Pipeline, request: Measurement) -> Cell:
    """The first cell of images that the method made itself: competition starts from another's."""
    cells = [cell for cell, _ in images_of(pipeline, request).parts]
    return next((cell for cell in cells if cell.recipe.get("method") == request.method), cells[0])


def _distilled(pipeline: Pipeline, request: Measurement) -> Cell:
    return pipeline.student(request.method, request.student, request.images, request.settings)


def _scratch(pipeline: Pipeline, request: Measurement) -> Cell:
    images = images_of(pipeline, request)
    network = pipeline.network
    recipe = ScratchRecipe(
        request.student,
        pipeline.book.dataset,
        network.width,
        network.image_size,
        pipeline.seed,
        pipeline.protocol.scratch,
        images.batches,
        images.count,
    )
    label = pipeline.label(f"{name_of(request.method, request.settings)}-{request.student}")
    return make_cell("scratch", label, recipe, images.inputs())


def _fidelity(pipeline: Pipeline, request: Measurement) -> Cell:
    images, settings = images_of(pipeline, request), pipeline.protocol.fidelity
    recipe = FidelityRecipe(
        dataset=pipeline.book.dataset,
        image_size=pipeline.network.image_size,
        extractor=settings.extractor,
        pixels=settings.pixels,
        images=images.count,
        batches=images.batches,
        seed=pipeline.seed,
        neighbours=settings.neighbours,
        splits=settings.splits,
        clusters=settings.clusters,
        clustering_runs=settings.clustering_runs,
    )
    name = name_of(request.method, request.settings)
    label = pipeline.label(name) if images.parts else pipeline.data_label(name)
    return make_cell("fidelity", label, recipe, images.inputs())


def _pruned(pipeline: Pipeline, request: Measurement) -> Cell:
    images, settings = images_of(pipeline, request), pipeline.protocol.pruning
    network = pipeline.network
    recipe = PrunedRecipe(
        arch=pipeline.arch,
        dataset=pipeline.book.dataset,
        width=network.width,
        image_size=network.image_size,
        seed=pipeline.seed,
        ratio=request.ratio,
        layers=settings.layers,
        loss=settings.loss,
        temperature=pipeline.protocol.temperature,
        training=settings.training,
        batches=images.batches,
        images=images.count,
    )
    inputs = {"teacher": pipeline.teacher} | images.inputs()
    label = pipeline.label(f"{name_of(request.method, request.settings)}-pruned{request.ratio:g}")
    return make_cell("pruned", label, recipe, inputs)


def _embedding(pipeline: Pipeline, request: Measurement) -> Cell:
    settings = pipeline.protocol.embedding
    inputs, sets = {"teacher": pipeline.teacher}, {}
    count = settings.images
    for method in request.methods:
        images = pipeline.images(
            method, request.synthesis_student or request.student, settings.images
        )
        title = pipeline.book.method(method).title
        sets[title] = images.batches
        inputs |= images.inputs(f"images-{title}-")
        count = min(count, images.count)
    recipe = EmbeddingRecipe(
        dataset=pipeline.book.dataset,
        image_size=pipeline.network.image_size,
        seed=pipeline.seed,
        images=count,
        sets=sets,
        pool=settings.pool,
        components=settings.components,
        perplexity=settings.perplexity,
    )
    return make_cell("embedding", pipeline.label("-".join(request.methods)), recipe, inputs)


def _wgan(pipeline: Pipeline, count: int) -> Images:
    recipe = pipeline.book.method(WGAN, pipeline.arch)
    count = min(count or recipe.images, recipe.images)
    plain = WassersteinRecipe(
        dataset=pipeline.book.dataset,
        image_size=pipeline.network.image_size,
        seed=pipeline.seed,
        settings=recipe.settings,
        batches=recipe.batches,
        batch_size=recipe.batch_size,
    )
    cell = make_cell("wgan_gp", pipeline.data_label(WGAN), plain, {})
    return Images([(cell, -(-count // recipe.batch_size))], count)


OUTCOMES: dict[str, Callable[[Pipeline, Measurement], Cell]] = {
    "teacher": _teacher,
    "baseline": _baseline,
    "synthesis": shown_cell,
    "distilled": _distilled,
    "scratch": _scratch,
    "fidelity": _fidelity,
    "pruned": _pruned,
    "embedding": _embedding,
}
