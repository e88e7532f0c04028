import numpy as np
import pytest

from prisam_p2p.byzantine.corruptions import shuffled, times, with_nan
from prisam_p2p.core.layout import Weights
from prisam_p2p.core.masks import prune_mask, similarity_bits
from prisam_p2p.learn.learner import initial_weights
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of

SMALL = Architecture("vgg-s", 0.5, 4, (1, 8, 8))
LAYOUT = layout_of(SMALL)
W0 = initial_weights(SMALL, 0)


def draws(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("layers", ["all", "last-2"])
def test_a_shuffled_mask_keeps_as_many_channels_of_every_set(layers):
    mask = prune_mask(LAYOUT, draws(7).random(LAYOUT.n_bits), 0.4)
    mask = mask[-similarity_bits(LAYOUT, layers) :]
    before, false = mask.copy(), shuffled(LAYOUT, mask, draws())
    sizes = [each.size for each in LAYOUT.sets]
    ends = np.cumsum(sizes if layers == "all" else sizes[-2:])[:-1]
    counts = [[int(part.sum()) for part in np.split(m, ends)] for m in (mask, false)]
    assert counts[0] == counts[1]
    assert (false != mask).any()
    assert (mask == before).all()
    assert (false == shuffled(LAYOUT, mask, draws())).all()
    assert (false != shuffled(LAYOUT, mask, draws(1))).any()


def test_nan_is_in_one_tensor_and_in_all_of_it():
    false = with_nan(LAYOUT, W0)
    bad = [name for name, array in false.tensors.items() if not np.isfinite(array).all()]
    assert len(bad) == 1
    assert np.isnan(false.tensors[bad[0]]).all()
    assert np.isfinite(W0.tensors[bad[0]]).all()


@pytest.mark.parametrize("factor", [10.0, -1.0, 0.0])
def test_times_is_of_every_parameter_and_of_no_statistic(factor):
    false = times(LAYOUT, W0, factor)
    assert list(false.tensors) == list(W0.tensors)
    for tensor in LAYOUT.tensors:
        one, other = W0.tensors[tensor.name], false.tensors[tensor.name]
        expected = one * np.float32(factor) if tensor.trainable else one
        assert other.dtype == one.dtype
        np.testing.assert_array_equal(other, expected)


def test_a_factor_beyond_all_floats_is_infinite_without_a_warning():
    ones = Weights(W0.mask, {n: np.ones_like(a) for n, a in W0.tensors.items()})
    with np.errstate(all="raise"):
        false = times(LAYOUT, ones, 1e38)
        assert np.isinf(times(LAYOUT, false, 1e38).tensors["classifier.weight"]).all()
