from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pytest
from hand_layouts import (
    any_ratio,
    constant,
    layouts,
    mask_of,
    masks,
    plain,
    random_weights,
    residual,
    seeds,
)
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.layout import narrow, widen
from prisam_p2p.core.masks import (
    gamma_change,
    importance,
    kept_count,
    prune,
    prune_mask,
    similarity_bits,
    similarity_mask,
)

percents = st.integers(0, 99)


def text(mask):
    return "".join("01"[int(bit)] for bit in mask)


def tied(layout, seed):
    """Draw full weights with gammas of -1, 0 or 1: many ties, and channels of gamma 0."""
    rng = np.random.default_rng(seed)
    gammas = {
        t.name.replace(".", "__"): rng.integers(-1, 2, t.shape)
        for t in layout.tensors
        if t.name.startswith("bn") and t.name.endswith(".weight")
    }
    return constant(layout, 0, **gammas)


# kept_count


@pytest.mark.parametrize(
    ("n_channels", "prune_ratio", "n_kept"),
    [
        (100, 0.0, 100),
        (4, 0.25, 3),  # the paper's Fig. 2
        (100, 0.07, 93),  # 0.07 * 100 = 7.000000000000001
        (100, 0.29, 71),  # 0.29 * 100 = 28.999999999999996
        (10, 0.3, 7),
        (1000, 0.3, 700),
        (100, 0.55, 45),  # 0.55 * 100 = 55.00000000000001
        (20, 0.55, 9),
        (3, 0.5, 2),  # the number dropped is rounded down
        (3, 0.7, 1),
        (1, 0.99, 1),
        (2, 0.99, 1),
        (100, 0.99, 1),
        (512, 0.7, 154),
        (10, 1 - 1e-12, 1),  # rounds to ten dropped of ten
    ],
)
def test_kept_count_is_n_minus_the_floor_of_rho_n(n_channels, prune_ratio, n_kept):
    assert kept_count(n_channels, prune_ratio) == n_kept


@given(st.integers(1, 2000), percents)
def test_percent_means_percent_despite_binary_fractions(n_channels, percent):
    exact = Decimal(percent) / 100 * n_channels
    n_dropped = int(exact.to_integral_value(ROUND_FLOOR))
    assert kept_count(n_channels, percent / 100) == max(1, n_channels - n_dropped)


def test_whole_percents_of_whole_hundreds_are_whole():
    """Their products are whole numbers that binary fractions just miss."""
    for n_channels in range(100, 2001, 100):
        for percent in range(100):
            n_kept = n_channels - percent * n_channels // 100
            assert kept_count(n_channels, percent / 100) == n_kept, (n_channels, percent)


@pytest.mark.parametrize("prune_ratio", [-0.01, 1.0, 1.5, float("nan"), float("inf")])
def test_a_ratio_outside_the_interval_is_refused(prune_ratio):
    with pytest.raises(ValueError, match="prune_ratio"):
        kept_count(4, prune_ratio)
    with pytest.raises(ValueError, match="prune_ratio"):
        prune_mask(plain(), np.ones(7), prune_ratio)


# importance


def test_importance_orders_a_layer_by_the_size_of_gamma():
    full = constant(plain(4, 3), 9, bn1__weight=[0.5, -2, 0, 1], bn2__weight=[-3, 2, 1])
    scores = importance(plain(4, 3), full.tensors)
    assert scores.shape == (7,)
    assert np.argsort(scores[:4]).tolist() == [2, 0, 3, 1]
    assert np.argsort(scores[4:]).tolist() == [2, 1, 0]
    assert scores[2] == 0


def test_coupled_layers_share_the_mean_of_their_normalized_gammas():
    full = constant(
        residual(3, 2),
        0,
        bn1__weight=[1, 2, 3],  # mean 2: 0.5 1 1.5
        bn2__weight=[5, 15],  # a set of its own, mean 10: 0.5 1.5
        bn3__weight=[-40, 10, 10],  # mean 20: 2 0.5 0.5
        bn4__weight=[99, 4, -1, 1],  # 99 is the raw input's, not the stream's; mean 2: 2 0.5 0.5
    )
    scores = importance(residual(3, 2), full.tensors)
    np.testing.assert_allclose(scores, [4.5 / 3, 2 / 3, 2.5 / 3, 0.5, 1.5], rtol=1e-12)


