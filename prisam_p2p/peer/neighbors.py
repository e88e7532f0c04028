"""A peer's neighbors as the loop sees them: announce, hear, pull. Every wait has a deadline."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from queue import Empty

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.line import Stopped
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.layout import Layout, Mask, Weights
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.marks import Marks, does
from prisam_p2p.peer.relay import Relay
from prisam_p2p.peer.round_book import RoundBook, Verdict
from prisam_p2p.peer.round_deadline import RoundDeadline
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.context import Endpoint
from prisam_p2p.transport.messenger import OTHERS
from prisam_p2p.transport.pull import Unfit
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Transport
from prisam_p2p.wire.mask_coding import RoundMask
from prisam_p2p.wire.messages import WireDtype
from prisam_p2p.wire.relay_messages import MaskDigest, RelayedMask

_ANSWER_S = 5.0
"""The transport's thread reports the end of a pull by its deadline; this is slack."""

_LAST_MASKS_S = 1.0
"""Time for last masks to arrive; a neighbor in its first round has none to send."""

_QUIET_S = 0.3
"""After this long without an event, everything that was sent has arrived."""

_LOOK_UP_EVERY_S = 0.5
"""A wait shows at least this often for whom it waits."""

_MOST_SENDERS = 1000
"""At most this many senders are counted by name, because strangers may use any name."""


