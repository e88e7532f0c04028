from collections import deque

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.core.layout import Weights
from prisam_p2p.errors import WireError
from prisam_p2p.peer.pull import WINDOW_CHUNKS, Pull
from prisam_p2p.peer.snapshots import SnapshotStore, snapshot_of
from prisam_p2p.wire.messages import Chunk, Unavailable, WeightsOffer, WeightsRequest

CHUNK = 16
LAYOUT = one_layer()  # 196 bytes dense: twelve chunks and a quarter
KEPT = np.array([True, False, True, True, False])


def donor_of(weights, round_index=3, chunk_bytes=CHUNK, layout=LAYOUT):
    store = SnapshotStore(chunk_bytes)
    store.publish(snapshot_of(layout, round_index, weights))
    return store


def opened(weights=None, layout=LAYOUT):
    """A pull of round 3 whose offer is here, and its donor."""
    donor = donor_of(weights or random_weights(layout), layout=layout)
    pull = Pull(layout, "b", 3, CHUNK)
    pull.receive(donor.answer(pull.first_request()))
    return pull, donor


def finish(pull, donor):
    while pull.wants_more:
        pull.receive(donor.answer(pull.next_request()))


def offer(mask=None, digest=b"d" * 16, round_index=3):
    mask = LAYOUT.full_mask() if mask is None else mask
    return WeightsOffer(round_index, digest, len(mask), pack_bits(mask))


@pytest.mark.parametrize("mask", [LAYOUT.full_mask(), KEPT, np.zeros(5, np.bool_)])
def test_what_arrives_is_what_was_published(mask):
    weights = random_weights(LAYOUT, seed=1, mask=mask)
    pull, donor = opened(weights)
    finish(pull, donor)
    assert pull.done
    assert not pull.wants_more
    assert pull.n_bytes == LAYOUT.n_bytes(mask)
    assert same(pull.weights(), weights)


def test_the_steps_of_a_pull():
    pull = Pull(LAYOUT, "b", 3, CHUNK)
    assert pull.first_request() == WeightsRequest(3)
    assert (pull.donor, pull.round_index) == ("b", 3)
    assert (pull.n_bytes, pull.digest, pull.done, pull.wants_more) == (0, b"", False, False)
    pull.receive(offer())
    assert (pull.n_bytes, pull.digest, pull.done, pull.wants_more) == (196, b"d" * 16, False, True)
    asked = [pull.next_request() for _ in range(WINDOW_CHUNKS)]
    assert [(a.offset, a.length) for a in asked] == [(0, 16), (16, 16), (32, 16), (48, 16)]
    assert {a.digest for a in asked} == {b"d" * 16}
    assert not pull.wants_more  # the window is full
    pull.receive(Chunk(b"d" * 16, 0, bytes(16)))
    assert pull.wants_more
    assert pull.next_request().offset == 64
    assert not pull.wants_more


def test_the_last_chunk_is_what_is_left():
    pull, donor = opened()
    lengths = []
    while pull.wants_more:
        request = pull.next_request()
        lengths.append(request.length)
        pull.receive(donor.answer(request))
    assert lengths == [16] * 12 + [4]


@given(st.integers(1, 200), st.lists(st.booleans()), st.lists(st.booleans(), min_size=5))
def test_the_window_is_never_exceeded(chunk_bytes, asks_first, bits):
    """Whatever the order of requests and answers, at most the window is on the way."""
    weights = random_weights(LAYOUT, mask=np.array(bits[:5]))
    donor = donor_of(weights, chunk_bytes=chunk_bytes)
    pull = Pull(LAYOUT, "b", 3, chunk_bytes)
    pull.receive(donor.answer(pull.first_request()))
    on_the_way, asks_first = deque(), iter(asks_first)
    while not pull.done:
        if pull.wants_more and (not on_the_way or next(asks_first, True)):
            on_the_way.append(pull.next_request())
            assert len(on_the_way) <= WINDOW_CHUNKS
        else:
            pull.receive(donor.answer(on_the_way.popleft()))
    assert not on_the_way
    assert same(pull.weights(), weights)


