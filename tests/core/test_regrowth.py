import numpy as np
import pytest
from hand_layouts import (
    constant,
    layouts,
    mask_of,
    masks,
    plain,
    random_weights,
    same,
    seeds,
)
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.layout import narrow, widen
from prisam_p2p.core.regrowth import laid_over, put_back, swap_in, swap_mask


def text(mask):
    return "".join("01"[int(bit)] for bit in mask)


class Order:
    """A generator that gives one order: lower numbers are regrown first."""

    def __init__(self, *numbers):
        self.numbers = np.array(numbers)

    def random(self, n):
        assert n == len(self.numbers)
        return self.numbers


# swap_mask


def test_the_weakest_channels_make_room_for_dead_ones_in_the_drawn_order():
    layout = plain(6, 4)
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0, 0, 0.1, 0.4, 0, 0])
    order = Order(9, 9, 9, 9, 5, 4, 9, 9, 7, 6)
    mask = mask_of("111100 1100")
    found = swap_mask(layout, mask, scores, 0.25, order)  # one of four; of two, one at least
    assert text(found) == "111001" + "0101"
    assert text(mask) == "111100" + "1100"


@pytest.mark.parametrize(
    ("share", "kept"),
    [(0.01, "111001"), (0.25, "111001"), (0.37, "111001"), (0.38, "110011"), (0.5, "110011")],
)
def test_the_share_is_of_the_kept_channels_rounded_at_least_one(share, kept):
    layout = plain(6, 1)
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0, 0, 1])
    found = swap_mask(layout, mask_of("111100 1"), scores, share, Order(0, 0, 0, 0, 2, 1, 0))
    assert text(found) == kept + "1"


def test_of_equal_scores_the_higher_index_makes_room():
    layout = plain(4, 1)
    found = swap_mask(layout, mask_of("1101 1"), np.ones(5), 0.3, Order(0, 0, 0, 0, 0))
    assert text(found) == "1110" + "1"


def test_a_layer_of_one_channel_keeps_it():
    found = swap_mask(plain(3, 1), mask_of("010 1"), np.ones(4), 0.5, Order(0, 1, 2, 3))
    assert text(found) == "010" + "1"


@given(layouts, seeds, st.floats(0.01, 0.5), st.data())
def test_every_set_keeps_its_count_and_half_of_its_channels_at_least(layout, seed, share, data):
    mask = data.draw(masks(layout))
    rng = np.random.default_rng(seed)
    found = swap_mask(layout, mask, rng.random(layout.n_bits), share, rng)
    for span in layout.spans:
        alive = mask[span].sum()
        assert found[span].sum() == alive
        assert (found & mask)[span].sum() >= alive - alive // 2


def test_peers_with_equal_masks_are_given_the_same_channels():
    """Whatever their gammas: these decide which of the kept ones make room."""
    layout, mask = plain(6, 4), mask_of("111000 1010")
    regrown = set()
    for seed in range(10):
        scores = np.random.default_rng(seed).random(layout.n_bits)
        found = swap_mask(layout, mask, scores, 0.4, np.random.default_rng([7, 3]))
        regrown.add(text(found & ~mask))
    assert len(regrown) == 1


# swap_in, put_back


def test_a_regrown_channel_is_that_of_w0_and_all_else_stays():
    layout, w0 = plain(4, 3), constant(plain(4, 3), 1)
    weights = narrow(layout, constant(layout, 5), mask_of("1100 110"))
    trial = swap_in(layout, weights, w0, mask_of("1010 110"))  # channel 1 for channel 2
    assert text(trial.mask) == "1010" + "110"
    assert trial.tensors["bn1.weight"].tolist() == [5, 1]
    assert trial.tensors["conv1.weight"][:, 0, 0, 0].tolist() == [5, 1]
    assert trial.tensors["conv2.weight"][:, :, 0, 0].tolist() == [[5, 1], [5, 1]]
    assert trial.tensors["linear.weight"].tolist() == [[5, 5]] * 2
    assert trial.tensors["linear.bias"].tolist() == [5, 5]


def test_what_made_room_comes_back_beside_what_was_trained():
    layout, w0 = plain(4, 3), constant(plain(4, 3), 1)
    before = narrow(layout, constant(layout, 5), mask_of("1100 110"))
    trained = narrow(layout, constant(layout, 8), mask_of("1010 110"))
    ranked = put_back(layout, before, trained, w0)
    assert text(ranked.mask) == "1110" + "110"
    assert ranked.tensors["bn1.weight"].tolist() == [8, 5, 8]
    assert ranked.tensors["conv2.weight"][:, :, 0, 0].tolist() == [[8, 5, 8], [8, 5, 8]]
    assert ranked.tensors["linear.bias"].tolist() == [8, 8]


def test_two_channels_that_never_met_are_joined_by_w0():
    layout, w0 = plain(4, 3), constant(plain(4, 3), 1)
    before = narrow(layout, constant(layout, 5), mask_of("1100 110"))
    trained = narrow(layout, constant(layout, 8), mask_of("1010 101"))
    joined = put_back(layout, before, trained, w0).tensors["conv2.weight"][:, :, 0, 0]
    assert joined.tolist() == [
        [8, 5, 8],  # out-channel 0: kept by both
        [5, 5, 1],  # 1 made room; it never met in-channel 2
        [8, 1, 8],  # 2 is regrown; it never met in-channel 1
    ]


@given(layouts, seeds, st.data())
def test_without_an_exchange_nothing_changes(layout, seed, data):
    mask, w0 = data.draw(masks(layout)), random_weights(layout, seed)
    weights = narrow(layout, random_weights(layout, seed + 1), mask)
    assert same(swap_in(layout, weights, w0, mask), weights)
    assert same(put_back(layout, w0, weights, w0), laid_over(layout, w0, weights))


def test_w0_is_not_written_to():
    layout, w0 = plain(), random_weights(plain(), 0)
    for array in w0.tensors.values():
        array.flags.writeable = False
    laid_over(layout, w0, narrow(layout, random_weights(layout, 1), mask_of("1010 110")))
    assert same(w0, random_weights(plain(), 0))
    assert same(widen(layout, w0), w0)
