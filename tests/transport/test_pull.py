from collections import deque

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.core.layout import FLOAT16, FLOAT32, Weights, narrow
from prisam_p2p.errors import WireError
from prisam_p2p.transport.pull import WINDOW_CHUNKS, Pull, Unfit
from prisam_p2p.transport.snapshots import SnapshotStore, snapshot_of
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    WireDtype,
)

CHUNK = 16
LAYOUT = one_layer()  # 196 bytes dense: twelve chunks and a quarter
KEPT = np.array([True, False, True, True, False])


def donor_of(weights, round_index=3, chunk_bytes=CHUNK, dtype=WireDtype.FLOAT32):
    store = SnapshotStore(LAYOUT, chunk_bytes)
    store.publish(snapshot_of(LAYOUT, round_index, weights, dtype))
    return store


def opened(weights=None, dtype=WireDtype.FLOAT32, **kwargs):
    """A pull of round 3 whose offer is here, and its donor."""
    donor = donor_of(weights or random_weights(LAYOUT), dtype=dtype)
    pull = Pull(LAYOUT, "b", 3, CHUNK, **kwargs)
    pull.receive(donor.answer(pull.first_request()))
    return pull, donor


def finish(pull, donor):
    while pull.wants_more:
        pull.receive(donor.answer(pull.next_request()))


def offer(mask=None, digest=b"d" * 16, round_index=3, dtype=WireDtype.FLOAT32):
    mask = LAYOUT.full_mask() if mask is None else mask
    return WeightsOffer(round_index, digest, len(mask), pack_bits(mask), dtype)


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


@pytest.mark.parametrize(
    ("answers", "check"),
    [
        ([offer(np.ones(6, np.bool_))], "shape"),
        ([offer(), Chunk(b"d" * 16, 0, bytes(15))], "shape"),
        ([offer(), Chunk(b"d" * 16, 16, bytes(16))], ""),  # one before it was lost
        ([offer(), offer()], ""),
        ([Unavailable(2)], ""),
    ],
)
def test_what_the_donor_got_wrong_is_told_from_what_went_wrong(answers, check):
    pull = Pull(LAYOUT, "b", 3, CHUNK)
    for answer in answers[:-1]:
        pull.receive(answer)
    with pytest.raises(WireError) as lost:
        pull.receive(answers[-1])
    assert getattr(lost.value, "check", "") == check


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
    with pytest.raises(Unfit, match="do not match their digest"):
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
    with pytest.raises(Unfit, match="not finite"):
        pull.weights()


# -- after an interruption -------------------------------------------------------------------


def interrupted(n_chunks):
    """A pull with its window asked for and `n_chunks` of it here, and its donor."""
    pull, donor = opened()
    asked = [pull.next_request() for _ in range(WINDOW_CHUNKS)]
    for request in asked[:n_chunks]:
        pull.receive(donor.answer(request))
    return pull, donor


@pytest.mark.parametrize("n_chunks", range(WINDOW_CHUNKS + 1))
def test_a_pull_goes_on_where_it_was(n_chunks):
    pull, donor = interrupted(n_chunks)
    assert pull.first_request() == WeightsRequest(3)
    assert not pull.wants_more  # before the donor said what it offers now
    pull.receive(donor.answer(pull.first_request()))
    assert pull.next_request().offset == n_chunks * CHUNK
    pull.receive(donor.answer(ChunkRequest(pull.digest, n_chunks * CHUNK, CHUNK)))
    finish(pull, donor)
    assert pull.fetched_bytes == pull.n_bytes
    assert same(pull.weights(), random_weights(LAYOUT))


def test_what_came_late_on_the_old_connection_is_not_fetched_again():
    pull, donor = interrupted(1)
    pull.first_request()
    pull.receive(donor.answer(ChunkRequest(pull.digest, CHUNK, CHUNK)))
    pull.receive(donor.answer(WeightsRequest(3)))
    assert pull.next_request().offset == 2 * CHUNK


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": random_weights(LAYOUT, seed=1)},
        {"weights": random_weights(LAYOUT, mask=KEPT)},
        {"weights": random_weights(LAYOUT), "dtype": WireDtype.FLOAT16},
    ],
)
def test_a_donor_that_offers_something_else_is_pulled_from_the_start(changed):
    pull, _ = interrupted(2)
    donor = donor_of(**changed)
    pull.receive(donor.answer(pull.first_request()))
    assert not pull.done
    finish(pull, donor)
    same_donor = donor_of(**changed)
    anew = Pull(LAYOUT, "b", 3, CHUNK)
    anew.receive(same_donor.answer(anew.first_request()))
    finish(anew, same_donor)
    assert same(pull.weights(), anew.weights())
    assert pull.fetched_bytes == 2 * CHUNK + pull.n_bytes


