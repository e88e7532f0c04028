"""Remembers what probes measured, in the user's cache folder: a small JSON file for each key.

A file that cannot be read, or is not of this version, counts as absent; one that cannot be written
is left out. So a broken cache costs a second, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from prisam_p2p.measure.files import write_whole
from prisam_p2p.preflight.peer_cost import PeerCost

SCHEMA = 3


class _CacheFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    key: dict[str, Any]
    costs: list[PeerCost]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return $XDG_CACHE_HOME/prisam/probes, or the same in ~/.cache."""
    root = environment.get("XDG_CACHE_HOME", "")
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "prisam" / "probes"


def remembered(folder: Path, key: Mapping[str, Any]) -> list[PeerCost] | None:
    """Return the costs that were measured for `key`, None if none are there."""
    try:
        file = _CacheFile.model_validate_json(_path(folder, key).read_bytes())
    except (OSError, ValidationError):
        return None
    same = file.schema_version == SCHEMA and file.key == json.loads(_text(key))
    return file.costs if same and file.costs else None


def remember(folder: Path, key: Mapping[str, Any], costs: list[PeerCost]) -> None:
    """Write the costs for `key`, beside and renamed."""
    file = _CacheFile(schema_version=SCHEMA, key=json.loads(_text(key)), costs=costs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(_path(folder, key), file.model_dump_json(indent=1) + "\n")
    except OSError:
        pass  # the next launch measures again


def _path(folder: Path, key: Mapping[str, Any]) -> Path:
    return folder / f"{hashlib.sha256(_text(key).encode()).hexdigest()[:24]}.json"


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True, default=str)
