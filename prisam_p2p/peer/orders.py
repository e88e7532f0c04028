"""Orders of the launcher that a peer obeys when they come, whatever it is doing.

The thread that reads the control line obeys them; the peer's own thread takes no part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from prisam_p2p.control.line import ControlLine
from prisam_p2p.control.messages import (
    Fence,
    Fenced,
    RemoveRule,
    ResumeTransfer,
    Roster,
    RosterEntry,
    RosterUpdate,
    RuleRemoved,
    SetRule,
    TransferHeld,
)
from prisam_p2p.control.spec import Stop
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.transport.transport import Transport
from prisam_p2p.transport.upload_stops import StopReached


class KnownRoster:
    """The newest entry of each neighbor, whichever order of messages brought it. Thread-safe.

    An update may come before the roster is read: the reading thread handles it at once. Entries are
    taken up under the lock, so that an older one is never taken up after a newer one.

    Args:
        take_up: takes each entry that is newer than what was known of its neighbor.
    """

    def __init__(self, take_up: Callable[[RosterEntry], None]) -> None:
        self._take_up, self._lock = take_up, threading.Lock()
        self._known: dict[str, tuple[int, RosterEntry]] = {}
        self._least: dict[str, int] = {}

    def merge(self, roster: Roster) -> list[RosterEntry]:
        """Take a roster in; return the newest entry of each neighbor, sorted by neighbor."""
        with self._lock:
            for entry in roster.entries:
                self._take_in(roster.version, entry)
            return [entry for _, (_, entry) in sorted(self._known.items())]

    def update(self, update: RosterUpdate) -> None:
        """Take an update in: a neighbor that comes up, or moves, after this peer has connected."""
        with self._lock:
            self._take_in(update.version, update.entry)

    def fence(self, fence: Fence) -> bool:
        """Forget a neighbor's process that is fenced; False where a later one is known already.

        A roster may be read after the fence that was sent later, and still name that process.
        """
        with self._lock:
            self._least[fence.peer] = max(fence.least_incarnation, self._least.get(fence.peer, 0))
            if fence.peer in self._known and not self._is_fenced(self._known[fence.peer][1]):
                return False
            self._known.pop(fence.peer, None)
            return True

    def _take_in(self, version: int, entry: RosterEntry) -> None:
        if self._is_fenced(entry):
            return
        if entry.peer not in self._known or version > self._known[entry.peer][0]:
            self._known[entry.peer] = (version, entry)
            self._take_up(entry)

    def _is_fenced(self, entry: RosterEntry) -> bool:
        return entry.incarnation < self._least.get(entry.peer, 0)


def obey_fences(control: ControlLine, known: KnownRoster, transport: Transport | None) -> None:
    """Let the launcher fence neighbors whose hosts are lost."""

    def fence(order: Fence) -> None:
        def tell() -> None:
            control.send(Fenced(order.peer, order.least_incarnation))

        if known.fence(order) and transport:
            transport.fence(order, tell)
        else:
            tell()

    control.handle(Fence, fence)


def obey_rules(control: ControlLine, transport: Transport, journal: Journal) -> None:
    """Let the launcher set and remove rules for messages."""

    def remove(order: RemoveRule) -> None:
        def tell(matched: int, acted: int) -> None:
            journal.write(records.PolicyActed(order.rule_id, matched, acted))
            control.send(RuleRemoved(order.rule_id, acted))

        transport.remove_message_rule(order.rule_id, tell)

    control.handle(SetRule, lambda order: transport.set_message_rule(order.rule))
    control.handle(RemoveRule, remove)


def hold_transfers(
    stops: Collection[Stop], control: ControlLine, transport: Transport, journal: Journal
) -> None:
    """Let transfers wait at `stops` until the launcher resumes them."""
    if not stops:
        return

    def tell(reached: StopReached) -> None:
        round_index, share, to = reached.round_index, reached.stop[1], reached.requester
        stopped = records.TransferStopped(round_index, share, to, reached.offset, reached.n_bytes)
        journal.write(stopped)
        control.send(TransferHeld(reached.stop))

    transport.stop_transfers([*stops], tell)
    control.handle(ResumeTransfer, lambda order: transport.go_on(order.stop))
