from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.peer.round_book import MAX_EARLY, RoundBook, Verdict, reached_by_half


def announce(round_index, bits="10110"):
    return round_index, PackedMask.pack(np.array([bit == "1" for bit in bits]))


def book_of(*neighbors, at=0):
    book = RoundBook(neighbors, n_bits=5)
    book.open(at)
    return book


@pytest.mark.parametrize(
    ("sender", "message", "verdict"),
    [
        ("a", announce(3), Verdict.ACCEPTED),
        ("a", announce(4), Verdict.EARLY),
        ("a", announce(2), Verdict.STALE),
        ("b", announce(3), Verdict.DUPLICATE),
        ("b", announce(3, "00001"), Verdict.DUPLICATE),  # the first one stands
        ("b", announce(5), Verdict.DUPLICATE),
        ("z", announce(3), Verdict.STRANGER),
        ("z", announce(2, "101101"), Verdict.STRANGER),  # who comes before what
        ("a", announce(3, "101101"), Verdict.MISMATCHED),
        ("a", announce(2, "101101"), Verdict.MISMATCHED),
        ("a", (3, PackedMask(0, b"")), Verdict.MISMATCHED),  # of an algorithm without masks
    ],
)
def test_verdicts(sender, message, verdict):
    book = book_of("a", "b", at=3)
    assert book.receive("b", *announce(3)) is Verdict.ACCEPTED
    assert book.receive("b", *announce(5)) is Verdict.EARLY
    before = book.masks()
    assert book.receive(sender, *message) is verdict
    after = book.masks()
    assert (after == before) is (verdict is not Verdict.ACCEPTED)
    assert after["b"].unpack().tolist() == [True, False, True, True, False]


def test_masks_are_sorted_by_sender():
    book = book_of("a", "b", "c")
    for sender in "cab":
        book.receive(sender, *announce(0))
    assert list(book.masks()) == ["a", "b", "c"]


def test_an_early_mask_counts_when_its_round_opens():
    book = book_of("a", "b")
    assert book.receive("a", *announce(2, "00111")) is Verdict.EARLY
    assert book.masks() == {}
    book.open(1)
    assert book.masks() == {}
    book.open(2)
    assert book.masks()["a"].unpack().tolist() == [False, False, True, True, True]
    assert book.receive("a", *announce(2)) is Verdict.DUPLICATE


def test_an_opened_round_forgets_what_was_older():
    book = book_of("a")
    book.receive("a", *announce(0))
    book.open(1)
    assert book.masks() == {}
    assert book.receive("a", *announce(0)) is Verdict.STALE
    assert book.awaited() == {"a"}


def test_rounds_go_forward():
    book = book_of("a", at=3)
    book.receive("a", *announce(3))
    book.open(3)  # the same once more changes nothing
    assert list(book.masks()) == ["a"]
    with pytest.raises(ValueError, match="round 2 after 3"):
        book.open(2)


def test_awaited_are_those_whose_mask_can_still_come():
    book = book_of("a", "b", "c", "d")
    assert book.awaited() == {"a", "b", "c", "d"}
    book.receive("a", *announce(0))
    book.leave("b", "closed")
    assert book.awaited() == {"c", "d"}
    book.receive("c", *announce(1))
    assert book.awaited() == {"d"}


def test_one_that_is_ahead_is_not_awaited_until_the_book_is_past_it():
    book = book_of("a")
    book.receive("a", *announce(1))
    assert book.awaited() == set()
    assert book.missing("late") == {"a": "is past this round"}
    book.open(1)
    assert book.awaited() == set()
    book.open(2)
    assert book.awaited() == {"a"}


def test_one_that_left_is_awaited_again_when_it_joined():
    book = book_of("a", "b")
    book.leave("a", "closed")
    book.join("a")
    book.join("b")  # it never left
    assert book.awaited() == {"a", "b"}
    assert book.missing("late") == {"a": "late", "b": "late"}


