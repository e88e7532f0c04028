"""Masks on their way to every neighbor, whole or as changes."""

import zmq
from transports import LAYOUT, alone_with_b, flipped, greeting, mask_of, through_a_proxy, whole

from prisam_p2p.transport import events
from prisam_p2p.wire.messages import (
    Coding,
    MaskAnnounce,
    MaskRequest,
    Unavailable,
    WeightsRequest,
    Welcome,
)


def test_a_mask_reaches_every_neighbor(net):
    a, b, c = net.mesh("abc")
    sent = a.announce(4)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(4, ["b", "c"], [])
    for end in (b, c):
        assert end.wait(events.MaskHeard) == events.MaskHeard("a", sent)


def test_masks_arrive_in_order(net):
    a, b = net.pair()
    sent = [a.announce(t) for t in range(20)]
    assert [b.wait(events.MaskHeard).announced for _ in sent] == sent


def test_only_neighbors_that_are_connected_are_reached(net):
    a, b, c = net.mesh("abc")
    c.transport.close()
    a.wait(events.Left, neighbor="c")
    a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, ["b"], ["c"])
    b.wait(events.MaskHeard, neighbor="a")


def test_masks_after_the_first_go_as_changes_and_arrive_whole(net):
    a, b, c = net.mesh("abc")
    masks = [mask_of(0)]
    for bits in ((127,), (), (0, 100), (127,)):
        masks.append(flipped(masks[-1], *bits))
    for mask in masks:
        a.announce(mask.round_index, mask=mask)
    for end in (b, c):
        assert [end.wait(events.MaskHeard).announced for _ in masks] == masks
        messages, payload, _ = end.traffic("in", "a")["mask"]
        assert messages == len(masks)
        assert payload == 16 + 1 + 0 + 2 + 1  # the first whole, then as many as the changes take
        assert end.heard_of(events.MessageRejected) == []


def test_a_neighbor_whose_connection_was_cut_gets_the_last_mask_whole(net):
    a, b, proxy = through_a_proxy(net)
    b.announce(0)
    a.wait(events.MaskHeard)
    proxy.cut()
    assert a.wait(events.MaskHeard).announced == mask_of(0)
    before = a.traffic("in", "b")["mask"][1]
    sent = flipped(mask_of(0), 5)
    b.announce(1, mask=sent)
    assert a.wait(events.MaskHeard).announced == sent
    assert (before, a.traffic("in", "b")["mask"][1]) == (2 * 16, 2 * 16 + 1)
    assert a.heard_of(events.MessageRejected) == []


def test_a_returning_neighbor_gets_the_mask_that_it_missed_whole(net):
    a, _ = alone_with_b(net)
    for t, answer in enumerate([mask_of(0), flipped(mask_of(0), 3)]):
        a.announce(t, mask=answer)
        c = net.stranger(a)
        c.send(greeting("c"))
        assert [c.answer(), c.answer()] == [Welcome(0), whole(answer)]
        c.socket.close()
        a.wait(events.Left, neighbor="c")


def test_changes_to_an_unknown_mask_are_asked_for_whole(net):
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", MaskAnnounce(7, LAYOUT.n_bits, b"\x03", Coding.CHANGES, 1, 9))
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("b", "baseless")
    assert router.asked() == ("c:a", MaskRequest(7))
    router.send("c:a", whole(mask_of(7)))
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(7))


def test_a_neighbor_that_asks_for_the_whole_mask_gets_it(net):
    a, _ = alone_with_b(net)
    c = net.stranger(a)
    c.send(greeting("c"))
    assert c.answer() == Welcome(0)
    c.send(MaskRequest(0))  # before there is one: no answer
    c.send(WeightsRequest(0))
    assert c.answer() == Unavailable(0)
    masks = [a.announce(0), a.announce(1, mask=flipped(mask_of(0), 3))]
    assert c.answer() == whole(masks[0])
    assert c.answer().coding is Coding.CHANGES
    c.send(MaskRequest(1))
    assert c.answer() == whole(masks[1])
    a.announce(2, mask=flipped(masks[1]))
    assert c.answer().base_gap == 1


def test_a_mask_of_an_absurd_length_is_rejected(net):
    """Its bytes are few, but what they stand for would fill the memory."""
    router = net.raw(zmq.ROUTER)
    a = net.end("a", ["b"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    assert router.asked() == ("c:a", greeting("a"))
    router.send("c:a", MaskAnnounce(0, 2**60, b"", Coding.DENSITY))
    rejected = events.MessageRejected("b", "malformed", f"a mask of {2**60} bits")
    assert a.wait(events.MessageRejected) == rejected
    router.send("c:a", whole(mask_of(0)))
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(0))
