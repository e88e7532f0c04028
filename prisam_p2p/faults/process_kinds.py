"""Faults of processes and of their storage. After the nemeses of Jepsen: kill, pause, disk."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from prisam_p2p.faults.fault_base import OnPeers
from prisam_p2p.plan.toml_file import Misfit, Told

From = Literal["state", "fresh", "neighbor"]
"""What a peer that starts again begins with (control/spec.py, Source)."""


class Stop(OnPeers):
    """The process ends: by SIGKILL, by SIGTERM, or of its own will; healed: it starts again."""

    kind: Literal["kill", "term", "leave"]
    source: From = Field("state", alias="from")
    FOR_GOOD = True

    @model_validator(mode="after")
    def _begins_again(self) -> Self:
        if self.heal is None and "source" in self.model_fields_set:
            raise Misfit("from", self.source, "none without heal: it does not start again")
        return self


class Pause(OnPeers):
    """SIGSTOP; healed: SIGCONT."""

    kind: Literal["pause"]


class Restart(OnPeers):
    """SIGKILL, and a new start after `down_s` seconds, or after `heal.rounds`."""

    kind: Literal["restart"]
    source: From = Field("state", alias="from")
    down_s: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _back_once(self) -> Self:
        if self.heal is None:
            return self
        if self.heal.rounds is None:
            right = "{ rounds = .. }, or down_s in its place: a restart is back by itself"
            raise Misfit("heal", Told("no rounds"), right)
        if "down_s" in self.model_fields_set:
            raise Misfit("down_s", self.down_s, "none beside heal.rounds")
        return self


class Join(OnPeers):
    """The peer is absent from the start and comes at its trigger."""

    kind: Literal["join"]
    FOR_GOOD = True

    @model_validator(mode="after")
    def _comes_once(self) -> Self:
        if self.every is not None:
            raise Misfit("every", Told("a table"), "none: a peer joins once")
        if self.heal is not None:
            raise Misfit("heal", Told("a table"), "none: a peer that joined stays")
        if self.at is not None and self.at.event is not None:
            raise Misfit("at.event", self.at.event, "another trigger: who is absent sends nothing")
        return self


class Slow(OnPeers):
    """The process gets this share of its speed."""

    kind: Literal["slow"]
    factor: float = Field(0.5, gt=0, lt=1)


class Memory(OnPeers):
    """The process may use this many MiB beyond what it was given at its start."""

    kind: Literal["memory"]
    mib: int = Field(64, ge=1)


class FullDisk(OnPeers):
    """No byte more can be written to the peer's checkpoint."""

    kind: Literal["full-disk"]
