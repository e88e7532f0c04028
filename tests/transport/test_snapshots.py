import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.core.layout import FLOAT16, narrow, pack, unpack
from prisam_p2p.transport.snapshots import KEPT_ROUNDS, SnapshotStore, part_of, snapshot_of
from prisam_p2p.wire.messages import (
    Chunk,
    ChunkRequest,
    Unavailable,
    WeightsRequest,
    WireDtype,
)

LAYOUT = one_layer()
KEPT = np.array([True, False, True, True, False])


def snapshot(round_index, seed=None):
    weights = random_weights(LAYOUT, seed=round_index if seed is None else seed, mask=KEPT)
    return snapshot_of(LAYOUT, round_index, weights)


def store_of(*rounds, chunk_bytes=16):
    store = SnapshotStore(LAYOUT, chunk_bytes)
    for round_index in rounds:
        store.publish(snapshot(round_index))
    return store


def test_a_snapshot_names_its_round_its_mask_and_its_bytes():
    weights = random_weights(LAYOUT, mask=KEPT)
    frozen = snapshot_of(LAYOUT, 7, weights)
    assert frozen.offer.round_index == 7
    assert (frozen.offer.n_bits, frozen.offer.bits) == (5, bytes([0b10110000]))
    assert bytes(frozen.buffer) == bytes(pack(LAYOUT, weights))
    assert frozen.offer.digest == xxhash.xxh3_128_digest(frozen.buffer)


def test_a_snapshot_does_not_change_with_the_weights_it_is_of():
    weights = random_weights(LAYOUT)
    frozen = snapshot_of(LAYOUT, 0, weights)
    before = bytes(frozen.buffer)
    for array in weights.tensors.values():
        array[...] = 0
    assert bytes(frozen.buffer) == before
    assert frozen.buffer.readonly


def test_an_empty_store_has_nothing():
    assert store_of().answer(WeightsRequest(0)) == Unavailable(0)
    assert store_of().answer(ChunkRequest(b"d" * 16, 0, 1)) == Unavailable(0)


@pytest.mark.parametrize(
    ("asked", "round_index"), [(3, None), (4, 4), (5, 5), (6, None), (0, None)]
)
def test_the_latest_two_rounds_are_offered(asked, round_index):
    answer = store_of(3, 4, 5).answer(WeightsRequest(asked))
    expected = Unavailable(5) if round_index is None else snapshot(round_index).offer
    assert answer == expected
    assert KEPT_ROUNDS == 2


@pytest.mark.parametrize(
    ("offset", "length", "begin", "end"),
    [
        (0, 16, 0, 16),
        (0, 1, 0, 1),
        (5, 3, 5, 8),
        (16, 99, 16, 32),  # at most a chunk
        (0, 2**60, 0, 16),
        (108, 16, 108, 124),
        (123, 16, 123, 124),  # what is left
    ],
)
def test_a_chunk_is_those_bytes_and_no_more(offset, length, begin, end):
    store, wanted = store_of(3, 4), snapshot(3)
    assert len(wanted.buffer) == 124
    answer = store.answer(ChunkRequest(wanted.offer.digest, offset, length))
    assert answer == Chunk(wanted.offer.digest, offset, wanted.buffer[begin:end])


def test_a_chunk_is_not_copied():
    store, frozen = store_of(), snapshot(0)
    store.publish(frozen)
    answer = store.answer(ChunkRequest(frozen.offer.digest, 4, 8))
    assert isinstance(answer.data, memoryview)
    assert answer.data.obj is frozen.buffer.obj


@pytest.mark.parametrize("offset", [124, 125, 2**63])
def test_there_is_nothing_behind_the_end(offset):
    request = ChunkRequest(snapshot(3).offer.digest, offset, 16)
    assert store_of(3, 4).answer(request) == Unavailable(4)


def test_chunks_go_by_content_not_by_round():
    """Two rounds of equal weights: the digest serves both."""
    store = store_of(3)
    store.publish(snapshot(4, seed=3))
    first, second = (store.answer(WeightsRequest(t)) for t in (3, 4))
    assert first.digest == second.digest
    assert store.answer(ChunkRequest(first.digest, 0, 16)).data == snapshot(3).buffer[:16]


def test_chunks_of_a_forgotten_round_are_gone():
    request = ChunkRequest(snapshot(3).offer.digest, 0, 16)
    assert isinstance(store_of(3, 4).answer(request), Chunk)
    assert store_of(3, 4, 5).answer(request) == Unavailable(5)


