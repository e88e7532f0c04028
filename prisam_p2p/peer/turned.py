"""What was turned away and not read yet: counted, so that no flood fills the inbox."""

from __future__ import annotations

import threading

from prisam_p2p.peer import events
from prisam_p2p.peer.inbox import Inbox

MOST_SENDERS = 64
OTHERS = "others"


class Turned:
    """One event in the inbox at a time for each sender and verdict; the next ones are counted.

    Strangers may call themselves anything: beyond MOST_SENDERS that wait to be read, they are
    OTHERS. The transport's thread adds, the loop's takes.
    """

    def __init__(self, inbox: Inbox[events.Event]) -> None:
        self._inbox, self._unread = inbox, dict[tuple[str, str], int]()
        self._lock = threading.Lock()

    def add(self, sender: str, verdict: str, reason: str) -> None:
        """Tell that a message was not accepted; `reason` is lost where an event waits already."""
        with self._lock:
            if len(self._unread) >= MOST_SENDERS and (sender, verdict) not in self._unread:
                sender = OTHERS
            waiting = self._unread.get((sender, verdict), 0)
            self._unread[sender, verdict] = waiting + 1
        if not waiting:
            self._inbox.put(events.TurnedAway(sender, verdict, reason))

    def take(self, event: events.TurnedAway) -> int:
        """Return how many messages an event that was read stands for; once."""
        with self._lock:
            return self._unread.pop((event.sender, event.verdict))