def test_the_mask_of_one_that_left_still_counts():
    book = book_of("a")
    book.receive("a", *announce(0))
    book.leave("a", "closed")
    assert list(book.masks()) == ["a"]
    assert book.missing("late") == {}
    book.open(1)
    assert book.missing("late") == {"a": "closed"}
    assert book.receive("a", *announce(1)) is Verdict.ACCEPTED


def test_missing_says_why():
    book = book_of("d", "c", "b", "a")
    book.receive("a", *announce(0))
    book.receive("b", *announce(2))
    book.leave("c", "said goodbye")
    book.leave("c", "closed")  # the first reason is the reason
    missing = book.missing("late")
    assert missing == {"b": "is past this round", "c": "said goodbye", "d": "late"}
    assert list(missing) == ["b", "c", "d"]


def test_one_that_left_and_is_ahead_is_missing_because_it_left():
    book = book_of("a")
    book.receive("a", *announce(1))
    book.leave("a", "closed")
    assert book.missing("late") == {"a": "closed"}


def test_early_masks_of_a_neighbor_are_bounded():
    book = book_of("a", "b")
    verdicts = [book.receive("a", *announce(t)) for t in range(1, MAX_EARLY + 3)]
    assert verdicts == [Verdict.EARLY] * MAX_EARLY + [Verdict.TOO_EARLY] * 2
    assert book.receive("b", *announce(MAX_EARLY + 2)) is Verdict.EARLY  # a bound for each
    book.open(1)  # one of the four counts now
    assert book.receive("a", *announce(MAX_EARLY + 1)) is Verdict.EARLY
    assert book.receive("a", *announce(MAX_EARLY + 2)) is Verdict.TOO_EARLY


def test_who_is_absent_is_waited_for_once_it_joins():
    book = book_of("a", "b", "c")
    book.leave_all_but(["a"], "is not there yet")
    book.open(0)
    assert book.awaited() == {"a"}
    assert book.missing("late") == {
        "a": "late", "b": "is not there yet", "c": "is not there yet"
    }  # fmt: skip
    book.join("b")
    assert book.awaited() == {"a", "b"}


steps = st.lists(
    st.tuples(st.just("open"), st.integers(0, 2))
    | st.tuples(st.sampled_from("abz"), st.integers(0, 12)),
    max_size=60,
)


@given(steps)
def test_a_mask_counts_at_most_once_and_storage_is_bounded(steps):
    book, at, taken = book_of("a", "b"), 0, Counter()
    for who, number in steps:
        if who == "open":
            at += number
            book.open(at)
            continue
        verdict = book.receive(who, *announce(number))
        if verdict in (Verdict.ACCEPTED, Verdict.EARLY):
            taken[who, number] += 1
            assert (verdict is Verdict.ACCEPTED) == (number == at)
            assert number >= at
        ahead = [t for sender, t in taken if sender == who and t > at]
        assert len(ahead) <= MAX_EARLY
        assert set(book.masks()) == {sender for sender, t in taken if t == at}
        assert book.awaited() | set(book.missing("late")) == set(book.missing("late"))
    assert max(taken.values(), default=0) <= 1
    assert not any(sender == "z" for sender, _ in taken)


def test_where_there_are_no_masks_one_is_mismatched_and_none_is_heard():
    book = RoundBook(["a", "b"], n_bits=0)
    book.open(0)
    assert book.receive("a", 0, PackedMask(0, b"")) is Verdict.ACCEPTED
    assert book.receive("b", *announce(0)) is Verdict.MISMATCHED
    assert {peer: mask.n_bits for peer, mask in book.masks().items()} == {"a": 0}
    assert book.awaited() == {"b"}


@pytest.mark.parametrize(
    ("latest", "reached"),
    [([], 0), ([3], 3), ([2, 4], 4), ([1, 1, 99], 1), ([0, 5, 5, 6], 5), ([7, 0, 0, 0], 0)],
)
def test_the_round_that_half_of_the_neighbors_reached(latest, reached):
    assert reached_by_half(dict(enumerate(latest))) == reached
