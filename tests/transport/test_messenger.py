from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.messenger import MOST_SENDERS, OTHERS, Rejections


def told(inbox):
    return [inbox.get(0) for _ in range(len(inbox))]


def test_a_flood_is_one_event_that_stands_for_all_its_messages():
    rejections = Rejections(inbox := Inbox())
    for i in range(1000):
        rejections.add("b", "malformed", f"the {i}th")
    rejections.add("b", "stranger", "")
    rejections.add("c", "malformed", "")
    flood, *others = told(inbox)
    assert flood == events.MessageRejected("b", "malformed", "the 0th")
    assert rejections.take(flood) == 1000
    assert [(e.sender, e.verdict) for e in others] == [("b", "stranger"), ("c", "malformed")]
    assert [rejections.take(e) for e in others] == [1, 1]


def test_a_message_after_the_event_was_taken_is_a_new_event():
    rejections = Rejections(inbox := Inbox())
    for _ in range(3):
        rejections.add("b", "malformed", "")
        (event,) = told(inbox)
        assert rejections.take(event) == 1


def test_senders_beyond_the_most_are_counted_together():
    rejections = Rejections(inbox := Inbox())
    for i in range(10 * MOST_SENDERS):
        rejections.add(f"s{i}", "stranger", "")
    events_ = told(inbox)
    assert len(events_) == MOST_SENDERS + 1
    counts = {e.sender: rejections.take(e) for e in events_}
    assert counts.pop(OTHERS) == 9 * MOST_SENDERS
    assert set(counts.values()) == {1}