def test_no_coupled_layer_outweighs_another():
    one = constant(residual(3, 2), 1, bn1__weight=[1, 2, 3], bn3__weight=[3, 1, 2])
    other = constant(residual(3, 2), 1, bn1__weight=[64, 128, 192], bn3__weight=[3, 1, 2])
    layout = residual(3, 2)
    scores = importance(layout, one.tensors)
    assert scores.tolist() == importance(layout, other.tensors).tolist()


def test_a_layer_of_zeros_scores_zero():
    scores = importance(plain(), constant(plain(), 0).tensors)
    assert scores.tolist() == [0] * 7


# prune_mask


def test_channels_compete_within_their_layer_only():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 8, 7, 9])
    assert text(prune_mask(plain(4, 3), scores, 0.5)) == "0011" + "101"


def test_ties_go_to_the_lower_index():
    layout = plain(300, 1)  # beyond the length where an unstable sort begins to shuffle
    scores = np.append(np.tile([1.0, 2.0, 3.0], 100), 1.0)  # the cut falls among the twos
    kept = prune_mask(layout, scores, 0.5)[:300]
    assert kept[2::3].all()
    assert kept[1::3].nonzero()[0].tolist() == list(range(50))
    assert not kept[0::3].any()


@given(layouts, seeds, any_ratio, any_ratio)
def test_a_larger_ratio_keeps_a_subset(layout, seed, a, b):
    scores = importance(layout, tied(layout, seed).tensors)
    fewer, more = prune_mask(layout, scores, max(a, b)), prune_mask(layout, scores, min(a, b))
    assert (fewer <= more).all()


@given(layouts, seeds, any_ratio)
def test_every_set_keeps_its_count_and_none_is_cut_off(layout, seed, ratio):
    mask = prune_mask(layout, importance(layout, random_weights(layout, seed).tensors), ratio)
    for channel_set, span in zip(layout.sets, layout.spans, strict=True):
        assert mask[span].sum() == kept_count(channel_set.size, ratio) >= 1


