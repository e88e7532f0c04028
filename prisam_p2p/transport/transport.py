"""The sockets of one peer, behind methods that any thread may call.

One ROUTER announces masks to the neighbors that connected to it and answers their requests
(server.py). To each neighbor's ROUTER goes a control DEALER, which hears its masks, and, from
the first pull on, a bulk DEALER, so weights never hold up a mask (client.py). One thread
(io_thread.py) does all of it, so training never delays an answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import zmq

from prisam_p2p.control.message_rule import Rule
from prisam_p2p.control.messages import Fence, RosterEntry
from prisam_p2p.control.spec import Stop
from prisam_p2p.core.bits import packed_size
from prisam_p2p.core.layout import Layout, Mask
from prisam_p2p.measure import records
from prisam_p2p.measure.traffic import Row, TrafficCounter
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.client import Client
from prisam_p2p.transport.connections import Connections
from prisam_p2p.transport.context import Endpoint, LocalPeer, TransportContext
from prisam_p2p.transport.io_thread import IoThread
from prisam_p2p.transport.message_faults import MessageFaults
from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import Pull
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.server import Server
from prisam_p2p.transport.servings import Serving
from prisam_p2p.transport.snapshots import PARTS_PER_SLOT, Snapshot, SnapshotStore
from prisam_p2p.transport.sockets import Socket, SocketLimits
from prisam_p2p.transport.spool import Spool
from prisam_p2p.transport.upload_stops import StopReached
from prisam_p2p.transport.uploads import Uploads
from prisam_p2p.wire.codec import MAX_HEADER_BYTES
from prisam_p2p.wire.mask_coding import RoundMask
from prisam_p2p.wire.relay_messages import Entry, MaskDigest, RelayedMask
from prisam_p2p.wire.zmtp import CURVE, PLAIN

_LINGER_MS = 500
_CLOSE_TIMEOUT_S = 5.0
_LOST_S = 1.0
"""Once message faults were active, an unanswered Hello is sent again after this."""

_MOST_HEARTBEATS_PER_S = 10
"""Of one peer, to all its neighbors together."""


@dataclass(frozen=True)
class Rates:
    """A device's network, bytes per second each way; None = no limit."""

    up_bytes_s: float | None = None
    down_bytes_s: float | None = None


SERVE_AT_ONCE = 4
"""A donor that serves few requesters at a time finishes each early. With one at a time, a slow
requester would hold up all the others (docs/decisions/0011-pulls.md)."""


@dataclass(frozen=True)
class TransportSettings:
    """How weights are exchanged.

    Attributes:
        chunk_bytes: length of a chunk.
        patience: when a pull is given up.
        serve_at_once: requesters that are served at the same time; others are told to wait.
        spool_bytes: how much of the pulled weights is kept, and not fetched again if unchanged.
        message_fault_seed: seeds the draws of message rules.
        heartbeat_s: between heartbeats on a control connection; longer with many neighbors.
    """

    chunk_bytes: int
    patience: Patience
    rates: Rates
    serve_at_once: int = SERVE_AT_ONCE
    spool_bytes: int = 256 * 2**20
    message_fault_seed: int = 0
    heartbeat_s: float = 1.0


