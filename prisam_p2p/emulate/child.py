"""What the launcher knows of one peer's process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from prisam_p2p.emulate.lines import Lines
from prisam_p2p.peer.spec import PeerSpec

_LAST_LINES = 15


@dataclass
class Child:
    """A peer's latest process."""

    spec: PeerSpec
    pid: int
    lines: Lines
    port: int | None = None
    ready: bool = False
    rounds_done: int = 0
    accuracy: dict[str, float] = field(default_factory=dict)
    n_bytes: int = 0
    result: Mapping[str, Any] | None = None
    exit_code: int | None = None

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where its ROUTER is, or will be: a later process binds what its neighbors know."""
        return self.spec.address, self.port or self.spec.port

    @property
    def done(self) -> bool:
        """Whether it has run all its rounds, or never will, and serves the others yet."""
        return self.result is not None and self.result["state"] != "stopped"

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP has taken effect."""
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    def fate(self) -> str:
        """Return the peer's final state."""
        if self.result:
            return str(self.result["state"])
        return "killed by the launcher" if self.exit_code is None else f"died with {self.exit_code}"

    def last_lines(self) -> list[str]:
        """Return the last of what it printed."""
        try:
            return self.spec.log_path.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        except OSError:
            return []