class Neighbors:
    """Turns the transport's events into what a round needs, and journals which peers were missing.

    Args:
        book: decides which masks count.
        deadline: decides how long a round waits for masks.
        inbox: where the transport puts events; a StopAsked raises Stopped from any wait.
        pull_deadline_s: longest duration of the pulls of one round.
        marks: shows whom this peer waits for; None = nobody looks.
        relay: learns masks beyond the neighbors; None = they are not relayed.

    Attributes:
        broken: the transport's thread died, and messages that it had not read are not counted.
    """

    def __init__(
        self,
        transport: Transport,
        book: RoundBook,
        deadline: RoundDeadline,
        inbox: Inbox[events.Event],
        journal: Journal,
        layout: Layout,
        pull_deadline_s: float,
        wire_dtype: WireDtype,
        marks: Marks | None = None,
        relay: Relay | None = None,
    ) -> None:
        self._relay = relay
        self._transport, self._book, self._inbox = transport, book, inbox
        self._journal, self._layout = journal, layout
        self._deadline, self._pull_deadline_s = deadline, pull_deadline_s
        self._wire_dtype = wire_dtype
        self.marks = marks or Marks()
        self.broken = False
        self._offered: dict[int, int] = {}
        self._unwelcomed: set[str] = set()
        self._unjoined: set[str] = set()
        self._pulls: dict[str, Weights | None] = {}
        self._fetched: dict[str, tuple[int, float]] = {}
        self._arrived_s: defaultdict[int, dict[str, float]] = defaultdict(dict)
        self._rejections: Counter[tuple[str, str]] = Counter()

    @does(Activity.CONNECTING)
    def connect(self, roster: Mapping[str, Endpoint], timeout_s: float) -> None:
        """Connect to every neighbor in `roster`, and wait until each has connected too."""
        self._unwelcomed, self._unjoined = set(roster), set(roster)
        self._book.leave_all_but(roster, "is not there yet")
        self._transport.connect(roster)
        self._wait_for(lambda: self._unwelcomed | self._unjoined, timeout_s)
        missing = self._unwelcomed | self._unjoined
        for neighbor in missing:
            self._book.leave(neighbor, f"did not connect within {timeout_s:g} s")
        present = sorted(set(roster) - missing)
        self._journal.write(records.Connected(present, sorted(missing)))

    def announce(self, round_index: int, mask: PackedMask, weights: Weights) -> None:
        """Offer `weights` and send `mask` to every neighbor."""
        snapshot = snapshot_of(self._layout, round_index, weights, self._wire_dtype)
        n_bytes, digest = len(snapshot.buffer), snapshot.offer.digest.hex()
        # Journalled before anyone can pull: this process may be killed at any moment.
        self._journal.write(records.Offered(round_index, n_bytes, digest))
        self._offered[round_index] = n_bytes
        card = self._relay.says(round_index, mask) if self._relay else None
        self._transport.announce(RoundMask(round_index, mask), snapshot, card)

    @does(Activity.WAITING_FOR_MASKS)
    def hear(self, round_index: int, idle_s: float | None = None) -> dict[str, PackedMask]:
        """Return peer -> its mask of this round, ascending; journal the missing neighbors.

        The peers are the neighbors and, where masks are relayed, those beyond them. A peer that
        sits the round out relays none: others do not count on it.

        Args:
            idle_s: how much earlier it waits than those that take part; None = it takes part.
        """
        book, deadline, began_s = self._book, self._deadline, time.monotonic()
        book.open(round_index)
        deadline.open(round_index, began_s, idle_s=idle_s or 0.0)
        self._wait_until(
            lambda: not book.awaited(),
            lambda: began_s + deadline.wait_s(len(book.masks()), len(book.awaited())),
            book.awaited,
        )
        masks, given_up, now_s = book.masks(), book.awaited(), time.monotonic()
        missing = book.missing(deadline.reason(len(masks), len(given_up)))
        deadline_s = round(deadline.wait_s(len(masks), len(given_up)), 6)
        waited_s = round(now_s - began_s, 6)
        deadline.close(given_up, now_s)
        self._journal.write(records.Heard(round_index, list(masks), missing, waited_s, deadline_s))
        self._write_arrivals(round_index, now_s)
        if self._relay and idle_s is not None:
            self._relay.book.open(round_index, {})  # what it was told of the round is of no use
        if self._relay is None or idle_s is not None:
            return masks
        gone = masks.keys() & (self._unjoined | self._unwelcomed)
        learned, told = self._relay.learn(round_index, masks, gone, self._wait_until, self._reject)
        self._journal.write(told)
        return dict(sorted({**masks, **learned}.items()))

    @does(Activity.PULLING)
    def pull(
        self, round_index: int, donors: Sequence[str], wanted: Mask | None
    ) -> dict[str, Weights]:
        """Return donor -> its weights, ascending, of those that delivered; journal the others.

        The transport decides when a pull is over (transport/pull_manager.py).

        Args:
            wanted: fetch only channels that this mask keeps; None = all.
        """
        self._pulls, self._fetched = {}, {}
        began_s = time.monotonic()
        if self._relay:
            self._relay.reach(donors)
        self._transport.pull(donors, round_index, wanted, self._pull_deadline_s)

        def awaited() -> set[str]:
            return set(donors) - self._pulls.keys()

        self._wait_for(awaited, self._pull_deadline_s)
        self._wait_for(awaited, _ANSWER_S)  # anew: this process may have been suspended meanwhile
        for donor in sorted(awaited()):
            reason = f"the transport reported no end within {self._pull_deadline_s + _ANSWER_S:g} s"
            self._write_failed(round_index, donor, reason, began_s, time.monotonic() - began_s)
        arrived, self._pulls = self._pulls, {}
        return {donor: w for donor, w in sorted(arrived.items()) if w is not None}

    def reject(self, round_index: int, donor: str, check: str, detail: str) -> None:
        """Journal that weights pulled in this round are not used.

        Args:
            check: the check that they failed: digest, shape, finite or norm.
        """
        fetched, wall_s = self._fetched.get(donor, (0, None))
        self._journal.write(records.Rejected(round_index, donor, check, detail, fetched, wall_s))

    @does(Activity.WAITING_FOR_MASKS)
    def latest_rounds(self) -> dict[str, int]:
        """Return connected neighbor -> the latest round that it announced, if it announced any.

        A neighbor sends its last mask after its Welcome: this waits a moment for them.
        """
        latest = self._book.latest
        self._wait_for(lambda: self._book.present() - latest().keys(), _LAST_MASKS_S)
        return {n: t for n, t in latest().items() if n in self._book.present()}

    def reached(self) -> int:
        """Return the latest round that half of the connected neighbors have announced."""
        self._wait(lambda: False, 0.0)  # process the events that are here
        return self._book.reached()

    def leave(self, round_index: int) -> None:
        """Tell the neighbors not to wait for this peer from `round_index` on."""
        self._transport.say_bye(round_index)

    def bytes_out(self) -> int:
        """Return how many bytes of payload and headers were sent so far."""
        return self._transport.bytes_out()

    def payload_bytes(self) -> tuple[int, int]:
        """Return how many bytes of payload were (sent, received) so far."""
        return self._transport.payload_bytes()

    def write_traffic(self, round_index: int, final: bool = False) -> None:
        """Journal the traffic counts that changed since the last call.

        Args:
            final: no traffic will follow.
        """
        self._journal.write(records.Traffic(round_index, final, self._transport.traffic()))

    def peak_mbit_s(self) -> tuple[float, float]:
        """Return the most weights (sent, asked for) in any one second, Mbit/s."""
        return self._transport.peak_mbit_s()

    def serve_until(self, done: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `done`; meanwhile, neighbors may pull the last weights."""
        self._wait(done, timeout_s)

    def settle(self, neighbors: Collection[str], timeout_s: float) -> bool:
        """Wait until these neighbors are connected both ways, and no more events arrive.

        At the end of a run with faults, broken connections come back and bring masks.

        Returns:
            Whether all these neighbors are connected.
        """

        def missing() -> set[str]:
            return (self._unwelcomed | self._unjoined) & {*neighbors}

        ends_s = time.monotonic() + timeout_s
        with self.marks.doing(Activity.SERVING, ends_s):
            self._wait_for(missing, timeout_s)
            while (left_s := ends_s - time.monotonic()) > 0:
                try:
                    self._take_in(self._inbox.get(min(_QUIET_S, left_s)))
                except Empty:
                    break
        return not missing()

    def _wait_for(self, awaited: Callable[[], Collection[str]], timeout_s: float) -> None:
        """Process events until no neighbor is awaited, for `timeout_s` at most."""
        ends_s = time.monotonic() + timeout_s
        self._wait_until(lambda: not awaited(), lambda: ends_s, awaited)

    def _wait(self, enough: Callable[[], bool], timeout_s: float) -> None:
        ends_s = time.monotonic() + timeout_s
        self._wait_until(enough, lambda: ends_s)

    def _wait_until(
        self,
        enough: Callable[[], bool],
        ends_s: Callable[[], float],
        awaited: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Process events until `enough`, or until the time `ends_s`, which events may change.

        Args:
            awaited: returns the neighbors that it waits for.
        """
        with self.marks.waiting() as show:
            while not enough():
                show(ends_s(), awaited)
                left_s = ends_s() - time.monotonic()
                try:
                    self._take_in(self._inbox.get(min(left_s, _LOOK_UP_EVERY_S)))
                except Empty:
                    if left_s <= _LOOK_UP_EVERY_S:
                        return

    def _take_in(self, event: events.Event) -> None:
        match event:
            case events.Welcomed(neighbor):
                self._unwelcomed.discard(neighbor)
                if self._relay:
                    self._relay.book.meet(neighbor)
            case events.Lost(neighbor):
                self._unwelcomed.add(neighbor)
                if self._relay:
                    self._relay.book.leave(neighbor)
            case events.Joined(neighbor, incarnation):
                self._unjoined.discard(neighbor)
                self._book.join(neighbor)
                self._journal.write(records.NeighborJoined(neighbor, incarnation))
            case events.Left(neighbor, reason, for_good):
                if not for_good:
                    self._unjoined.add(neighbor)
                (self._book.finish if for_good else self._book.leave)(neighbor, reason)
                if self._relay:
                    relayed = self._relay.book
                    (relayed.finish if for_good else relayed.leave)(neighbor)
                self._journal.write(records.NeighborLeft(neighbor, reason))
            case events.FencedOff(neighbor, least):
                self._unwelcomed.add(neighbor)
                self._unjoined.add(neighbor)
                self._book.leave(neighbor, "its host was lost")
                self._journal.write(records.NeighborFenced(neighbor, least))
            case events.MaskHeard(neighbor, RoundMask(round_index, mask), heard_s):
                if self._relay:
                    self._relay.book.pass_to(neighbor, round_index)
                verdict = self._book.receive(neighbor, round_index, mask)
                if verdict is Verdict.ACCEPTED:
                    self.marks.advance()
                if verdict in (Verdict.ACCEPTED, Verdict.STALE):
                    self._deadline.arrived(neighbor, round_index, time.monotonic())
                if verdict in (Verdict.ACCEPTED, Verdict.EARLY):
                    self._arrived_s[round_index][neighbor] = heard_s
                else:
                    self._reject(neighbor, verdict, f"mask of round {round_index}")
            case events.RelayHeard(neighbor, message):
                self._hear_relayed(neighbor, message)
            case events.AnnounceDone(round_index, reached, unreachable):
                if n_bytes := self._offered.pop(round_index, None):
                    self._journal.write(
                        records.Announced(round_index, n_bytes, reached, unreachable)
                    )
            case events.PullDone():
                self._finish_pull(event)
            case events.PullLost(donor, round_index, reason, check, began_s, wall_s):
                self._pulls[donor] = None
                if check:
                    self._fetched[donor] = (0, round(wall_s, 6))
                    self.reject(round_index, donor, check, reason)
                else:
                    self._write_failed(round_index, donor, reason, began_s, wall_s)
            case events.MessageRejected(sender, verdict_name, reason):
                n = self._transport.take_rejected(event)
                self._reject(sender, verdict_name, reason, n)
            case events.Broken(error):
                self.broken = True
                raise RuntimeError(f"the transport broke: {error.splitlines()[-1]}\n{error}")
            case events.StopAsked():
                raise Stopped("told to stop")
            case events.OrderCame():
                pass  # its purpose was to end a wait

    def _hear_relayed(self, neighbor: str, message: RelayedMask | MaskDigest) -> None:
        if self._relay is None:
            self._reject(neighbor, Verdict.UNEXPECTED, type(message).__name__)
        elif self._relay.hear(neighbor, message, self._reject):
            self.marks.advance()

    def _write_arrivals(self, round_index: int, ended_s: float) -> None:
        """Journal when this round's masks arrived, and forget those of rounds until now."""
        arrived_s = self._arrived_s[round_index]
        first_s = min(arrived_s.values(), default=ended_s)
        ms = [
            round(1000 * (arrived_s[n] - first_s)) if n in arrived_s else None
            for n in self._book.neighbors
        ]
        self._journal.write(records.Arrivals(round_index, self._journal.run_s(first_s), ms))
        for t in [t for t in self._arrived_s if t <= round_index]:
            del self._arrived_s[t]

    def _finish_pull(self, event: events.PullDone) -> None:
        pull = event.pull
        wall_s = round(event.wall_s, 6)
        self._fetched[pull.donor] = (pull.fetched_bytes, wall_s)
        try:
            self._pulls[pull.donor] = pull.weights()
        except Unfit as unfit:
            self._pulls[pull.donor] = None
            self.reject(pull.round_index, pull.donor, unfit.check, str(unfit))
            return
        self._transport.keep(pull)
        mbit_s = pull.fetched_bytes * 8 / 1e6 / max(event.wall_s, 1e-9)
        self._journal.write(
            records.Pulled(
                pull.round_index,
                pull.donor,
                pull.n_bytes,
                pull.fetched_bytes,
                pull.digest.hex(),
                wall_s,
                round(mbit_s, 3),
                self._journal.run_s(event.began_s),
            )
        )

    def _write_failed(
        self, round_index: int, donor: str, reason: str, began_s: float, wall_s: float
    ) -> None:
        began_s = self._journal.run_s(began_s)
        self._journal.write(
            records.PullFailed(round_index, donor, reason, began_s, round(wall_s, 6))
        )

    def _reject(self, sender: str, verdict: str, reason: str, n: int = 1) -> None:
        if len(self._rejections) >= _MOST_SENDERS and (sender, verdict) not in self._rejections:
            sender = OTHERS
        before = self._rejections[sender, verdict]
        count = self._rejections[sender, verdict] = before + n
        # Only the 1st, 2nd, 4th, ..: a flood must not fill the disk.
        if count.bit_length() > before.bit_length():
            self._journal.write(records.Turned(sender, verdict, reason, count))