class Transport:
    """Binds at once; `connect` starts the conversation.

    Args:
        inbox: where events go.
        note: takes the record of each connection.
        messenger_of: makes what all messages pass on their way in and out.
        served: told, in the transport's thread, of each upload that has ended.
    """

    def __init__(
        self,
        me: LocalPeer,
        layout: Layout,
        inbox: Inbox[events.Event],
        settings: TransportSettings,
        note: Callable[[records.Connection], None] = lambda _record: None,
        messenger_of: Callable[..., Messenger] = Messenger,
        served: Callable[[Serving], None] = lambda _serving: None,
    ) -> None:
        n_neighbors, mechanism = len(me.neighbors), CURVE if me.keys else PLAIN
        heartbeat_ms = max(
            round(1000 * settings.heartbeat_s), 1000 // _MOST_HEARTBEATS_PER_S * n_neighbors
        )
        largest = max(MAX_HEADER_BYTES, packed_size(layout.n_bits))
        limits = SocketLimits(heartbeat_ms, largest, max(largest, settings.chunk_bytes))
        self._layout, self._settings, self.inbox = layout, settings, inbox
        self._up, self._down = Pacer(settings.rates.up_bytes_s), Pacer(settings.rates.down_bytes_s)
        n_slots, patience = settings.serve_at_once, settings.patience
        self._store = SnapshotStore(layout, settings.chunk_bytes, PARTS_PER_SLOT * n_slots)
        self._spool = Spool(settings.spool_bytes)
        self._traffic = TrafficCounter(mechanism)
        message_faults = MessageFaults(settings.message_fault_seed, me.identity.peer_id)
        self._messenger = messenger_of(inbox, self._traffic, message_faults)
        self._lossy = False
        self._connections = Connections(note, heartbeat_ms, mechanism.name)
        self._zmq = zmq.Context[Socket](io_threads=1)
        # Six for each neighbor, and six that are being closed where it has moved; a peer that is
        # no neighbor is reached by half as many.
        self._zmq.set(zmq.MAX_SOCKETS, 12 * n_neighbors + 6 * len(me.strangers) + 16)
        context = TransportContext(self._zmq, me, limits, self._messenger, self._connections)
        self._client = Client(context, self._down, patience, layout.n_bits)
        self._uploads = Uploads(self._store, self._up, n_slots, patience.timeout_s, served)
        self._server = Server(context, self._uploads, self._client.neighbor_gone)
        self.port = self._server.port
        self._connections.router = f"{me.address}:{self.port}"
        self._roster: dict[str, Endpoint] = {}
        self._io = IoThread(
            self._begin,
            self._keep_time,
            self._next_s,
            self._close_sockets,
            lambda error: inbox.put(events.Broken(error)),
        )

    def connect(self, roster: Mapping[str, Endpoint]) -> None:
        """Say Hello to all neighbors, whose ROUTERs are where `roster` says."""
        self._io.call(partial(self._connect, dict(roster)))
        self._io.start()

    def announce(
        self, mask: RoundMask, snapshot: Snapshot, card: RelayedMask | None = None
    ) -> None:
        """Offer `snapshot` and send `mask` to every neighbor that is connected.

        Args:
            card: sent before the mask, where masks are relayed and this one says something new.
        """
        self._store.publish(snapshot)
        self._io.call(partial(self._announce, mask, card))

    def tell_digests(self, digests: Mapping[str, MaskDigest]) -> None:
        """Tell neighbors whose masks this peer has learned."""
        self._io.call(partial(self._server.tell_digests, digests))

    def ask_masks(self, neighbor: str, round_index: int, entries: Sequence[Entry]) -> None:
        """Ask a neighbor for masks that its digest listed; each comes as RelayHeard."""
        self._io.call(partial(self._client.ask_masks, neighbor, round_index, entries))

    def meet(self, strangers: Sequence[RelayedMask]) -> None:
        """Let `pull` reach these peers, which are no neighbors, where they say that they are.

        Connections to others that were met before are ended.
        """
        self._io.call(partial(self._client.meet, strangers))

    def pull(
        self,
        donors: Sequence[str],
        round_index: int,
        wanted: Mask | None = None,
        timeout_s: float = math.inf,
    ) -> None:
        """Fetch the weights of a round from `donors`; each pull ends as PullDone or PullLost.

        Args:
            wanted: fetch only channels that this mask keeps; None = all.
            timeout_s: pulls that last longer are given up; those without progress earlier.
        """
        pulls = [
            Pull(
                self._layout,
                donor,
                round_index,
                self._settings.chunk_bytes,
                wanted,
                partial(self._spool.get, donor),
            )
            for donor in donors
        ]
        self._io.call(partial(self._client.pull, pulls, timeout_s))

    def keep(self, pull: Pull) -> None:
        """Keep what `pull` fetched, in case its donor offers the same again."""
        self._spool.put(pull.donor, pull.digest, pull.buffer)

    def say_bye(self, round_index: int) -> None:
        """Tell the neighbors not to wait for this peer from `round_index` on."""
        self._io.call(partial(self._server.say_bye, round_index))

    def set_message_rule(self, rule: Rule) -> None:
        """Apply `rule` to what passes from now on, in place of the one with its id.

        A rule about a whole link belongs at both ends: the peer whose Hello is lost repeats it.
        """
        self._lossy = True
        self._io.call(partial(self._messenger.set_rule, rule))

    def remove_message_rule(
        self, rule_id: str, then: Callable[[int, int], None] = lambda _matched, _acted: None
    ) -> None:
        """End a rule, and send on what it holds.

        Args:
            then: told, in the transport's thread, how many messages the rule matched, and on how
                many it acted.
        """
        self._io.call(lambda: then(*self._messenger.remove_rule(rule_id)))

    def stop_transfers(self, stops: Sequence[Stop], tell: Callable[[StopReached], None]) -> None:
        """Let uploads wait at `stops` for `go_on`; to be called before `connect`.

        Args:
            tell: told, in the transport's thread, of each stop that is reached.
        """
        self._uploads.stop_at(stops, tell)

    def go_on(self, stop: Stop) -> None:
        """Let the upload go on that waits at `stop`."""
        self._io.call(partial(self._server.go_on, stop))

    def update_neighbor(self, entry: RosterEntry) -> None:
        """Exchange with a neighbor where `entry` says, and by that key, from now on.

        It may be new, or the next process of a neighbor that is known.
        """
        self._io.call(partial(self._update_neighbor, entry))

    def fence(self, fence: Fence, then: Callable[[], None]) -> None:
        """Hear nothing more of a neighbor's processes before the least incarnation of `fence`.

        Args:
            then: called, in the transport's thread, when that is so.
        """
        self._io.call(partial(self._fence, fence, then))

    def traffic(self) -> list[Row]:
        """Return the counts that changed since the last call (`TrafficCounter.changed_rows`)."""
        return self._traffic.changed_rows()

    def take_rejected(self, event: events.MessageRejected) -> int:
        """Return how many messages the event stands for; to be called once for each event."""
        return self._messenger.rejections.take(event)

    def bytes_out(self) -> int:
        """Return how many bytes of payload and headers were sent so far."""
        return self._traffic.bytes_out()

    def payload_bytes(self) -> tuple[int, int]:
        """Return how many bytes of payload were (sent, received) so far."""
        return self._traffic.payload["out"], self._traffic.payload["in"]

    def peak_mbit_s(self) -> tuple[float, float]:
        """Return the most weights (sent, asked for) in any one second, Mbit/s."""
        up, down = (pacer.peak_bytes_s * 8 / 1e6 for pacer in (self._up, self._down))
        return round(up, 3), round(down, 3)

    def close(self) -> None:
        """Send what was handed over, close every socket and end the thread, for good."""
        if not self._zmq.closed:
            self._io.close(_CLOSE_TIMEOUT_S)
            self._spool.close()

    def _begin(self) -> None:
        self._server.begin(self._io)
        self._client.begin(self._io)

    def _connect(self, roster: Mapping[str, Endpoint]) -> None:
        self._roster = {**roster, **self._roster}
        self._server.know(self._roster)
        self._client.connect(roster)

    def _update_neighbor(self, entry: RosterEntry) -> None:
        self._roster[entry.peer] = endpoint = (entry.address, entry.port)
        self._server.update_neighbor(entry, self._roster)
        self._client.update_neighbor(entry.peer, endpoint, entry.public_key)

    def _fence(self, fence: Fence, then: Callable[[], None]) -> None:
        self._client.fence(fence.peer, fence.least_incarnation)
        self._server.fence(fence.peer, fence.least_incarnation)
        then()

    def _announce(self, mask: RoundMask, card: RelayedMask | None) -> None:
        self._traffic.round_index = mask.round_index
        if card is not None:
            whole = replace(card, n_bits=mask.mask.n_bits, bits=mask.mask.bits)
            self._client.introduction = whole
        self._server.announce(mask, card)

    def _keep_time(self) -> None:
        if self._messenger.intercepts:
            self._messenger.keep_time(time.monotonic())
        if self._lossy:
            self._client.greet_again(_LOST_S)
        self._server.send_due()
        self._client.keep_time(time.monotonic())

    def _next_s(self) -> float | None:
        now = time.monotonic()
        waits = [each.next_s(now) for each in (self._messenger, self._uploads, self._client)]
        waits += [_LOST_S] if self._lossy else []
        return min((wait for wait in waits if wait is not None), default=None)

    def _close_sockets(self) -> None:
        self._connections.write_strangers()
        self._uploads.close()
        self._client.close(_LINGER_MS)
        self._server.close(_LINGER_MS)
        self._zmq.term()
