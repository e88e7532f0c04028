"""The tables of shipped experiments, and the values of figures, can be made of any values."""

from pathlib import Path

import pytest

from prisam_p2p.experiment.catalog import CATALOG, of_rounds
from prisam_p2p.experiment.cells import cells_of
from prisam_p2p.experiment.figure_values import values_of
from prisam_p2p.experiment.grid_file import load_grid
from prisam_p2p.experiment.measures import Measurements
from prisam_p2p.experiment.statistics import CellResult
from prisam_p2p.experiment.tables import write_cells, write_table

SHIPPED = sorted((Path(__file__).parents[2] / "topologies" / "experiments").glob("*/*.toml"))
GRIDS = [path for path in SHIPPED if path.parent.name in ("two-core", "paper")]


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_tables_can_be_made_of_any_values(tmp_path, path):
    grid = load_grid(path)
    axes = {axis: [choice.label for choice in choices] for axis, choices in grid.axes.items()}
    wanted = {t for spec in grid.tables for t in spec.rounds or ()}
    measured = Measurements(
        dict.fromkeys(CATALOG, 0.5), {t: dict.fromkeys(of_rounds(), 0.5) for t in {0, 1} | wanted}
    )
    cells = [cell for cell in cells_of(grid, {}, {}) if cell.labels["seed"] == axes["seed"][0]]
    results = [CellResult(cell.labels, measured, Path("nowhere")) for cell in cells]
    write_cells(results, axes, tmp_path)
    for table in grid.tables:
        assert write_table(table, results, axes, tmp_path).startswith(f"### {table.title}")
    of_measures = [f for f in grid.figures if f.kind not in ("mask-similarity", "mask-pca")]
    for figure in of_measures:
        assert values_of(figure, results, axes).rows
