"""What the data of cells cannot give is found before the first of them runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.identity import Resolved
from prisam_p2p.learn.datasets import load_dataset
from prisam_p2p.plan.planning import check_split, split_request


def check_data(cells: Iterable[Resolved]) -> None:
    """Load each dataset once, and deal it as each cell will.

    Raises:
        ConfigError: the data are not there, or cannot be dealt so; names the first such cell.
    """
    load = lru_cache(load_dataset)
    seen = set()
    for each in cells:
        s = each.settings
        source = (s.dataset, s.data_dir, s.download, s.image_size)
        dealt = (each.topology.peer_ids, split_request(s), s.seed)
        key = (source, dealt, s.algorithm.traits.knows_groups)
        if key in seen:
            continue
        seen.add(key)
        try:
            check_split(each.topology, s, load(*source))
        except ConfigError as error:
            where = f"cell {each.cell.name}: {error.where}"
            raise ConfigError(where, error.key, error.value, error.right) from error