def test_one_offer_a_request():
    pull, donor = interrupted(1)
    for _ in range(2):
        pull.receive(donor.answer(pull.first_request()))
    with pytest.raises(WireError, match="a second offer of round 3"):
        pull.receive(donor.answer(WeightsRequest(3)))


# -- what is here already --------------------------------------------------------------------


def test_what_is_held_is_not_fetched():
    before, donor = opened()
    finish(before, donor)
    kept = {before.digest: before.buffer}
    pull = Pull(LAYOUT, "b", 3, CHUNK, held=kept.get)
    pull.receive(donor.answer(pull.first_request()))
    assert pull.done
    assert not pull.wants_more
    assert (pull.fetched_bytes, pull.n_bytes) == (0, 196)
    assert same(pull.weights(), random_weights(LAYOUT))


def test_a_buffer_of_another_length_is_not_taken_for_it():
    """Whoever names another's digest with another mask gains nothing."""
    pull = Pull(LAYOUT, "b", 3, CHUNK, held=lambda _digest: bytearray(196))
    pull.receive(offer(KEPT))
    assert not pull.done
    assert pull.n_bytes == LAYOUT.n_bytes(KEPT)


def test_what_is_held_must_match_its_digest_all_the_same():
    pull = Pull(LAYOUT, "b", 3, CHUNK, held=lambda _digest: bytearray(196))
    pull.receive(offer())
    assert pull.done
    with pytest.raises(Unfit, match="do not match their digest"):
        pull.weights()


# -- only what both keep ---------------------------------------------------------------------

WANTED = np.array([True, True, False, True, False])


def test_an_overlap_pull_fetches_what_both_keep():
    weights = random_weights(LAYOUT, mask=KEPT)
    pull, donor = opened(weights, wanted=WANTED)
    assert pull.first_request() == WeightsRequest(3, 5, bytes([0b11010000]))
    pull.receive(donor.answer(pull.first_request()))
    finish(pull, donor)
    assert pull.fetched_bytes == LAYOUT.n_bytes(KEPT & WANTED) < LAYOUT.n_bytes(KEPT)
    assert same(pull.weights(), narrow(LAYOUT, weights, KEPT & WANTED))


def test_an_overlap_may_be_empty():
    pull, donor = opened(random_weights(LAYOUT, mask=KEPT), wanted=~KEPT)
    finish(pull, donor)
    assert not pull.weights().mask.any()


@pytest.mark.parametrize("offered", [KEPT, LAYOUT.full_mask(), ~WANTED])
def test_an_offer_beyond_what_is_wanted_is_refused(offered):
    pull = Pull(LAYOUT, "b", 3, CHUNK, WANTED)
    with pytest.raises(WireError, match="channels that were not asked for"):
        pull.receive(offer(offered))


# -- half the width --------------------------------------------------------------------------


def test_half_the_width_is_half_the_bytes_and_a_thousandth_off():
    weights = random_weights(LAYOUT, mask=KEPT)
    pull, donor = opened(weights, WireDtype.FLOAT16)
    finish(pull, donor)
    assert pull.n_bytes == LAYOUT.n_bytes(KEPT, FLOAT16) < LAYOUT.n_bytes(KEPT) * 0.6
    for name, array in pull.weights().tensors.items():
        assert array.dtype == weights.tensors[name].dtype
        np.testing.assert_allclose(array, weights.tensors[name], rtol=1e-3, atol=2.0**-25)


def test_what_half_the_width_cannot_hold_arrives_as_the_most_that_it_can():
    weights = random_weights(LAYOUT)
    weights.tensors["bn.weight"][:] = np.float32([1e9, -1e9, 65505, 1, -1])
    pull, donor = opened(weights, WireDtype.FLOAT16)
    finish(pull, donor)
    arrived = pull.weights().tensors["bn.weight"]
    assert arrived.dtype == FLOAT32
    assert arrived.tolist() == [65504, -65504, 65504, 1, -1]


def test_an_infinity_in_half_the_width_is_refused_too():
    weights = random_weights(LAYOUT)
    buffer = bytearray(snapshot_of(LAYOUT, 3, weights, WireDtype.FLOAT16).buffer)
    buffer[:2] = np.float16(np.inf).tobytes()
    digest = xxhash.xxh3_128_digest(buffer)
    pull = Pull(LAYOUT, "b", 3, len(buffer))
    pull.receive(offer(digest=digest, dtype=WireDtype.FLOAT16))
    pull.receive(Chunk(digest, 0, buffer))
    with pytest.raises(WireError, match=r"conv\.weight is not finite"):
        pull.weights()
