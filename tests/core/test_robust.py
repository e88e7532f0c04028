import numpy as np
import pytest
from hand_layouts import layouts, plain, random_weights, slim_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from prisam_p2p.core.aggregation import aggregate
from prisam_p2p.core.layout import Weights
from prisam_p2p.settings import Aggregation

ROBUST = (Aggregation.MEDIAN, Aggregation.TRIMMED_MEAN)


def with_value(weights, value):
    return Weights(weights.mask, {n: np.full_like(a, value) for n, a in weights.tensors.items()})


def averaged(values, how):
    """Return the average of members, where all weights of a member are one of `values`."""
    layout = plain()
    base = random_weights(layout, seed=0)
    members = {f"p{i}": with_value(base, v) for i, v in enumerate(values)}
    average, _ = aggregate(layout, members, how)
    floats = [a for a in average.tensors.values() if a.dtype.kind == "f"]
    assert all((a == a.flat[0]).all() for a in floats)
    return float(floats[0].flat[0])


@pytest.mark.parametrize(
    ("values", "median", "trimmed"),
    [
        ((3,), 3, 3),
        ((1, 3), 2, 2),
        ((1, 2, 900), 2, 2),
        ((1, 2, 4, -900), 1.5, 1.5),
        ((1, 2, 3, 4, 900), 3, 3),
        ((1, 2, 3, 4, 5, 6, 7, 8, 9, 900), 5.5, 5.5),
        ((0, 0, 0, 8, 8, 8), 4, 4),
    ],
)
def test_averages_match_examples_by_hand(values, median, trimmed):
    assert averaged(values, Aggregation.MEDIAN) == median
    assert averaged(values, Aggregation.TRIMMED_MEAN) == trimmed


@settings(max_examples=40)
@given(st.data(), st.sampled_from(ROBUST))
def test_with_at_most_two_retainers_both_averages_are_the_mean(data, how):
    """Absent values do not count as zeros."""
    layout = data.draw(layouts)
    members = {p: data.draw(slim_weights(layout)) for p in "ab"}
    robust, union = aggregate(layout, members, how)
    mean, same_union = aggregate(layout, members, Aggregation.MEAN)
    assert (union == same_union).all()
    for name, array in mean.tensors.items():
        np.testing.assert_allclose(robust.tensors[name], array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ROBUST)
def test_a_byzantine_minority_cannot_move_the_average_above_the_honest_values(how):
    layout = plain()
    honest = {f"p{i}": random_weights(layout, seed=i) for i in range(4)}
    byzantine = {"z": with_value(honest["p0"], 1e9)}
    average, _ = aggregate(layout, honest | byzantine, how)
    for name, array in average.tensors.items():
        if array.dtype.kind == "f":
            highest = np.max([w.tensors[name] for w in honest.values()], axis=0)
            assert (array <= highest + 1e-6).all(), name
    moved, _ = aggregate(layout, honest | byzantine, Aggregation.MEAN)
    assert max(a.max() for a in moved.tensors.values() if a.dtype.kind == "f") > 1e6


@pytest.mark.parametrize("how", ROBUST)
@pytest.mark.parametrize("factor", [-1, 2])
def test_a_robust_average_resists_attacks_that_a_norm_check_cannot_see(how, factor):
    """Four similar members and one that flips every sign, which keeps its norm, or doubles all."""
    layout = plain()
    base = random_weights(layout, seed=0)

    def near(seed):
        noise = random_weights(layout, seed)
        return Weights(base.mask, {n: a + 0.01 * noise.tensors[n] for n, a in base.tensors.items()})

    honest = {f"p{i}": near(i + 1) for i in range(4)}
    byzantine = Weights(base.mask, {n: factor * a for n, a in base.tensors.items()})

    def off(how):
        average, _ = aggregate(layout, honest | {"z": byzantine}, how)
        return max(
            float(np.abs(average.tensors[t.name] - base.tensors[t.name]).max())
            for t in layout.tensors
            if t.trainable
        )

    assert off(how) < 0.05
    assert off(Aggregation.MEAN) > 0.2
