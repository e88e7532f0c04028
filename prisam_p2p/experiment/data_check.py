"""Check, before any cell runs, that the data of all cells can be split as they need."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.resolved_cell import ResolvedCell
from prisam_p2p.learn.datasets import load_dataset
from prisam_p2p.plan.planning import check_split, split_request


def check_data(cells: Iterable[ResolvedCell]) -> None:
    """Load each dataset once, and split it as each cell will.

    Raises:
        ConfigError: data are missing or cannot be split so; names the first such cell.
    """
    load = lru_cache(load_dataset)
    seen = set()
    for each in cells:
        s = each.settings
        source = (s.dataset, s.data_dir, s.download, s.image_size)
        split = (each.topology.peer_ids, split_request(s), s.seed)
        key = (source, split, s.algorithm.traits.knows_groups)
        if key in seen:
            continue
        seen.add(key)
        try:
            check_split(each.topology, s, load(*source))
        except ConfigError as error:
            where = f"cell {each.cell.name}: {error.where}"
            raise ConfigError(where, error.key, error.value, error.right) from error
