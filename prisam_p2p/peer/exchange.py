"""What both sides of a transport share: frames in and out are read, counted, or turned away."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue

import zmq

from prisam_p2p.errors import WireError
from prisam_p2p.measure.traffic import TrafficCounter
from prisam_p2p.peer import events
from prisam_p2p.peer.connections import Connection
from prisam_p2p.wire.codec import Frame, decode, kind_of
from prisam_p2p.wire.messages import Message


class Exchange:
    """Reads and counts. For the transport's thread.

    Args:
        inbox: where events go.
    """

    def __init__(self, inbox: SimpleQueue[events.Event], traffic: TrafficCounter) -> None:
        self._inbox, self._traffic = inbox, traffic

    def read(self, connection: Connection, sender: str, frames: Sequence[zmq.Frame]) -> Message:
        """Return the message in `frames`, counted in any case.

        Raises:
            WireError: it is none; the loop was told that it was turned away.
        """
        connection.spoke = True
        sizes = [len(frame) for frame in frames]
        try:
            message = decode([frame.buffer for frame in frames])
        except WireError as error:
            self._traffic.add(connection.number, "in", None, sizes)
            self.turn_away(sender, "malformed", str(error))
            raise
        self._traffic.add(connection.number, "in", kind_of(message), sizes)
        return message

    def count_out(self, connection: Connection, message: Message, frames: Sequence[Frame]) -> None:
        """Count what was handed to ZeroMQ."""
        sizes = [len(frame) for frame in frames]
        self._traffic.add(connection.number, "out", kind_of(message), sizes)

    def turn_away(self, sender: str, verdict: str, reason: str) -> None:
        """Tell that a message was not accepted."""
        self._inbox.put(events.TurnedAway(sender, verdict, reason))

    def tell(self, event: events.Event) -> None:
        """Put an event into the inbox."""
        self._inbox.put(event)
