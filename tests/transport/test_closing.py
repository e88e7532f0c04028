"""How a transport ends: closed, or broken by a bug."""

import gc
import threading
import time

import psutil
from transports import (
    DEADLINE_S,
    End,
)

from prisam_p2p.transport import events
from prisam_p2p.transport.transport import Rates


def test_close_leaves_no_descriptor_and_no_thread(net):
    gc.collect()
    me = psutil.Process()
    before = me.num_fds(), me.num_threads(), threading.active_count()
    deadline = time.monotonic() + DEADLINE_S
    a, b = End("a", ["b"]), End("b", ["a"])
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    a.wait(events.Welcomed)
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.wait(events.PullDone)
    for end in (a, b):
        end.transport.close()
    while me.num_threads() != before[1] and time.monotonic() < deadline:
        pass  # a thread that was joined is still counted for a moment
    assert (me.num_fds(), me.num_threads(), threading.active_count()) == before


def test_close_ends_a_transport_that_never_connected():
    before = psutil.Process().num_fds()
    End("a", ["b"]).transport.close()
    assert psutil.Process().num_fds() == before


def test_close_interrupts_a_pull(net):
    a, b = net.pair(rates=Rates(up_bytes_s=10.0, down_bytes_s=10.0))
    b.announce(0)
    b.wait(events.AnnounceDone)
    a.transport.pull(["b"], 0)
    a.transport.close()
    a.transport.close()  # twice is as good as once
    assert b.wait(events.Left).neighbor == "a"


def test_a_broken_transport_says_so_and_can_be_closed(net, monkeypatch):
    a, b = net.pair()
    monkeypatch.setattr(a.transport._server, "announce", lambda _mask, _card: 1 / 0)
    a.announce(0)
    broken = a.inbox.get(DEADLINE_S)
    assert isinstance(broken, events.Broken)
    assert "ZeroDivisionError" in broken.error
    b.wait(events.Left, neighbor="a")
    a.transport.close()
