import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prisam_p2p.core.bits import PackedMask, packed_size
from prisam_p2p.errors import WireError
from prisam_p2p.wire.codec import decode, encode
from prisam_p2p.wire.mask_coding import (
    BaseMissing,
    MaskReceiver,
    MaskSender,
    RoundMask,
    coded,
    mask_check,
)
from prisam_p2p.wire.messages import Coding, MaskAnnounce

VGG11 = 2752
PACKED, CHANGES, DENSITY = Coding


def announced(round_index, mask):
    return RoundMask(round_index, PackedMask.pack(mask))


def packed(mask):
    """Return the message with all bits of a mask, whatever is shorter."""
    return MaskAnnounce(mask.round_index, mask.mask.n_bits, mask.mask.bits)


def half(seed, n_bits=VGG11):
    """A mask of as many ones as zeros: nothing but its bits describes it."""
    return np.random.default_rng(seed).permutation(np.arange(n_bits) % 2 == 0)


def flipped(mask, *bits):
    mask = mask.copy()
    mask[list(bits)] ^= True
    return mask


def run(*flips, start=0):
    """Return masks of consecutive rounds, each the one before with these bits flipped."""
    masks = [half(0)]
    for bits in flips:
        masks.append(flipped(masks[-1], *bits))
    return [announced(start + t, mask) for t, mask in enumerate(masks)]


class Link:
    """A sender and one receiver, with the frames between them."""

    def __init__(self, sender=None, neighbor="b"):
        self.sender, self.neighbor = sender or MaskSender(), neighbor
        self.receiver = MaskReceiver(VGG11)

    def send(self, mask):
        """Return what goes over the wire."""
        message = self.sender.code(self.neighbor, mask)
        self.sender.sent(self.neighbor, mask)
        return message

    def hear(self, message):
        return self.receiver.decode("a", decode(encode(message)))


def test_the_first_mask_goes_whole_and_then_changes_do():
    link, masks = Link(), run([700], [5, 700], [])
    sent = [link.send(mask) for mask in masks]
    assert [m.coding for m in sent] == [PACKED, CHANGES, CHANGES, CHANGES]
    assert [m.base_gap for m in sent] == [0, 1, 1, 1]
    assert [len(m.bits) for m in sent[1:]] == [2, 3, 0]
    assert [link.hear(m) for m in sent] == masks


def test_changes_are_since_the_last_mask_that_was_sent():
    """A neighbor that could not be reached for some rounds gets what it missed at once."""
    link, masks = Link(), run([1], [2], [3])
    link.hear(link.send(masks[0]))
    message = link.send(masks[3])
    assert (message.coding, message.base_gap) == (CHANGES, 3)
    assert link.hear(message) == masks[3]


def test_a_mask_that_could_not_be_sent_is_no_base():
    link, masks = Link(), run([1], [2])
    link.hear(link.send(masks[0]))
    link.sender.code("b", masks[1])
    assert link.send(masks[2]).base_gap == 2


def test_who_is_forgotten_gets_the_next_mask_whole():
    link, masks = Link(), run([1], [2])
    link.send(masks[0])
    link.sender.forget("b")
    assert link.send(masks[1]).coding is PACKED
    assert link.send(masks[2]).coding is CHANGES
    link.sender.forget("nobody")


def test_a_round_that_is_sent_again_goes_whole():
    link, masks = Link(), run([1])
    link.send(masks[1])
    assert link.send(masks[1]).coding is PACKED
    assert link.send(masks[0]).coding is PACKED


def test_each_neighbor_gets_changes_to_what_it_holds():
    sender, masks = MaskSender(), run([1], [2], [3])
    b, c, d = (Link(sender, name) for name in "bcd")
    b.hear(b.send(masks[0]))
    for link in (b, c):
        link.hear(link.send(masks[1]))
    b.hear(b.send(masks[2]))
    sent = [link.send(masks[3]) for link in (b, c, d)]
    assert [(m.coding, m.base_gap) for m in sent] == [(CHANGES, 1), (CHANGES, 2), (PACKED, 0)]
    assert [link.hear(m) for link, m in zip((b, c, d), sent, strict=True)] == 3 * [masks[3]]


def test_a_mask_is_coded_once_for_all_who_hold_the_same():
    sender, masks = MaskSender(), run([1])
    for mask in masks:
        sent = [Link(sender, name).send(mask) for name in "bcd"]
        assert sent[0] is sent[1] is sent[2]


@pytest.mark.parametrize("heard", [[], [0]], ids=["nothing", "an older one"])
def test_a_missing_base_is_noticed_and_the_whole_mask_helps(heard):
    link, masks = Link(), run([1], [2], [3])
    for t in (0, 1):
        message = link.send(masks[t])
        if t in heard:
            link.hear(message)
    message = link.send(masks[2])
    with pytest.raises(BaseMissing, match=r"changes to the mask of round 1, not held"):
        link.hear(message)
    link.sender.forget("b")  # the receiver asked for it
    assert link.hear(link.send(masks[2])) == masks[2]
    assert link.hear(link.send(masks[3])) == masks[3]


