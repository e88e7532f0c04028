"""Who may talk to this peer: neighbors of the same run that exchange the same network. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from prisam_p2p.wire.messages import Channel, Hello

_SHOWN = 40
"""Characters of a routing id in a refusal: a stranger's is as long as it likes."""

_PREFIX = {Channel.CONTROL: "c:", Channel.BULK: "b:"}


def routing_id(peer_id: str, channel: Channel) -> bytes:
    """Return the ZeroMQ routing id of a peer's connection: stable, so that a restart takes over."""
    return (_PREFIX[channel] + peer_id).encode()


@dataclass(frozen=True)
class Identity:
    """What this peer says of itself in every Hello."""

    run_id: bytes
    peer_id: str
    incarnation: int
    w0_digest: bytes
    layout_digest: bytes

    def hello(self, channel: Channel) -> Hello:
        """Return the Hello that opens a connection."""
        return Hello(
            self.run_id,
            self.peer_id,
            self.incarnation,
            channel,
            self.w0_digest,
            self.layout_digest,
        )


def objection(me: Identity, neighbors: Collection[str], sender: bytes, hello: Hello) -> str | None:
    """Return why a connection with routing id `sender` is refused, or None to welcome it."""
    if hello.run_id != me.run_id:
        return "another run"
    if sender != routing_id(hello.peer_id, hello.channel):
        told = sender.decode("latin-1")[:_SHOWN]
        return f"a routing id that is not {hello.peer_id}'s: {told}"
    if hello.peer_id not in neighbors:
        return f"{hello.peer_id} is no neighbor of {me.peer_id}"
    if hello.layout_digest != me.layout_digest:
        return "a model of another layout"
    if hello.w0_digest != me.w0_digest:
        return "other initial weights W0"
    return None
