"""The adjusted Rand index, beside scikit-learn's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from prisam_p2p.report.groups import mean_rand_index


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_it_is_the_same_to_the_bit(pairs):
    peers = [f"p{n:02}" for n in range(len(pairs))]
    groups = dict(zip(peers, (group for group, _ in pairs), strict=True))
    labels = dict(zip(peers, (label for _, label in pairs), strict=True))
    expected = float(adjusted_rand_score(list(groups.values()), list(labels.values())))
    assert mean_rand_index(groups, [labels]) == expected


def test_two_groups_by_hand():
    """Six peers, one of them in the wrong cluster.

    Ordered pairs: 8 together in both, 4 only by group, 6 only by label, 12 in none:
    2 (8 * 12 - 4 * 6) / (12 * 16 + 14 * 18) = 144 / 444.
    """
    groups = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 1, "f": 1}
    labels = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 1, "f": 1}
    assert mean_rand_index(groups, [labels]) == pytest.approx(144 / 444)
