from math import nan

import numpy as np
import pytest
from tiny_layouts import one_layer

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.heads import head_and_body, head_of, with_head
from prisam_p2p.core.layout import Weights
from prisam_p2p.core.model_choice import announced, best_fit, choice_of


@pytest.mark.parametrize("choice", [0, 1, 8])
def test_a_choice_is_one_of_k_bits(choice):
    mask = announced(choice, 9)
    assert (mask.n_bits, len(mask.bits)) == (9, 2)
    assert mask.unpack().sum() == 1
    assert choice_of(mask) == choice


@pytest.mark.parametrize("bits", [[0, 0, 0], [1, 0, 1]], ids=["none", "two"])
def test_a_mask_that_does_not_name_one_model_is_no_choice(bits):
    assert choice_of(PackedMask.pack(np.array(bits, np.bool_))) is None


@pytest.mark.parametrize("choice", [-1, 3])
def test_a_model_that_does_not_exist_cannot_be_announced(choice):
    with pytest.raises(ValueError, match=f"model {choice} of 3"):
        announced(choice, 3)


def test_the_lowest_loss_fits_best_ties_go_to_the_lower_number_and_nan_is_the_worst():
    assert best_fit({0: 2.0, 1: 0.5, 2: 1.0}) == 1
    assert best_fit({2: 0.5, 1: 0.5, 0: 1.0}) == 1
    assert best_fit({0: nan, 1: 3.0}) == 1
    assert best_fit({1: nan, 0: nan}) == 0


def test_the_head_is_the_last_layer():
    layout = one_layer(channels=4, inputs=1)
    head, body = head_and_body(layout)
    assert head == ["linear.weight", "linear.bias"]
    assert {*head, *body} == {t.name for t in layout.tensors if t.trainable}
    ones = Weights(layout.full_mask(), {t.name: np.ones(t.shape, t.dtype) for t in layout.tensors})
    changed = with_head(ones, {name: 2 * a for name, a in head_of(layout, ones).items()})
    assert {n for n, a in changed.tensors.items() if (a == 2).all()} == set(head)
    assert all((ones.tensors[name] == 1).all() for name in head)