def test_a_snapshot_in_half_precision_says_so():
    weights = random_weights(LAYOUT, mask=KEPT)
    frozen = snapshot_of(LAYOUT, 7, weights, WireDtype.FLOAT16)
    assert frozen.offer.dtype is WireDtype.FLOAT16
    assert bytes(frozen.buffer) == bytes(pack(LAYOUT, weights, FLOAT16))
    assert frozen.offer.digest == xxhash.xxh3_128_digest(frozen.buffer)


# -- parts -----------------------------------------------------------------------------------

any_mask = st.lists(st.booleans(), min_size=5, max_size=5).map(np.array)


@given(any_mask, any_mask, st.sampled_from(WireDtype))
def test_a_part_is_what_both_keep(kept, wanted, dtype):
    weights = random_weights(LAYOUT, mask=kept)
    whole = snapshot_of(LAYOUT, 7, weights, dtype)
    part = part_of(LAYOUT, whole, pack_bits(wanted))
    assert part == snapshot_of(LAYOUT, 7, narrow(LAYOUT, weights, kept & wanted), dtype)


def test_a_part_of_all_is_the_snapshot_itself():
    """Its digest too: a requester that has it does not fetch it again."""
    whole = snapshot(3)
    assert part_of(LAYOUT, whole, pack_bits(LAYOUT.full_mask())) == whole


def test_a_part_is_offered_and_its_chunks_too():
    store, wanted = store_of(3), np.array([True, True, False, False, False])
    offer = store.answer(WeightsRequest(3, 5, pack_bits(wanted)))
    assert offer.bits == pack_bits(KEPT & wanted)
    chunks, offset = b"", 0
    while isinstance(chunk := store.answer(ChunkRequest(offer.digest, offset, 16)), Chunk):
        chunks += chunk.data
        offset += len(chunk.data)
        assert store.ends_at(chunk) is (offset == LAYOUT.n_bytes(KEPT & wanted))
    slim = unpack(LAYOUT, KEPT & wanted, chunks)
    assert slim.tensors["bn.weight"] == random_weights(LAYOUT, 3, KEPT).tensors["bn.weight"][0]


def test_a_mask_of_another_network_gets_nothing():
    assert store_of(3).answer(WeightsRequest(3, 6, b"\xfc")) == Unavailable(3)


def test_the_whole_and_its_parts_end_each_at_its_own_end():
    store = store_of(3)
    whole = snapshot(3)
    last = store.answer(ChunkRequest(whole.offer.digest, 123, 16))
    assert store.ends_at(last)
    assert not store.ends_at(store.answer(ChunkRequest(whole.offer.digest, 0, 16)))
    assert not store.ends_at(Chunk(b"d" * 16, 108, bytes(16)))


def test_no_more_parts_are_kept_than_most_parts():
    """Whoever asks for ever other parts makes the donor hold only the last of them."""
    channels = 40
    layout = one_layer(channels)
    store = SnapshotStore(layout, 2**20, most_parts=16)
    store.publish(snapshot_of(layout, 0, random_weights(layout)))
    digests = [store.answer(part).digest for part in parts_of(channels)]
    assert len(set(digests)) == channels
    answers = [store.answer(ChunkRequest(digest, 0, 1)) for digest in digests]
    assert [isinstance(a, Chunk) for a in answers] == [False] * 24 + [True] * 16


def parts_of(channels):
    return [
        WeightsRequest(0, channels, pack_bits(np.arange(channels) == i)) for i in range(channels)
    ]


def test_a_part_that_is_being_pulled_is_kept_while_others_come():
    layout = one_layer(40)
    store = SnapshotStore(layout, 2**20, most_parts=4)
    store.publish(snapshot_of(layout, 0, random_weights(layout)))
    slow, *others = parts_of(40)
    digest = store.answer(slow).digest
    for other in others:
        store.answer(other)
        assert isinstance(store.answer(ChunkRequest(digest, 0, 1)), Chunk)


def test_for_a_requester_that_must_wait_no_part_is_made():
    layout = one_layer(40)
    store = SnapshotStore(layout, 2**20, most_parts=1)
    store.publish(snapshot_of(layout, 0, random_weights(layout)))
    served, waits, *_ = parts_of(40)
    digest = store.answer(served).digest
    assert store.has(waits)
    assert isinstance(store.answer(ChunkRequest(digest, 0, 1)), Chunk)
    assert not store.has(WeightsRequest(1))
    assert not store.has(WeightsRequest(0, 41, bytes(6)))


def test_a_part_that_is_asked_for_again_is_not_made_again():
    store = store_of(3)
    request = WeightsRequest(3, 5, b"\x80")
    first, second = store.answer(request), store.answer(request)
    assert first is second