def test_another_mask_of_the_same_round_is_noticed():
    """A neighbor that restarted may have announced a round twice, differently."""
    link, masks = Link(), run([1])
    link.hear(packed(announced(0, half(9))))
    link.send(masks[0])
    message = link.send(masks[1])
    with pytest.raises(BaseMissing, match="changes to another mask than the one held"):
        link.hear(message)
    link.hear(packed(masks[0]))
    assert link.hear(message) == masks[1]  # what was refused left no trace


def test_a_base_of_another_length_is_none():
    receiver = MaskReceiver(VGG11)
    receiver.decode("a", packed(announced(0, half(0, 16))))
    with pytest.raises(BaseMissing, match="round 0, not held"):
        receiver.decode("a", MaskAnnounce(1, 17, b"\x01", CHANGES, 1, 0))


def test_each_neighbor_has_a_base_of_its_own():
    receiver, (first, second) = MaskReceiver(VGG11), run([1])
    receiver.decode("a", packed(first))
    with pytest.raises(BaseMissing):
        receiver.decode("c", coded(second, first))
    assert receiver.decode("a", coded(second, first)) == second


@pytest.mark.parametrize("most", [False, True])
def test_a_mask_that_is_almost_all_one_value_goes_by_its_exceptions(most):
    link, mask = Link(), np.full(VGG11, most)
    mask = announced(0, flipped(mask, 0, 100, 2751))
    message = link.send(mask)
    assert message.coding is DENSITY
    assert len(message.bits) == 5  # 2 * C(2752, 3) = 2^32.7
    assert link.hear(message) == mask


@pytest.mark.parametrize(
    ("coding", "bits", "why"),
    [
        (CHANGES, b"\x00", "leading zeros"),
        (DENSITY, b"\x00\x01", "leading zeros"),
        (DENSITY, b"\xff" * 344, "index beyond the sets"),
    ],
)
def test_what_is_no_mask_is_refused(coding, bits, why):
    receiver, (first, second) = MaskReceiver(VGG11), run([1])
    receiver.decode("a", packed(first))
    base = (1, mask_check(second.mask)) if coding is CHANGES else (0, 0)
    with pytest.raises(WireError, match=why):
        receiver.decode("a", MaskAnnounce(1, VGG11, bits, coding, *base))
    assert receiver.decode("a", coded(second, first)) == second


@pytest.mark.parametrize("n_bits", [VGG11 + 1, 2**31, 2**60, 2**64 - 1])
def test_a_few_bytes_cannot_claim_any_amount_of_memory(n_bits):
    receiver = MaskReceiver(VGG11)
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match=f"a mask of {n_bits} bits"):
            receiver.decode("a", MaskAnnounce(0, n_bits, b"", DENSITY))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


# -- sizes -----------------------------------------------------------------------------------


def n_bytes(message):
    return sum(map(len, encode(message)))


@st.composite
def two_masks(draw):
    """(round, gap, mask, base): any, but more often alike or one-sided than random bits are."""
    t = draw(st.integers(1, 100_000))
    gap = draw(st.integers(1, t))
    n_bits = draw(st.integers(1, 600) | st.sampled_from([2752, 65_535]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    base = rng.random(n_bits) < draw(st.sampled_from([0, 0.01, 0.3, 0.5, 0.99]))
    return t, gap, base ^ (rng.random(n_bits) < draw(st.floats(0, 0.3))), base


@given(two_masks())
@example((100_000, 100_000, flipped(half(0, 48), 0), half(0, 48)))
def test_a_coded_mask_costs_at_most_a_byte_more_than_its_bits_did(masks):
    """The byte names the coding. Version 1's header was the array, version, kind, round, bits."""
    t, gap, mask, base = masks
    plain, before = announced(t, mask), announced(t - gap, base)
    bits_alone = len(encode(packed(plain))[0]) - 1 + packed_size(len(mask))
    for message in (coded(plain, None), coded(plain, before)):
        assert n_bytes(message) <= bits_alone + 1
        assert len(encode(message)[0]) <= 20


@given(two_masks())
def test_a_base_never_makes_a_mask_longer(masks):
    t, gap, mask, base = masks
    plain = announced(t, mask)
    assert n_bytes(coded(plain, announced(t - gap, base))) <= n_bytes(coded(plain, None))


@given(two_masks())
def test_what_is_coded_is_what_is_heard(masks):
    t, gap, mask, base = masks
    receiver = MaskReceiver(len(mask))
    for message in (coded(announced(t - gap, base), None), coded(announced(t, mask), None)):
        receiver.decode("a", decode(encode(message)))
    receiver.decode("a", packed(announced(t - gap, base)))
    message = decode(encode(coded(announced(t, mask), announced(t - gap, base))))
    assert receiver.decode("a", message) == announced(t, mask)


def test_no_mask_is_sent_as_none_every_time():
    link = Link()
    for t in range(3):
        none = RoundMask(t, PackedMask(0, b""))
        message = link.send(none)
        assert message == MaskAnnounce(t, 0, b"")
        assert len(encode(message)) == 1  # a header, and no second frame
        assert link.hear(message) == none
