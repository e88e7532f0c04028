import math

import numpy as np
import pytest
from hand_layouts import constant, plain, random_weights, tensor

from prisam_p2p.core.entrywise import entries_of, entrywise
from prisam_p2p.core.erk import drop_and_regrow, drop_rate, erk_densities, erk_mask
from prisam_p2p.core.layout import Layout


def test_densities_match_an_example_by_hand():
    """a has 100 entries of score 20 / 100, b has 4 of score 4 / 4; half of 104 is 52.

    The scale 52 / (0.2 * 100 + 1 * 4) = 2.17 exceeds 1 for b: b stays whole, and a keeps
    52 - 4 = 48 of its 100.
    """
    assert erk_densities({"a": (10, 10), "b": (4,)}, 0.5) == {"a": pytest.approx(0.48), "b": 1.0}


def test_without_whole_tensors_densities_are_proportional_to_the_scores():
    """(2 + 50) / 100 and (10 + 10) / 100: 20 of 200 entries are 20 / (52 + 20) of each score."""
    found = erk_densities({"a": (2, 50), "b": (10, 10)}, 0.1)
    assert found == {"a": pytest.approx(0.52 * 20 / 72), "b": pytest.approx(0.2 * 20 / 72)}


@pytest.mark.parametrize("density", [0.05, 0.2, 0.5, 0.8, 1.0])
def test_the_density_is_that_of_all_tensors_together(density):
    shapes = {"c1": (16, 1, 3, 3), "bn": (16,), "c2": (64, 16, 3, 3), "fc": (10, 64), "b": (10,)}
    found = erk_densities(shapes, density)
    kept = sum(found[name] * math.prod(shape) for name, shape in shapes.items())
    assert kept == pytest.approx(density * sum(math.prod(s) for s in shapes.values()))
    assert all(0 < share <= 1 for share in found.values())
    assert found["c2"] <= found["fc"] <= found["bn"]


def test_a_mask_keeps_its_share_of_each_tensor_at_random():
    layout = entrywise(Layout((), (tensor("a", (10, 10)), tensor("b", (4,)))))
    one, same, other = (erk_mask(layout, 0.5, seed) for seed in (0, 0, 1))
    assert (one[:100].sum(), one[100:].sum()) == (48, 4)
    assert one.tolist() == same.tolist() != other.tolist()
    # the 48 are spread at random over both halves
    assert 12 < one[:50].sum() < 36


def test_no_tensor_is_cut_off():
    layout = entrywise(plain())
    mask = erk_mask(layout, 0.01, 0)
    assert all(mask[span].any() for _, span in layout.governed())


def test_the_drop_rate_is_annealed_by_a_cosine():
    assert drop_rate(0, 10) == 0.5
    assert drop_rate(5, 10) == pytest.approx(0.25)
    assert drop_rate(9, 10) == pytest.approx(0.25 * (1 - math.cos(math.pi / 10)))
    assert drop_rate(10, 10) == 0


def test_drop_and_regrow_match_an_example_by_hand():
    """Of the kept entries 4, -1, 2, 3 half are exchanged: -1 and 2 are dropped. Of the four entries
    that are then not kept, those with gradients 5 (the dropped 2) and -6 are regrown."""
    layout = entrywise(Layout((), (tensor("w", (2, 3)), tensor("b", (2,)))))
    network = constant(layout.network, 7, w=[[4, -1, 2], [3, 0, 0]])
    mask = np.array([1, 1, 1, 1, 0, 0, 1, 1], bool)
    gradients = {"w": np.array([[9, 0.1, 5], [9, 4, -6]]), "b": np.array([1.0, 1.0])}
    found = drop_and_regrow(layout, entries_of(layout, network, mask), gradients, 0.5)
    assert found.tolist() == [True, False, True, True, False, True, True, True]
    assert mask.tolist() == [True] * 4 + [False] * 2 + [True] * 2  # the argument is unchanged


def test_at_rate_zero_nothing_moves():
    layout = entrywise(plain())
    mask = erk_mask(layout, 0.5, 0)
    weights = entries_of(layout, random_weights(layout.network, 0), mask)
    gradients = random_weights(layout.network, 1).tensors
    assert drop_and_regrow(layout, weights, gradients, 0.0).tolist() == mask.tolist()


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_every_tensor_keeps_its_number_of_entries(rate):
    layout = entrywise(plain())
    mask = erk_mask(layout, 0.5, 0)
    weights = entries_of(layout, random_weights(layout.network, 0), mask)
    found = drop_and_regrow(layout, weights, random_weights(layout.network, 1).tensors, rate)
    for _, span in layout.governed():
        assert found[span].sum() == mask[span].sum()
    assert found.tolist() != mask.tolist()
