from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.participation import EVERYBODY, Participation, participants

SIX = [f"p{i:02d}" for i in range(6)]


@pytest.mark.parametrize(
    ("asked", "of", "n"),
    [
        (None, 6, 6),
        (0.5, 200, 100),
        (100, 200, 100),
        (0.5, 5, 3),  # half up
        (0.25, 6, 2),
        (0.01, 6, 1),  # at least one
        (0.999, 6, 6),
        (1, 6, 1),  # a count
        (6, 6, 6),
    ],
)
def test_a_share_or_a_count_of_peers(asked, of, n):
    assert participants(asked, of) == n


@pytest.mark.parametrize("asked", [0, -1, 2.5, 7])
def test_what_is_no_number_of_six_peers(asked):
    with pytest.raises(ValueError, match="peers"):
        participants(asked, 6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 20), st.permutations(SIX))
def test_exactly_n_take_part_and_all_in_the_first_and_the_last_round(seed, n, rounds, order):
    one = Participation(SIX, n, seed, rounds)
    other = Participation(order, n, seed, rounds)  # of another peer, which lists them otherwise
    for t in range(rounds):
        there = one.among(SIX, t)
        assert len(there) == (6 if t in (0, rounds - 1) else n)
        assert there == other.among(SIX, t)
        assert one.among(SIX[:2], t) == there & set(SIX[:2])


def test_the_draw_depends_on_seed_and_round():
    def drawn(seed, t):
        return Participation(SIX, 3, seed, 1000).among(SIX, t)

    assert {*map(frozenset, (drawn(0, t) for t in range(1, 200)))} > {frozenset(drawn(0, 1))}
    assert [drawn(0, t) for t in range(1, 50)] != [drawn(1, t) for t in range(1, 50)]


def test_all_peers_are_drawn_equally_often():
    n = 4000
    drawn = Participation(SIX, 2, 7, n + 2)
    seen = Counter(peer for t in range(1, n + 1) for peer in drawn.among(SIX, t))
    assert all(abs(seen[peer] - n / 3) < 150 for peer in SIX)  # five standard deviations


def test_the_next_round_and_the_rounds_that_are_sat_out():
    drawn = Participation(SIX, 1, 3, 30)
    for peer in SIX:
        takes = [t for t in range(30) if drawn.takes_part(peer, t)]
        assert drawn.sat_out(peer) == 30 - len(takes)
        for t in range(30):
            assert drawn.next_round(peer, t) == min(x for x in takes if x >= t)


def test_where_all_take_part_it_does_not_matter_who_they_are():
    assert EVERYBODY.of_all
    assert EVERYBODY.takes_part("anyone", 7)
    assert EVERYBODY.among(["a"], 7) == {"a"}
    assert Participation(SIX, 6, 0, 5).of_all
    assert not Participation(SIX, 5, 0, 5).of_all
