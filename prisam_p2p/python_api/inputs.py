"""What a launch from Python writes for its run, and the run copies: topology, faults, code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError, PrisamError
from prisam_p2p.extensions.record import FOLDER as CODE
from prisam_p2p.plan.toml_file import Told
from prisam_p2p.python_api.network_of_graph import NetworkOfGraph, scenario_text
from prisam_p2p.python_api.request import plain
from prisam_p2p.python_api.source_module import module_text, reference_of

INPUTS = "inputs"
"""Folder of a run that holds the topology and the faults that Python wrote for it."""

Faults = str | os.PathLike[str] | Sequence[Mapping[str, Any]] | None


@dataclass
class WrittenInputs:
    """The files that were written for one run.

    Attributes:
        folder: where they are, for the time of the launch.
        files: path in the run folder -> file.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)

    def topology(self, given: str | os.PathLike[str] | NetworkOfGraph) -> str:
        """Return the name or path of a topology; write one that was made of a graph."""
        if not isinstance(given, NetworkOfGraph):
            return os.fspath(given)
        return self._write(f"{INPUTS}/{given.name}.toml", given.toml, "topology")

    def faults(
        self, given: Faults, topology: str | os.PathLike[str] | NetworkOfGraph
    ) -> str | None:
        """Return the name or path of a scenario, by default that of the topology; None: none.

        Raises:
            ConfigError: a fault in a list is wrong.
        """
        text, name = None, "faults"
        if isinstance(given, str | os.PathLike):
            return os.fspath(given)
        if given is not None:
            text = scenario_text(given, name)
        elif isinstance(topology, NetworkOfGraph) and topology.faults_toml:
            text, name = topology.faults_toml, f"{topology.name}-faults"
        return self._write(f"{INPUTS}/{name}.toml", text, "faults") if text else None

    def setting(self, key: str, value: object) -> Any:
        """Return the value of a setting as JSON has it; write the code that an object is.

        Raises:
            ConfigError: it is no value, and no code that a file can hold.
        """
        if not callable(value):
            return plain(key, value)
        if reference := reference_of(key, value):
            return reference
        name: str = value.__name__  # type: ignore[attr-defined]  # `reference_of` has seen it
        path = self._write(f"{CODE}/{key}/{name}.py", module_text(key, value), key)
        return f"{path}:{name}"

    def renamed(self, error: PrisamError) -> PrisamError:
        """Return an error that names what was given, not a file that is gone by now."""
        if not isinstance(error, ConfigError):
            return error
        value = error.value
        for place in self.files:  # of code, as path:attribute, in this folder or in the run's
            if isinstance(value, str) and f"/{place}:" in value:
                value = Told(value.rpartition(":")[2])
        where = self._labels.get(error.where, error.where)
        return ConfigError(where, error.key, value, error.right)

    def _write(self, place: str, text: str, label: str) -> str:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.files[place] = str(path)
        self._labels[str(path)] = label
        return str(path)
