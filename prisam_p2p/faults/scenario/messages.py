"""Faults of messages: what is done to some of the messages that a peer sends."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prisam_p2p.faults.scenario.fault import OnPeers


class MessageFault(OnPeers):
    """Applies to messages that the peers send: lost, duplicated, reordered, held or damaged.

    Attributes:
        message: what the messages carry.
        probability: of being hit, for each message.
        limit: the most messages that are hit; None = no limit.
    """

    message: Literal["mask", "request", "weights"]
    probability: float = Field(1.0, gt=0, le=1)
    limit: int | None = Field(None, ge=1)


class DelayFault(MessageFault):
    """The messages are sent `ms` milliseconds late."""

    ms: float = Field(gt=0)
