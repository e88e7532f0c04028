import math

import numpy as np
import pytest
from hand_layouts import constant, plain, random_weights
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.defence import norm_ratios, outliers
from prisam_p2p.core.layout import Weights, narrow

LAYOUT = plain()
TRAINED = [tensor.name for tensor in LAYOUT.tensors if tensor.trainable]


def times(weights, factor, names=TRAINED):
    scaled = {name: weights.tensors[name] * np.float32(factor) for name in names}
    return Weights(weights.mask, weights.tensors | scaled)


def slim(weights, bits):
    return narrow(LAYOUT, weights, np.array([bit == "1" for bit in bits]))


def test_weights_of_twice_the_size_have_ratio_2():
    """All own weights are 1 and the donor's are 2, so any overlap of masks gives 2."""
    own, donor = constant(LAYOUT, 1), constant(LAYOUT, 2)
    assert norm_ratios(LAYOUT, own, {"b": donor, "c": own}) == {"b": 2.0, "c": 1.0}
    assert norm_ratios(LAYOUT, slim(own, "1010110"), {"b": slim(donor, "0110011")}) == {"b": 2.0}


def test_only_weights_that_both_retain_count():
    own = random_weights(LAYOUT, seed=0)
    huge = times(own, 1e6)
    mixed = slim(own, "1110111").tensors | {"linear.bias": own.tensors["linear.bias"]}
    donor = Weights(slim(own, "1110111").mask, mixed)
    assert norm_ratios(LAYOUT, slim(own, "1111111"), {"b": donor}) == {"b": 1.0}
    assert norm_ratios(LAYOUT, own, {"b": slim(huge, "1110111")})["b"] == pytest.approx(1e6)


def test_statistics_and_counters_do_not_count():
    own = random_weights(LAYOUT, seed=0)
    statistics = ["bn1.running_mean", "bn1.running_var"]
    assert norm_ratios(LAYOUT, own, {"b": times(own, 1e6, statistics)}) == {"b": 1.0}


def test_huge_weights_do_not_overflow():
    own = random_weights(LAYOUT, seed=0)
    ratio = norm_ratios(LAYOUT, own, {"b": times(own, 1e37)})["b"]
    assert ratio == pytest.approx(1e37, rel=1e-5)
    assert outliers({"b": ratio}, 3) == {"b": ratio}


@pytest.mark.parametrize(
    ("ratios", "out"),
    [
        ({}, ""),
        ({"b": 1.0}, ""),
        ({"b": 2.9}, ""),
        ({"b": 10.0}, "b"),  # of two members, the own one is trusted
        ({"b": 0.1}, "b"),
        ({"b": 0.0}, "b"),
        ({"b": math.inf}, "b"),
        ({"b": 1.1, "c": 10.0}, "c"),
        ({"b": 10.0, "c": 10.0}, ""),  # a majority: the own norm is the outlier
        ({"b": 10.0, "c": 10.0, "d": 0.9}, "bc"),  # half of the members: they are outliers
        ({"b": 0.01, "c": 1.2, "d": 0.9, "e": 100.0}, "be"),
        # a peer that just joined differs from all: it accepts the majority
        ({"b": 5.0, "c": 5.1, "d": 5.2, "e": 50.0}, "e"),
        ({"b": 0.0, "c": 0.0}, ""),
    ],
)
def test_donors_far_from_the_median_are_outliers(ratios, out):
    assert "".join(sorted(outliers(ratios, 3.0))) == out


def test_outliers_carry_their_ratio_to_the_median():
    assert outliers({"b": 2.0, "c": 20.0, "d": 2.0}, 3.0) == {"c": 10.0}


@given(
    st.lists(st.floats(0.91, 1.08), min_size=1, max_size=9),
    st.sampled_from([10.0, -10.0, 100.0, 0.1, 0.0]),
    st.data(),
)
def test_up_to_half_byzantine_members_are_outliers_and_no_honest_one_is(honest, factor, data):
    """Honest ratios lie in the range that decision 0019 measured; attacks scale by ten or more."""
    ratios = {f"h{i}": ratio for i, ratio in enumerate(honest)}
    n_byzantine = data.draw(st.integers(0, len(honest) + 1))
    byzantine = {
        f"z{i}": abs(factor) * data.draw(st.floats(0.91, 1.08)) for i in range(n_byzantine)
    }
    assert set(outliers(ratios | byzantine, 3.0)) == set(byzantine)
