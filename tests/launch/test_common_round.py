import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.launch.past import first_rounds, out_of_step


@pytest.mark.parametrize(
    ("kept", "begin"),
    [
        ({"a": {3, 4}, "b": {3, 4}}, {"a": 4, "b": 4}),
        ({"a": {3, 4}, "b": {2, 3}}, {"a": 3, "b": 3}),  # a goes a round back
        ({"a": {1}, "b": set()}, {"a": 0, "b": 0}),  # one round from W0
        ({"a": {1}, "b": {1, 2}}, {"a": 1, "b": 1}),
        ({"a": set(), "b": set()}, {"a": 0, "b": 0}),
        ({"a": {9, 10}, "b": {8, 9}}, {"a": 9, "b": 9}),  # a had done all 10 rounds
        ({"a": {9, 10}, "b": {9, 10}}, {"a": 9, "b": 9}),
        ({"a": {1, 2, 3}, "b": set()}, {"a": 0, "b": 0}),  # none of b was collected so far
        ({"a": {5, 6}, "b": set()}, {"a": 6, "b": 6}),  # b lost its state: from W0, in round 6
        ({"a": {5, 6}, "b": {5, 6}, "c": {1, 2}}, {"a": 6, "b": 6, "c": 6}),  # c was away
        ({"a": {5, 6}, "b": {3, 4}, "c": {3, 4}}, {"a": 5, "b": 4, "c": 4}),  # a is too far
        ({"a": {3, 7}, "b": {6, 7}, "c": {6, 7}}, {"a": 7, "b": 7, "c": 7}),
        ({}, {}),
    ],
)
def test_all_begin_with_the_latest_round_that_most_can_begin_with(kept, begin):
    assert first_rounds(kept, rounds=10) == begin


@pytest.mark.parametrize(
    ("kept", "begins", "names"),
    [
        ({"a": {3, 4}, "b": {2, 3}}, {"a": 3, "b": 3}, []),
        ({"a": {1, 2}, "b": set()}, {"a": 0, "b": 0}, []),  # from W0
        ({"a": {5, 6}, "b": {5}, "c": {3}}, {"a": 5, "b": 5, "c": 5}, ["c"]),
        ({"a": {5, 6}, "b": {3, 4}, "c": {3, 4}}, {"a": 5, "b": 4, "c": 4}, ["a"]),
        ({}, {}, []),
    ],
)
def test_who_has_no_state_of_the_round_of_the_others_is_named(kept, begins, names):
    assert out_of_step(kept, begins) == names


@given(st.lists(st.integers(0, 1), min_size=1, max_size=8), st.integers(0, 9))
def test_peers_that_are_a_round_apart_lose_at_most_one(ahead, least):
    """Each kept its last two; the least far one loses nothing but what it was at."""
    done = [least + more for more in ahead]
    kept = {str(i): {t for t in (n - 1, n) if t > 0} for i, n in enumerate(done)}
    assert set(first_rounds(kept, rounds=20).values()) == {min(done)}
