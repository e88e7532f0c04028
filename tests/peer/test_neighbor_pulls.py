"""What a round's pulls come to, with a transport that only tells what the test says."""

import time
from functools import partial
from types import SimpleNamespace

import pytest
from small_network import LAYOUT

from prisam_p2p.measure import records
from prisam_p2p.peer import neighbors
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.round_book import RoundBook
from prisam_p2p.peer.round_deadline import DeadlineRule, RoundDeadline
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.wire.messages import WireDtype


@pytest.fixture
def made():
    """Neighbors whose transport answers each pull with the events in `tells`."""
    written, tells, asked, inbox = [], [], [], Inbox()

    def pull(*request):
        asked.append(request)
        for event in tells:
            inbox.put(event)

    each = Neighbors(
        SimpleNamespace(pull=pull),
        RoundBook("bc", LAYOUT.n_bits),
        RoundDeadline(DeadlineRule(1.0, k=6.0)),
        inbox,
        SimpleNamespace(write=written.append, run_s=lambda s: s - 10),
        LAYOUT,
        7.5,
        WireDtype.FLOAT32,
    )
    return SimpleNamespace(neighbors=each, written=written, tells=tells, asked=asked)


def test_the_deadline_is_handed_over_with_the_pull_and_each_end_is_journalled(made):
    made.tells[:] = [
        events.PullLost("c", 3, "not whole within 7.5 s", began_s=100.0, wall_s=7.5),
        events.PullLost("b", 3, "a structure mask of 9 bits", "shape", began_s=100.0, wall_s=0.25),
    ]
    assert made.neighbors.pull(3, ["b", "c"], None) == {}
    assert made.asked == [(["b", "c"], 3, None, 7.5)]
    assert made.written == [
        records.PullFailed(3, "c", "not whole within 7.5 s", began_s=90.0, wall_s=7.5),
        records.Rejected(3, "b", "shape", "a structure mask of 9 bits", 0, wall_s=0.25),
    ]


def test_a_transport_that_tells_no_end_holds_nobody_up_for_good(made, monkeypatch):
    monkeypatch.setattr(neighbors, "_ANSWER_S", -7.5)
    now_s = time.monotonic() - 10
    made.tells[:] = [events.PullLost("c", 3, "connection closed", began_s=50.0, wall_s=1.0)]
    assert made.neighbors.pull(3, ["b", "c", "d"], None) == {}
    reason = "the transport reported no end within 0 s"
    about, waited_s = partial(pytest.approx, abs=5.0), 7.5
    assert made.written == [
        records.PullFailed(3, "c", "connection closed", began_s=40.0, wall_s=1.0),
        *(
            records.PullFailed(3, donor, reason, about(now_s), wall_s=about(waited_s))
            for donor in "bd"
        ),
    ]
