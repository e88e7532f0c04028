import pytest

from prisam_p2p.measure.traffic import BEFORE_ROUNDS, KINDS, TrafficCounter
from prisam_p2p.wire.messages import Kind


@pytest.mark.parametrize(
    ("kind", "sizes", "row"),
    [
        (Kind.MASK, [7, 344], ["mask", 1, 344, 7, 2 + 9, 1]),
        (Kind.MASK, [9], ["mask", 1, 0, 9, 2, 1]),  # no change: no second frame
        (Kind.MASK_REQUEST, [4], ["control", 1, 0, 4, 2, 1]),
        (Kind.CHUNK, [25, 1000], ["weights", 1, 1000, 25, 2 + 9, 1]),
        (Kind.CHUNK, [25, 1448], ["weights", 1, 1448, 25, 2 + 9, 2]),
        (Kind.WEIGHTS_OFFER, [30, 344], ["weights", 1, 0, 374, 2 + 9, 1]),
        (Kind.WEIGHTS_REQUEST, [4], ["request", 1, 0, 4, 2, 1]),
        (Kind.WEIGHTS_REQUEST, [6, 344], ["request", 1, 0, 350, 2 + 9, 1]),
        (Kind.CHUNK_REQUEST, [25], ["request", 1, 0, 25, 2, 1]),
        (Kind.HELLO, [60], ["hello", 1, 0, 60, 2, 1]),
        (Kind.WELCOME, [3], ["hello", 1, 0, 3, 2, 1]),
        (Kind.REFUSE, [20], ["hello", 1, 0, 20, 2, 1]),
        (Kind.UNAVAILABLE, [3], ["control", 1, 0, 3, 2, 1]),
        (Kind.BUSY, [4], ["control", 1, 0, 4, 2, 1]),
        (Kind.BYE, [3], ["control", 1, 0, 3, 2, 1]),
        (None, [5, 300], ["control", 1, 0, 305, 2 + 9, 1]),
    ],
)
def test_payload_is_mask_bits_and_weights_and_nothing_else(kind, sizes, row):
    counter = TrafficCounter()
    counter.add(4, "out", kind, sizes)
    carried, *counts = row
    assert counter.changed_rows() == [[4, "out", carried, BEFORE_ROUNDS, *counts]]
    assert carried in KINDS
    assert counter.payload == {"out": row[2], "in": 0}


@pytest.fixture
def counter():
    counter = TrafficCounter()
    counter.add(2, "out", Kind.HELLO, [60])
    counter.round_index = 0
    counter.add(10, "out", Kind.MASK, [7, 10])
    counter.add(2, "out", Kind.MASK, [7, 10])
    counter.add(2, "out", Kind.MASK, [8, 10])
    counter.add(2, "in", Kind.CHUNK, [25, 3000])
    counter.round_index = 1
    counter.add(2, "out", Kind.MASK, [9])
    return counter


def test_rows_are_sorted_sums(counter):
    assert counter.changed_rows() == [
        [2, "in", "weights", 0, 1, 3000, 25, 11, 3],
        [2, "out", "hello", -1, 1, 0, 60, 2, 1],
        [2, "out", "mask", 0, 2, 20, 15, 8, 2],
        [2, "out", "mask", 1, 1, 0, 9, 2, 1],
        [10, "out", "mask", 0, 1, 10, 7, 4, 1],
    ]


def test_a_row_comes_again_when_it_grew_and_then_whole(counter):
    counter.changed_rows()
    assert counter.changed_rows() == []
    counter.add(2, "out", Kind.MASK, [9])
    counter.add(2, "in", Kind.MASK, [7, 10])
    assert counter.changed_rows() == [
        [2, "in", "mask", 1, 1, 10, 7, 4, 1],
        [2, "out", "mask", 1, 2, 0, 18, 4, 2],
    ]


def test_rows_do_not_change_with_what_comes_after(counter):
    before = counter.changed_rows()
    counter.add(2, "out", Kind.MASK, [9])
    assert before[3] == [2, "out", "mask", 1, 1, 0, 9, 2, 1]


class Interrupted(int):
    """A size whose addition lets another thread in."""

    def __new__(cls, size, then):
        self = super().__new__(cls, size)
        self.then = then
        return self

    def __radd__(self, other):
        self.then()
        return Interrupted(int(self) + other, self.then)


def test_a_row_that_was_read_half_added_comes_again():
    counter, early = TrafficCounter(), []
    payload = Interrupted(1000, lambda: early.extend(counter.changed_rows()))
    counter.add(1, "in", Kind.CHUNK, [25, 10])
    counter.add(1, "in", Kind.CHUNK, [25, payload])
    assert early
    assert counter.changed_rows() == [[1, "in", "weights", -1, 2, 1010, 50, 15, 2]]


def test_bytes_out_are_what_was_handed_over(counter):
    assert counter.bytes_out() == 60 + 17 + 17 + 18 + 9
    assert counter.payload == {"out": 3 * 10, "in": 3000}


def test_nothing_was_sent():
    counter = TrafficCounter()
    assert counter.changed_rows() == []
    assert counter.bytes_out() == 0