@given(st.lists(st.booleans(), min_size=5, max_size=5).map(np.array))
def test_a_hostile_structure_mask_allocates_at_most_the_dense_network(mask):
    pull = Pull(LAYOUT, "b", 3, CHUNK)
    pull.receive(offer(mask))
    assert pull.n_bytes == LAYOUT.n_bytes(mask) <= LAYOUT.n_bytes(LAYOUT.full_mask())


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([offer(), offer()], "a second offer of round 3"),
        ([offer(np.ones(6, np.bool_))], "a structure mask of 6 bits"),
        ([offer(np.ones(4, np.bool_))], "a structure mask of 4 bits"),
        ([offer(np.ones(2**20, np.bool_))], "a structure mask of 1048576 bits"),
        ([offer(), Chunk(b"d" * 16, 16, bytes(16))], "16 bytes at 16: not the next one"),
        ([offer(), Chunk(b"d" * 16, 0, bytes(16)), Chunk(b"d" * 16, 0, bytes(16))], "at 0"),
        ([offer(), Chunk(b"d" * 16, 0, bytes(17))], "17 bytes at 0: not the next one"),
        ([offer(), Chunk(b"d" * 16, 0, bytes(15))], "15 bytes at 0: not the next one"),
        ([offer(), Chunk(b"d" * 16, 0, bytes(196))], "196 bytes at 0: not the next one"),
        ([offer(), Chunk(b"d" * 16, 2**60, bytes(16))], "not the next one"),
        ([offer(), Chunk(b"d" * 16, 8, bytes(8))], "8 bytes at 8: not the next one"),
        ([offer(), Unavailable(7)], "holds no weights of round 3, is at 7"),
        ([Unavailable(2)], "holds no weights of round 3, is at 2"),
    ],
)
def test_refusals(answers, why):
    pull = Pull(LAYOUT, "b", 3, CHUNK)
    for answer in answers[:-1]:
        pull.receive(answer)
    with pytest.raises(WireError, match=why):
        pull.receive(answers[-1])


def test_a_chunk_behind_the_last_one_is_refused():
    pull, donor = opened()
    finish(pull, donor)
    with pytest.raises(WireError, match="not the next one"):
        pull.receive(Chunk(pull.digest, pull.n_bytes, b"more"))


def test_a_donor_of_smaller_chunks_is_refused():
    pull, _ = opened()
    smaller = donor_of(random_weights(LAYOUT), chunk_bytes=CHUNK // 2)
    with pytest.raises(WireError, match="8 bytes at 0: not the next one"):
        pull.receive(smaller.answer(pull.next_request()))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (offer(), True),
        (offer(round_index=2), False),
        (offer(round_index=4), False),
        (Chunk(b"d" * 16, 0, b"x"), True),
        (Chunk(b"e" * 16, 0, b"x"), False),
        (Unavailable(9), True),
    ],
)
def test_a_late_answer_to_an_earlier_pull_is_not_expected(message, expected):
    pull = Pull(LAYOUT, "b", 3, CHUNK)
    pull.receive(offer())
    assert pull.expects(message) is expected


def test_no_chunk_is_expected_before_the_offer():
    assert not Pull(LAYOUT, "b", 3, CHUNK).expects(Chunk(b"d" * 16, 0, b"x"))


def test_weights_that_are_not_what_the_offer_named_are_refused():
    pull, donor = opened()
    while pull.wants_more:
        chunk = donor.answer(pull.next_request())
        flipped = bytes([chunk.data[0] ^ 1, *chunk.data[1:]]) if chunk.offset == 32 else chunk.data
        pull.receive(Chunk(chunk.digest, chunk.offset, flipped))
    assert pull.done
    with pytest.raises(WireError, match="do not match their digest"):
        pull.weights()


def test_the_digest_is_of_the_bytes_that_arrived():
    pull, donor = opened()
    finish(pull, donor)
    weights = pull.weights()
    flat = b"".join(array.tobytes() for array in weights.tensors.values())
    assert xxhash.xxh3_128_digest(flat) == pull.digest


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    """One NaN would end the run of every honest member of the group."""
    weights = random_weights(LAYOUT)
    tensors = {name: array.copy() for name, array in weights.tensors.items()}
    next(iter(tensors.values())).flat[0] = value
    pull, donor = opened(Weights(weights.mask, tensors))
    finish(pull, donor)
    with pytest.raises(WireError, match="not finite"):
        pull.weights()
