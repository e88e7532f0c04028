"""A cell with its topology and all settings, and its identity: all that determines its results.

An existing run is this cell's if their identities are equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import xxhash

from prisam_p2p.experiment.cells import Cell
from prisam_p2p.extensions.record import sha256_of
from prisam_p2p.extensions.reference import parse
from prisam_p2p.plan.topology import Topology, load_topology, resolve_settings
from prisam_p2p.plan.user_code import code_named
from prisam_p2p.settings import RunSettings

_NOT_RESULTS = ("data_dir", "download", "baseline")

Identity = Mapping[str, Any]


@dataclass(frozen=True)
class ResolvedCell:
    """A cell with its topology and all of its settings.

    Attributes:
        identity: all that determines its results, as JSON values.
    """

    cell: Cell
    topology: Topology
    settings: RunSettings
    identity: Identity

    @property
    def busy_cores(self) -> float:
        """Cores that its peers can keep busy while they train."""
        profiles = self.topology.profiles.values()
        return sum(profile.speed * profile.threads for profile in profiles)

    @property
    def kind(self) -> str:
        """A name common to cells that need about the same time and memory."""
        s = self.settings
        facts = (s.algorithm, s.model, s.width, s.dataset, s.images_per_peer, s.rounds)
        return " ".join(map(str, (self.topology.name, *facts, s.epochs, s.device.value)))


def resolve(cell: Cell) -> ResolvedCell:
    """Load a cell's topology and complete its settings.

    Raises:
        ConfigError: the topology or a setting is wrong.
    """
    topology = _topology(cell.topology)
    settings = resolve_settings(topology, {**cell.settings, "baseline": "none"})
    stated = settings.model_dump(mode="json")
    identity = {
        "settings": {key: v for key, v in stated.items() if key not in _NOT_RESULTS},
        "peers": {peer: p.model_dump(mode="json") for peer, p in topology.profiles.items()},
        "links": _digest(sorted(sorted(edge) for edge in topology.graph.edges)),
        "faults": _digest(cell.faults.read_text()) if cell.faults else None,
        "code": _code_files(settings),
    }
    return ResolvedCell(cell, topology, settings, identity)


def difference(was: Identity, now: Identity) -> str | None:
    """Return the first difference between two identities, in words; None if they are equal.

    A setting that `was` lacks, because an earlier version wrote it, counts as its default.
    """
    defaults = RunSettings().model_dump(mode="json")
    before = {**defaults, **was["settings"]}
    for key, value in now["settings"].items():
        if before.get(key) != value:
            return f"{key} was {before.get(key)}, now {value}"
    for key, words in (("peers", "its devices"), ("links", "its links"), ("faults", "its faults")):
        if was[key] != now[key]:
            return f"{words} have changed"
    if was.get("code", {}) != now["code"]:  # an earlier version had none
        return "its code has changed"
    return None


def _code_files(settings: RunSettings) -> dict[str, str]:
    """Return setting -> SHA-256 of the file of its code, without importing it."""
    found = {key: parse(text) for key, (_, text) in code_named(settings).items()}
    return {k: sha256_of(each.file.expanduser()) for k, each in found.items() if each and each.file}


@lru_cache(maxsize=64)
def _topology(path: Path) -> Topology:
    return load_topology(path)


def _digest(value: object) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(value).encode())
