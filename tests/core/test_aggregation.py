import numpy as np
import pytest
from hand_layouts import (
    COUNTER,
    constant,
    layouts,
    mask_of,
    masks,
    plain,
    random_weights,
    residual,
    same,
    seeds,
    slim_weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from prisam_p2p.core.aggregation import aggregate, votes
from prisam_p2p.core.layout import UNGOVERNED, narrow, widen

peer_ids = st.text("abz019_-", min_size=1, max_size=3)


@st.composite
def gatherings(draw, max_size=4):
    """Draw a layout and members of it, in any order of ids."""
    layout = draw(layouts)
    members = draw(st.dictionaries(peer_ids, slim_weights(layout), min_size=1, max_size=max_size))
    return layout, members


def naive(layout, members):
    """Compute the mean entry by entry, as section IV-C defines it."""
    mean = {}
    for tensor in layout.tensors:
        out = np.zeros(tensor.shape, tensor.dtype)
        for index in np.ndindex(tensor.shape):
            values = []
            for _, weights in sorted(members.items()):
                slim_index = []
                for axis, position in enumerate(index):
                    bits = tensor.bits.get(axis, [UNGOVERNED] * tensor.shape[axis])
                    kept = [bit == UNGOVERNED or bool(weights.mask[bit]) for bit in bits]
                    slim_index.append(sum(kept[:position]) if kept[position] else None)
                if None not in slim_index:
                    values.append(weights.tensors[tensor.name][tuple(slim_index)])
            if tensor.dtype == COUNTER:
                out[index] = max(values)
            elif values:
                total = np.float32(0)
                for value in values:
                    total += value
                out[index] = total / np.float32(len(values))
        mean[tensor.name] = out
    return mean


@settings(max_examples=50)
@given(gatherings())
def test_every_entry_is_the_mean_over_the_members_that_retain_it(gathering):
    layout, members = gathering
    weights, union = aggregate(layout, members)
    assert weights.mask.all()
    assert union.tolist() == np.any([m.mask for m in members.values()], axis=0).tolist()
    for name, expected in naive(layout, members).items():
        assert weights.tensors[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(weights.tensors[name], expected, name, strict=True)


@settings(max_examples=50)
@given(gatherings(), st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_matter_to_the_last_bit(gathering, random):
    layout, members = gathering
    shuffled = list(members.items())
    random.shuffle(shuffled)
    one, union = aggregate(layout, members)
    other, other_union = aggregate(layout, dict(shuffled))
    assert same(one, other)
    assert union.tolist() == other_union.tolist()


def test_the_sum_runs_by_ascending_peer_id():
    """1 + 1e8 - 1e8 is 0 in float32, 1e8 - 1e8 + 1 is 1: peers must agree on one of them."""
    layout = plain(1, 1, 1)
    values = {"a": 1, "b": 1e8, "c": -1e8}
    members = {p: constant(layout, 0, linear__bias=values[p]) for p in ("c", "b", "a")}
    assert aggregate(layout, members)[0].tensors["linear.bias"].tolist() == [0]


def test_the_mean_matches_an_example_by_hand():
    layout = plain(2, 2, 1)
    ada = constant(
        layout,
        0,
        conv1__weight=[1, 2, 3, 4],
        bn1__weight=[10, 20],
        bn1__running_mean=[1, 3],
        bn1__running_var=[5, 7],
        bn1__num_batches_tracked=41,
        conv2__weight=[[1, 2], [3, 4]],
        linear__weight=[1, 2],
        linear__bias=[1],
    )
    bob = constant(
        layout,
        0,
        conv1__weight=[11, 12, 13, 14],
        bn1__weight=[30, 40],
        bn1__running_mean=[4, 5],
        bn1__running_var=[8, 9],
        bn1__num_batches_tracked=7,
        conv2__weight=[[5, 6], [7, 8]],
        linear__weight=[5, 6],
        linear__bias=[4],
    )
    members = {
        "ada": narrow(layout, ada, mask_of("11 10")),
        "bob": narrow(layout, bob, mask_of("01 11")),
    }
    mean, union = aggregate(layout, members)
    tensors = {name: array.ravel().tolist() for name, array in mean.tensors.items()}
    assert union.tolist() == [True] * 4
    assert tensors["conv1.weight"] == [1, 2, 8, 9]  # only ada retains filter 0
    assert tensors["bn1.weight"] == [10, 30]
    assert tensors["bn1.running_mean"] == [1, 4]
    assert tensors["bn1.running_var"] == [5, 8]
    assert tensors["bn1.num_batches_tracked"] == [41]
    assert tensors["conv2.weight"] == [
        1,
        4,
        0,
        8,
    ]  # at (1, 0) each lacks one
    assert tensors["linear.weight"] == [3, 6]
    assert tensors["linear.bias"] == [2.5]


def test_a_kernel_whose_two_channels_are_kept_by_different_members_is_retained_by_neither():
    layout = plain(2, 2, 1)
    members = {
        "ada": narrow(layout, constant(layout, 3), mask_of("10 01")),
        "bob": narrow(layout, constant(layout, 5), mask_of("01 10")),
    }
    mean, union = aggregate(layout, members)
    assert union.all()
    assert mean.tensors["conv2.weight"][:, :, 0, 0].tolist() == [[0, 5], [3, 0]]
    assert mean.tensors["bn1.weight"].tolist() == [3, 5]  # retained once, not halved


def test_a_channel_that_no_member_retains_is_zero_and_not_in_the_union():
    layout = residual(3, 2, 2)
    members = {
        "ada": narrow(layout, constant(layout, 3), mask_of("100 01")),
        "bob": narrow(layout, constant(layout, 5), mask_of("001 01")),
    }
    mean, union = aggregate(layout, members)
    assert union.tolist() == [True, False, True, False, True]
    assert mean.tensors["conv1.weight"].ravel().tolist() == [3, 0, 5]
    assert mean.tensors["bn2.running_var"].tolist() == [0, 4]
    assert mean.tensors["bn4.weight"].tolist() == [4, 3, 0, 5]  # every member retains the raw input
    assert mean.tensors["linear.weight"].tolist() == [[4, 3, 0, 5]] * 2


@settings(max_examples=50)
@given(layouts, st.lists(seeds, min_size=2, max_size=5), st.data())
def test_equal_masks_give_the_plain_mean(layout, member_seeds, data):
    mask = data.draw(masks(layout))
    members = {
        f"p{i}": narrow(layout, random_weights(layout, seed), mask)
        for i, seed in enumerate(member_seeds)
    }
    mean, union = aggregate(layout, members)
    assert union.tolist() == mask.tolist()
    slim = narrow(layout, mean, mask)
    for tensor in layout.tensors:
        stack = np.stack([m.tensors[tensor.name] for m in members.values()])
        got = slim.tensors[tensor.name]
        if tensor.dtype == COUNTER:
            assert got == stack.max()
        else:
            np.testing.assert_allclose(got, stack.mean(0, np.float64), rtol=1e-4, atol=1e-6)


@settings(max_examples=50)
@given(layouts, seeds, st.data())
def test_a_single_retainer_is_copied_to_the_bit(layout, seed, data):
    mask = data.draw(masks(layout))
    alone = narrow(layout, random_weights(layout, seed), mask)
    mean, union = aggregate(layout, {"me": alone})
    assert same(mean, widen(layout, alone))
    assert union.tolist() == mask.tolist()


def test_counters_take_the_maximum_beyond_what_float32_holds():
    layout = plain(1, 1, 1)
    counts = {"a": 2**40 + 1, "b": 5, "c": 2**40}
    members = {
        peer: constant(layout, 1, bn1__num_batches_tracked=n, bn2__num_batches_tracked=0)
        for peer, n in counts.items()
    }
    tensors = aggregate(layout, members)[0].tensors
    assert tensors["bn1.num_batches_tracked"].dtype == COUNTER
    assert tensors["bn1.num_batches_tracked"].shape == ()
    assert tensors["bn1.num_batches_tracked"] == 2**40 + 1
    assert tensors["bn2.num_batches_tracked"] == 0


def test_members_stay_as_they_were():
    layout = plain()
    members = {
        "ada": narrow(layout, random_weights(layout, 0), mask_of("1010 110")),
        "bob": random_weights(layout, 1),
    }
    for weights in members.values():
        for array in weights.tensors.values():
            array.flags.writeable = False
    mean, _ = aggregate(layout, members)
    assert same(members["bob"], random_weights(layout, 1))
    for name, array in mean.tensors.items():
        assert not any(np.shares_memory(array, m.tensors[name]) for m in members.values())


def test_aggregating_no_members_is_refused():
    with pytest.raises(ValueError, match="no members"):
        aggregate(plain(), {})


# votes


def test_a_vote_is_the_share_of_the_members_that_retain_a_channel():
    layout = plain(4, 3)
    whole = constant(layout, 1)
    kept = {"ada": "1100 111", "bob": "1010 110", "cyd": "1000 110", "dan": "1000 100"}
    members = {peer: narrow(layout, whole, mask_of(bits)) for peer, bits in kept.items()}
    assert votes(members).tolist() == [1, 0.25, 0.25, 0, 1, 0.75, 0.25]


def test_votes_times_the_mean_of_the_retainers_is_the_mean_of_all_members():
    layout = plain(4, 3)
    members = {
        "ada": narrow(layout, constant(layout, 0, bn1__weight=[3, 9, 1, 0]), mask_of("1110 111")),
        "bob": narrow(layout, constant(layout, 0, bn1__weight=[5, 9, 9, 0]), mask_of("1000 111")),
    }
    mean, _ = aggregate(layout, members)
    gammas = mean.tensors["bn1.weight"] * votes(members)[:4]
    assert mean.tensors["bn1.weight"].tolist() == [4, 9, 1, 0]
    assert gammas.tolist() == [4, 4.5, 0.5, 0]


def test_counting_no_members_is_refused():
    with pytest.raises(ValueError, match="no members"):
        votes({})
