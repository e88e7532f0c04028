"""Check, before any cell runs, that the data of all cells can be split as they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.absent_data import is_absent
from prisam_p2p.experiment.resolved_cell import ResolvedCell
from prisam_p2p.learn.datasets import Dataset
from prisam_p2p.plan.planning import check_split, open_dataset, split_request
from prisam_p2p.plan.user_code import Naming, load_code, named_by, traits_of


def check_data(
    cells: Iterable[ResolvedCell],
    grid: Path,
    given: Collection[str],
    trust: bool,
    may_be_absent: bool = False,
) -> None:
    """Load each dataset once, and split it as each cell will.

    Args:
        grid: the experiment's file.
        given: the settings that the user gave for all cells.
        trust: run the code that files name, too.
        may_be_absent: pass over data sets of which the user has not said where they are.

    Raises:
        ConfigError: a file names code, without `trust`; data are missing or cannot be split so;
            names the first such cell.
    """
    loaded: dict[object, Dataset] = {}
    seen = set()
    for each in cells:
        s, code = each.settings, load_code(each.settings, _naming(each, grid, given, trust))
        if may_be_absent and is_absent(s):
            continue
        source = (s.dataset, s.data_dir, s.download, s.image_size)
        split = (each.topology.peer_ids, split_request(s), s.seed)
        key = (source, split, traits_of(s, code).knows_groups)
        if key in seen:
            continue
        seen.add(key)
        try:
            if source not in loaded:
                loaded[source] = open_dataset(s, code)
            check_split(each.topology, s, loaded[source], code)
        except ConfigError as error:
            where = f"cell {each.cell.name}: {error.where}"
            raise ConfigError(where, error.key, error.value, error.right) from error


def _naming(cell: ResolvedCell, grid: Path, given: Collection[str], trust: bool) -> Naming:
    """Return who named the code of a cell: the user, the topology's file or the experiment's."""
    mine = {*given, *cell.cell.settings}
    by_grid = {key: (str(grid), key) for key in cell.cell.settings if key not in given}
    by_topology = named_by(cell.topology, mine, trust, {})
    return Naming({**by_topology.files, **by_grid}, trust)
