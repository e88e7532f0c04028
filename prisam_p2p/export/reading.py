"""A run folder as what trackers get of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.export.points import ExportedRun
from prisam_p2p.export.stream import markers_of, points_of
from prisam_p2p.page.data.checked_lines import parse
from prisam_p2p.page.data.fold import LAUNCHERS
from prisam_p2p.page.data.run_page import SoundRun, page_data_of

ALL_PEERS = "all"

_OF_FACTS = ("topology", "algorithm", "peers", "rounds", "prisam_version")


def exported_run(folder: Path, peers: str | None = None) -> ExportedRun:
    """Return a run as trackers get it, whatever state it is in.

    Args:
        peers: whose own numbers to add: "all", or ids with commas between them; None = nobody's.

    Raises:
        ConfigError: this is no run folder, or a peer is none of the run's.
    """
    run = SoundRun(folder)
    numbers = peer_numbers(peers, sorted(run.plan["peers"]))
    [data] = page_data_of(run)["runs"]
    return as_exported(folder, data, numbers)


def as_exported(folder: Path, data: Mapping[str, Any], peers: Collection[int] = ()) -> ExportedRun:
    """Return what trackers get of a run whose page has `data`.

    Args:
        data: one of `runs` of a page's payload.
        peers: numbers of the peers whose own numbers to add.
    """
    facts = data["facts"]
    name = folder.resolve().name
    about = {key: facts[key] for key in _OF_FACTS if facts[key] not in (None, "")}
    return ExportedRun(
        name=name,
        run_id=run_id_of(folder) or name,
        began_s=_began_s(folder, facts["began"]),
        status=str(facts["status"]),
        headline=str(facts["headline"] or ""),
        settings={**_plain(facts["settings"]), **about},
        points=points_of(data, peers),
        markers=markers_of(data),
    )


def peer_numbers(given: str | None, ids: Sequence[str]) -> list[int]:
    """Return the numbers of the peers that --peers means.

    Args:
        ids: of all peers, ascending.

    Raises:
        ConfigError: one is none of these.
    """
    if given is None:
        return []
    if given == ALL_PEERS:
        return list(range(len(ids)))
    names = [each.strip() for each in given.split(",")]
    for name in names:
        if name not in ids:
            near = get_close_matches(name, ids, 1)
            right = f"{ALL_PEERS}, or peers of the run such as {(near or list(ids) or [''])[0]}"
            raise ConfigError("--peers", "", name, right)
    return [ids.index(name) for name in names]


def run_id_of(folder: Path) -> str:
    """Return the id that the launcher gave a run; "" where its journal does not tell."""
    try:
        with (folder / "journal" / f"{LAUNCHERS}.jsonl").open("rb") as file:
            line = parse(file.readline(1 << 16)) or {}
    except OSError:
        return ""
    return run_id if isinstance(run_id := line.get("run_id"), str) else ""


def _began_s(folder: Path, began: str | None) -> float:
    """Return when a run's clock was 0: as its name says, or else as its plan was written."""
    if began:
        return datetime.fromisoformat(began).timestamp()
    return (folder / "plan.json").stat().st_mtime


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(name): value if isinstance(value, str | int | float | None) else json.dumps(value)
        for name, value in settings.items()
    }
