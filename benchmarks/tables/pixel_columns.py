"""A fidelity metric in a column for every way in which images become pixels."""

from msgspec.structs import replace

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.image_cells import were_pixels
from benchmarks.tables.spec import ColumnSpec, Measurement, TableSpec, merged
from naturalinversion.errors import UsageError

READINGS = {"minmax": "as the released code saves", "denormalize": "as the teacher saw"}
EXPLAINED = (
    "As the released code saves: every image stretched to 0..255 over its three channels. As the "
    "teacher saw: denormalised and clamped."
)
REFERENCES_EXPLAINED = (
    "Real images, and those of a reference that is trained on them, never went through that "
    "writer: one number stands in both columns."
)
NO_CLAIM = "-"  # an empty one would be the table's


def by_pixels(spec: TableSpec, recipes: Recipes) -> TableSpec:
    """``spec`` with its fidelity columns once for each of the protocol's ``fidelity.pixels``.

    The first keeps the id, and the paper's number beside it. A column that names its pixels stays
    as it is. Raises `UsageError` where rows of one column ask for unlike pixels.
    """
    columns: list[ColumnSpec] = []
    for column in spec.columns:
        mappings = _mappings(spec, column, recipes)
        if len(mappings) < 2:
            columns.append(column)
            continue
        for place, mapping in enumerate(mappings):
            reading = READINGS[mapping]
            group = f"{column.group}, {reading}" if column.group else reading
            made = replace(column, pixels=mapping, group=group)
            if place:
                made = replace(made, id=f"{column.id}_{mapping}", claim=NO_CLAIM)
            columns.append(made)
    return replace(spec, columns=columns)


def caption_of(spec: TableSpec, methods: set[str]) -> str:
    """The caption, and what its columns of pixels are where there are several of them."""
    several = len({column.pixels for column in spec.columns} - {""}) > 1
    more = [EXPLAINED] if several else []
    more += [REFERENCES_EXPLAINED] if several and any(map(were_pixels, methods)) else []
    return " ".join([spec.caption, *more])


def detail_of(
    recipes: Recipes, measurement: Measurement, images: int, title: str, mapped: bool
) -> str:
    """What stands below the title of a fidelity column: extractor, images, and where it is unusual
    the reference; of ``mapped`` images also which pixels they are, unless the title says it.
    """
    protocol = recipes.resolve(measurement.teacher, measurement.protocol).protocol.fidelity
    said = [protocol.extractor, f"{images:,} images"]
    reading = READINGS[measurement.pixels or protocol.mappings[0]]
    if mapped and reading not in title:
        said.append(reading)
    if protocol.reference == "test":
        said.append("against the test images")
    return ", ".join(said)


def _mappings(spec: TableSpec, column: ColumnSpec, recipes: Recipes) -> tuple[str, ...]:
    """Those that the column is to be doubled for; none if it is of no metric, or names its own."""
    asked = set()
    for row in spec.rows:
        measurement = merged(spec.defaults, row, column)
        if measurement.evaluation == "fidelity" and not measurement.pixels:
            resolved = recipes.resolve(measurement.teacher, measurement.protocol)
            asked.add(resolved.protocol.fidelity.mappings)
    if len(asked) > 1:
        raise UsageError(f"{spec.name}: rows of column {column.id} are judged in unlike pixels")
    return asked.pop() if asked else ()
