"""What a caller asks its child process to run, as data. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prisam_p2p.errors import ConfigError


@dataclass(frozen=True)
class LaunchOrder:
    """A run that is to be launched; JSON has each field as it is.

    Attributes:
        topology, faults: name or path.
        run_dir: None = a folder in ./runs, named after topology, algorithm and time.
        settings: setting -> plain value.
        inputs: path in the run folder -> file that was written for this run, to be copied there.
    """

    topology: str
    faults: str | None = None
    run_dir: str | None = None
    control_run: bool = False
    trust_code: bool = False
    force: bool = False
    progress: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


def plain(key: str, value: object) -> Any:
    """Return a setting's value as JSON has it: text, a number, true, false or None.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Enum):
        return plain(key, value.value)
    if hasattr(value, "item"):
        return plain(key, value.item())  # a number of NumPy's
    if isinstance(value, str | int | float | bool | None):
        return value
    raise ConfigError("launch", key, value, "text, a number, True, False or None")