@given(layouts, seeds, any_ratio)
def test_no_kept_channel_scores_below_a_dropped_one(layout, seed, ratio):
    scores = importance(layout, tied(layout, seed).tensors)
    mask = prune_mask(layout, scores, ratio)
    for span in layout.spans:
        kept, dropped = scores[span][mask[span]], scores[span][~mask[span]]
        assert kept.min() >= dropped.max(initial=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused(bad):
    scores = np.ones(7)
    scores[5] = bad
    with pytest.raises(ValueError, match="not finite"):
        prune_mask(plain(), scores, 0.5)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gamma_that_is_not_finite_is_refused(bad):
    layout = plain(4, 3)
    full = constant(layout, 1, bn2__weight=[1, bad, 1])
    with pytest.raises(ValueError, match="not finite"):
        prune(layout, full, layout.full_mask(), 0.5)
    with pytest.raises(ValueError, match="not finite"):
        similarity_mask(layout, importance(layout, full.tensors), 0.5, "last-1")


# prune


def test_prune_keeps_the_strongest_channels_and_their_weights_only():
    layout = plain(4, 3, 1)
    full = constant(
        layout,
        0,
        conv1__weight=[1, 2, 3, 4, 5, 6, 7, 8],
        bn1__weight=[0.1, -0.4, 0.3, 0.2],
        bn2__weight=[3, 2, 1],
        conv2__weight=np.arange(12),
        linear__weight=[1, 2, 3],
    )
    slim = prune(layout, full, layout.full_mask(), 0.5)
    assert text(slim.mask) == "0110" + "110"
    assert slim.tensors["conv1.weight"].ravel().tolist() == [3, 4, 5, 6]
    assert slim.tensors["bn1.weight"].tolist() == np.float32([-0.4, 0.3]).tolist()
    assert slim.tensors["conv2.weight"].ravel().tolist() == [1, 2, 5, 6]
    assert slim.tensors["linear.weight"].tolist() == [[1, 2]]


def test_all_channels_stay_where_fewer_exist_than_rho_keeps():
    layout = plain(4, 3)
    existing = mask_of("0110 001")
    full = widen(layout, narrow(layout, random_weights(layout, 1), existing))
    assert text(prune(layout, full, existing, 0.0).mask) == "0110" + "001"


@given(layouts, seeds, any_ratio, st.data())
def test_prune_keeps_existing_channels_and_as_many_as_it_can(layout, seed, ratio, data):
    """A channel whose gamma is 0 exists and may be kept; an absent one may not."""
    existing = data.draw(masks(layout))
    full = widen(layout, narrow(layout, tied(layout, seed), existing))
    mask = prune(layout, full, existing, ratio).mask
    assert (mask <= existing).all()
    for channel_set, span in zip(layout.sets, layout.spans, strict=True):
        asked = kept_count(channel_set.size, ratio)
        assert mask[span].sum() == min(asked, existing[span].sum())


@given(layouts, seeds, any_ratio)
def test_gamma_is_what_prune_ranks_by_unless_it_is_told(layout, seed, ratio):
    full, everything = tied(layout, seed), layout.full_mask()
    by_gamma = prune(layout, full, everything, ratio).mask
    told = prune(layout, full, everything, ratio, importance(layout, full.tensors)).mask
    assert text(told) == text(by_gamma)


def test_told_scores_rank_and_absent_channels_stay_absent():
    layout = plain(4, 3)
    full = constant(layout, 0, bn1__weight=[4, 3, 2, 1], bn2__weight=[3, 2, 1])
    scores = np.array([0.9, 0.0, 0.1, 0.8, 0.1, 0.2, 0.3])
    assert text(prune(layout, full, layout.full_mask(), 0.5, scores).mask) == "1001" + "011"
    existing = mask_of("0111 110")
    assert text(prune(layout, full, existing, 0.5, scores).mask) == "0011" + "110"


# gamma_change


def test_the_change_of_gamma_counts_in_either_direction():
    layout = plain(4, 3)
    before = constant(layout, 7, bn1__weight=[1, 1, 1, 1], bn2__weight=[5, 5, 5])
    after = constant(layout, 9, bn1__weight=[4, -1, 1, 2], bn2__weight=[5, 6, 2])
    scores = gamma_change(layout, before, after)  # 3 2 0 1, mean 1.5; 0 1 3, mean 4/3
    np.testing.assert_allclose(scores, [2, 4 / 3, 0, 2 / 3, 0, 0.75, 2.25])


def test_what_a_group_has_in_common_cancels_out():
    """Two members with other gammas, moved alike, announce the same; by gamma they do not."""
    layout = plain(4, 3)
    moved = np.array([0.1, 0.3, 0.2, 0.4])
    masks = []
    for start in ([1, 2, 3, 4], [9, 7, 5, 3]):
        one = constant(layout, 1, bn1__weight=start)
        other = constant(layout, 1, bn1__weight=start + moved, bn2__weight=[1, 2, 3])
        masks.append(text(similarity_mask(layout, gamma_change(layout, one, other), 0.5, "all")))
    assert masks == ["0101" + "011"] * 2


def test_a_channel_that_is_not_on_both_sides_has_not_changed():
    layout = plain(4, 3)
    before = narrow(layout, constant(layout, 1), mask_of("1110 111"))
    after = narrow(layout, constant(layout, 3), mask_of("0111 111"))
    np.testing.assert_allclose(gamma_change(layout, before, after), [0, 2, 2, 0, 1, 1, 1])


# similarity_mask


@given(layouts, seeds, any_ratio, any_ratio)
def test_the_similarity_mask_lies_inside_every_weaker_structure_mask(layout, seed, a, b):
    full = random_weights(layout, seed)
    common, own = max(a, b), min(a, b)
    announced = similarity_mask(layout, importance(layout, full.tensors), common, "all")
    assert (announced <= prune(layout, full, layout.full_mask(), own).mask).all()


@given(layouts, seeds, any_ratio)
def test_at_equal_ratios_the_similarity_mask_is_the_structure_mask(layout, seed, ratio):
    full = tied(layout, seed)
    announced = similarity_mask(layout, importance(layout, full.tensors), ratio, "all")
    assert text(announced) == text(prune(layout, full, layout.full_mask(), ratio).mask)


@pytest.mark.parametrize(
    ("layers", "bits"),
    [("all", "0110" + "100"), ("last-1", "100"), ("last-2", "0110" + "100"), ("last-9", "0110100")],
)
def test_the_last_layers_bits(layers, bits):
    layout = plain(4, 3)
    full = constant(layout, 0, bn1__weight=[1, 4, 3, 2], bn2__weight=[3, 2, 1])
    ratio = 0.7  # keeps 4 - 2 and 3 - 2
    scores = importance(layout, full.tensors)
    assert text(similarity_mask(layout, scores, ratio, layers)) == bits
    assert similarity_bits(layout, layers) == len(bits)
