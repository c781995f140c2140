"""The figures of a table's cells, as `reports.figures` draws them."""

from collections.abc import Mapping

from benchmarks.recipes.methods import build_method
from benchmarks.recipes.resolve import Recipes, ResolvedRecipes
from benchmarks.tables.display_names import first_classes
from benchmarks.tables.spec import FigureSpec, TableSpec
from benchmarks.tables.table_line import Line
from naturalinversion.sample_grid import GRID
from reports.figures.spec import (
    Course,
    Curves,
    Figure,
    GridRow,
    Grids,
    Level,
    Lines,
    LineSeries,
    Mark,
    Panel,
    Scatter,
    Series,
    Tradeoff,
    TradeoffPanel,
    Values,
)

Table = Mapping[str, Line]


def figures_of(spec: TableSpec, recipes: ResolvedRecipes, table: Table) -> list[Figure]:
    """The figures that ``spec`` asks for, of the first seed where they show single runs."""
    return [_FIGURES[figure.type](spec, figure, recipes, table) for figure in spec.figure]


def _grids(spec: TableSpec, figure: FigureSpec, recipes: ResolvedRecipes, table: Table) -> Figure:
    rows: dict[str, GridRow] = {}
    for line in table.values():
        for column in spec.column:
            cell = line.cells[column.id][0]
            title = recipes.method(line.requests[column.id].method).title
            rows.setdefault(cell.key, GridRow(title, cell.key, GRID))
    return Grids(
        spec.name,
        figure.title,
        figure.caption,
        list(first_classes(recipes.dataset)),
        list(rows.values()),
        figure.first_rows,
    )


def _curves(spec: TableSpec, figure: FigureSpec, recipes: ResolvedRecipes, table: Table) -> Figure:
    column = spec.column[0].id
    return Curves(
        spec.name,
        figure.title,
        figure.caption,
        [Panel(title, name, log=True) for name, title in figure.panels.items()],
        [
            Series(
                line.spec.label or recipes.method(line.spec.method).title, line.cells[column][0].key
            )
            for line in table.values()
        ],
    )


def _scatter(spec: TableSpec, figure: FigureSpec, recipes: ResolvedRecipes, table: Table) -> Figure:
    line = next(iter(table.values()))
    cell = line.cells[spec.column[0].id][0]
    return Scatter(spec.name, figure.title, figure.caption, cell.key)


def _lines(spec: TableSpec, figure: FigureSpec, recipes: ResolvedRecipes, table: Table) -> Figure:
    series, levels = [], []
    for column in spec.column:
        keys = [[cell.key for cell in line.cells[column.id]] for line in table.values()]
        request = next(iter(table.values())).requests[column.id]
        title = column.title or recipes.method(column.method).title
        factor = 100.0 if column.unit == "%" else 1.0
        if column.role == "baseline" and request.metric.startswith("unpruned"):
            levels.append(Level(title, keys[0], request.metric, factor))
        else:
            dotted = column.role == "baseline"
            series.append(LineSeries(title, keys, request.metric, factor, dotted))
    return Lines(
        spec.name,
        figure.title,
        figure.caption,
        figure.x_label,
        figure.y_label,
        [line.spec.ratio for line in table.values()],
        series,
        levels,
    )


def _tradeoff(
    spec: TableSpec, figure: FigureSpec, recipes: ResolvedRecipes, table: Table
) -> Figure:
    lines = list(table.values())
    names = dict.fromkeys(line.spec.series for line in lines)
    columns = {column.id: column for column in spec.column}

    def values(line: Line, column: str) -> Values:
        keys = [cell.key for cell in line.cells[column]]
        factor = 100.0 if columns[column].unit == "%" else 1.0
        return Values(keys, line.requests[column].metric, factor)

    def course(name: str, column: str) -> Course:
        of_series = [line for line in lines if line.spec.series == name]
        return Course(
            name,
            [values(line, figure.x) for line in of_series],
            [values(line, column) for line in of_series],
        )

    whole = [line for line in lines if line.spec.budget == 1.0 and not line.spec.settings]
    marks = [Mark("the recipe's budget", values(whole[0], figure.x))] if whole else []
    return Tradeoff(
        spec.name,
        figure.title,
        figure.caption,
        figure.x_label,
        [
            TradeoffPanel(title, [course(name, column) for name in names])
            for column, title in figure.panels.items()
        ],
        marks,
        _published_budget(lines[0]),
    )


def _published_budget(line: Line) -> float:
    """The iterations of the method's recipe at the paper's scale."""
    request = next(iter(line.requests.values()))
    paper = Recipes("paper", "cifar10").resolve(request.teacher).method(request.method)
    return float(build_method(paper.method, paper.settings).iterations)


_FIGURES = {
    "grids": _grids,
    "curves": _curves,
    "scatter": _scatter,
    "lines": _lines,
    "tradeoff": _tradeoff,
}
