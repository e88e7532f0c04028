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


def test_by_hand():
    """All weights 1 and 2: whatever both keep, its norm is twice the own one."""
    own, donor = constant(LAYOUT, 1), constant(LAYOUT, 2)
    assert norm_ratios(LAYOUT, own, {"b": donor, "c": own}) == {"b": 2.0, "c": 1.0}
    assert norm_ratios(LAYOUT, slim(own, "1010110"), {"b": slim(donor, "0110011")}) == {"b": 2.0}


def test_only_what_both_keep_counts():
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
        ({"b": 10.0}, "b"),  # of two, the own one is believed
        ({"b": 0.1}, "b"),
        ({"b": 0.0}, "b"),
        ({"b": math.inf}, "b"),
        ({"b": 1.1, "c": 10.0}, "c"),
        ({"b": 10.0, "c": 10.0}, ""),  # most are so: it is I who am small
        ({"b": 10.0, "c": 10.0, "d": 0.9}, "bc"),  # half of them: it is they
        ({"b": 0.01, "c": 1.2, "d": 0.9, "e": 100.0}, "be"),
        ({"b": 5.0, "c": 5.1, "d": 5.2, "e": 50.0}, "e"),  # a newcomer does not refuse them all
        ({"b": 0.0, "c": 0.0}, ""),
    ],
)
def test_who_is_left_out(ratios, out):
    assert "".join(sorted(outliers(ratios, 3.0))) == out


def test_it_says_how_far_off():
    assert outliers({"b": 2.0, "c": 20.0, "d": 2.0}, 3.0) == {"c": 10.0}


@given(
    st.lists(st.floats(0.91, 1.08), min_size=1, max_size=9),
    st.sampled_from([10.0, -10.0, 100.0, 0.1, 0.0]),
    st.data(),
)
def test_among_honest_norms_as_measured_up_to_half_of_liars_are_left_out(honest, factor, data):
    """The measured range, ADR 0019: no honest one is left out, every tenfold one is."""
    ratios = {f"h{i}": ratio for i, ratio in enumerate(honest)}
    n_liars = data.draw(st.integers(0, len(honest) + 1))
    liars = {f"l{i}": abs(factor) * data.draw(st.floats(0.91, 1.08)) for i in range(n_liars)}
    assert set(outliers(ratios | liars, 3.0)) == set(liars)
