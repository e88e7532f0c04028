import pytest

from prisam_p2p.measure.traffic import Count, TrafficCounter, total
from prisam_p2p.wire.messages import Kind

NOTHING = {"messages": 0, "payload": 0, "header": 0}


@pytest.mark.parametrize(
    ("kind", "sizes", "row"),
    [
        (Kind.MASK, [7, 344], ["mask", 1, 344, 7]),
        (Kind.CHUNK, [25, 1000], ["weights", 1, 1000, 25]),
        (Kind.WEIGHTS_OFFER, [30, 344], ["control", 1, 0, 374]),
        (Kind.WEIGHTS_REQUEST, [4], ["control", 1, 0, 4]),
        (Kind.CHUNK_REQUEST, [25], ["control", 1, 0, 25]),
        (Kind.HELLO, [60], ["control", 1, 0, 60]),
        (Kind.BYE, [3], ["control", 1, 0, 3]),
    ],
)
def test_payload_is_mask_bits_and_weights_and_nothing_else(kind, sizes, row):
    counter = TrafficCounter()
    counter.add("out", "b", kind, sizes)
    assert counter.rows() == [["out", "b", *row]]


@pytest.fixture
def counter():
    counter = TrafficCounter()
    counter.add("out", "c", Kind.MASK, [7, 10])
    counter.add("out", "b", Kind.MASK, [7, 10])
    counter.add("out", "b", Kind.MASK, [8, 10])
    counter.add("in", "b", Kind.CHUNK, [25, 1000])
    counter.add("out", "b", Kind.HELLO, [60])
    return counter


def test_rows_are_sorted_sums(counter):
    assert counter.rows() == [
        ["in", "b", "weights", 1, 1000, 25],
        ["out", "b", "control", 1, 0, 60],
        ["out", "b", "mask", 2, 20, 15],
        ["out", "c", "mask", 1, 10, 7],
    ]


def test_rows_do_not_change_with_what_comes_after(counter):
    before = counter.rows()
    counter.add("out", "c", Kind.MASK, [7, 10])
    assert before[-1] == ["out", "c", "mask", 1, 10, 7]


def test_totals_are_over_the_neighbors_of_one_direction(counter):
    assert total(counter.rows(), "out") == {
        "mask": {"messages": 3, "payload": 30, "header": 22},
        "weights": NOTHING,
        "control": {"messages": 1, "payload": 0, "header": 60},
    }
    assert total(counter.rows(), "in")["weights"]["payload"] == 1000


def test_nothing_was_sent():
    assert TrafficCounter().rows() == []
    assert total([], "in") == {"mask": NOTHING, "weights": NOTHING, "control": NOTHING}


def test_counts_add_up():
    count = Count(1, 20, 3)
    count.add(Count(4, 50, 6))
    assert count == Count(5, 70, 9)
