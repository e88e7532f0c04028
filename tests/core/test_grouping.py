import hand_layouts
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.grouping import Groups, add_affinity, dbscan, kmeans, top_m


def mask_of(bits):
    return PackedMask.pack(hand_layouts.mask_of(bits))


METHODS = {
    "kmeans": lambda masks: kmeans(masks, k=3, seed=5, round_index=2),
    "dbscan": lambda masks: dbscan(masks, eps=0.3),
}
PLANTED = [i % 3 for i in range(15)]


def noisy(planted=PLANTED, n_bits=200, flipped=10):
    """Return masks around one random center per planted group, with `flipped` bits inverted."""
    rng = np.random.default_rng(0)
    centers = rng.random((max(planted) + 1, n_bits)) < 0.5
    masks = {}
    for i, group in enumerate(planted):
        mask = centers[group].copy()
        mask[rng.permutation(n_bits)[:flipped]] ^= True
        masks[f"p{i:02}"] = PackedMask.pack(mask)
    return masks


def without_structure(n=12):
    rng = np.random.default_rng(1)
    return {f"p{i:02}": PackedMask.pack(rng.random(40) < 0.5) for i in range(n)}


@pytest.mark.parametrize("method", METHODS)
def test_planted_groups_are_found_exactly(method):
    groups = METHODS[method](noisy())
    assert groups.labels == {f"p{i:02}": group for i, group in enumerate(PLANTED)}
    assert groups.of("p04") == ("p01", "p04", "p07", "p10", "p13")


@pytest.mark.parametrize("method", METHODS)
def test_groups_are_numbered_by_their_lowest_peer(method):
    groups = METHODS[method](noisy([2, 2, 0, 1, 0, 1, 2]))
    assert list(groups.labels.values()) == [0, 0, 1, 2, 1, 2, 0]


@pytest.mark.parametrize("method", METHODS)
def test_identical_masks_are_one_group(method):
    groups = METHODS[method]({peer: mask_of("1010 11") for peer in "abcd"})
    assert groups.labels == dict.fromkeys("abcd", 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_peer_that_heard_no_other_is_its_own_group(method):
    assert METHODS[method]({"me": mask_of("101")}).of("me") == ("me",)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(random=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(method, random):
    """The masks have no structure, so the starts of K-means decide."""
    masks = without_structure()
    shuffled = list(masks.items())
    random.shuffle(shuffled)
    groups = METHODS[method](dict(shuffled))
    assert groups == METHODS[method](masks)
    assert list(groups.labels) == sorted(masks)


def test_kmeans_is_seeded_by_run_and_round_alone():
    masks = without_structure(30)
    seeds = [(seed, round_index) for seed in range(3) for round_index in range(3)]
    once = [kmeans(masks, 5, *seeded) for seeded in seeds]
    np.random.seed(7)  # the global generator must not matter
    assert [kmeans(masks, 5, *seeded) for seeded in seeds] == once
    assert len({tuple(groups.labels.items()) for groups in once}) == len(seeds)


def test_kmeans_starts_often_enough_to_find_many_groups_in_every_round():
    """A single start misses half of the groups; which half depends on the round."""
    planted = [i % 12 for i in range(48)]
    masks = noisy(planted, n_bits=100)
    for round_index in range(10):
        groups = kmeans(masks, 12, seed=0, round_index=round_index)
        assert list(groups.labels.values()) == planted


def test_k_above_the_number_of_distinct_masks_gives_one_group_for_each():
    masks = {"a": mask_of("110"), "b": mask_of("011"), "c": mask_of("110"), "d": mask_of("011")}
    assert kmeans(masks, 9, 0, 0).labels == {"a": 0, "b": 1, "c": 0, "d": 1}


def test_k_equal_to_the_distinct_masks_separates_them_all():
    masks = {"a": mask_of("1100"), "b": mask_of("0110"), "c": mask_of("0011"), "d": mask_of("1100")}
    assert kmeans(masks, 3, 0, 0).labels == {"a": 0, "b": 1, "c": 2, "d": 0}


def test_k_1_puts_all_peers_in_one_group():
    assert set(kmeans(noisy(), 1, 0, 0).labels.values()) == {0}


def test_dbscan_makes_each_noise_peer_a_group():
    masks = noisy([0, 0, 0, 1, 2])  # two noise peers: two groups, not one
    assert list(dbscan(masks, 0.3).labels.values()) == [0, 0, 0, 1, 2]
    assert dbscan(masks, 0.3).of("p03") == ("p03",)
    assert list(dbscan(noisy([0, 1, 1, 2]), 0.3).labels.values()) == [0, 1, 1, 2]


def test_dbscan_needs_two_peers_for_a_group():
    masks = {"a": mask_of("1111 0000"), "b": mask_of("1111 0001"), "c": mask_of("0000 1110")}
    assert dbscan(masks, 0.2).labels == {"a": 0, "b": 0, "c": 1}


@pytest.mark.parametrize(("eps", "labels"), [(0.5, [0, 0, 1]), (0.49, [0, 1, 2])])
def test_eps_is_a_share_of_the_compact_bits_and_includes_its_end(eps, labels):
    """Of eight bits, four agree in all masks and do not count; a and b differ in 2 of the rest."""
    masks = {"a": mask_of("0000 1111"), "b": mask_of("0011 1111"), "c": mask_of("1110 1111")}
    assert list(dbscan(masks, eps).labels.values()) == labels


# top-m


def heard(**masks):
    return {peer: mask_of(bits) for peer, bits in masks.items()}


def test_affinity_adds_the_share_of_agreeing_bits():
    history = add_affinity({}, "me", heard(me="1100", a="1100", b="1000", c="0011"))
    assert history == {"a": (1.0, 1), "b": (0.75, 1), "c": (0.0, 1)}
    history = add_affinity(history, "me", heard(me="1100", a="1111", d="1010"))
    assert history == {"a": (1.5, 2), "b": (0.75, 1), "c": (0.0, 1), "d": (0.5, 1)}


def test_affinity_does_not_change_the_old_history():
    history = {"a": (1.0, 1)}
    add_affinity(history, "me", heard(me="11", a="11"))
    assert history == {"a": (1.0, 1)}


def test_top_m_averages_over_the_rounds_in_which_a_peer_was_heard():
    history = {}
    rounds = [
        heard(me="1100", a="1100", b="1000"),  # a 1, b 3/4
        heard(me="1100", a="0011", b="1000", c="1101"),  # a 0, b 3/4, c 3/4
        heard(me="1100", a="0000", b="0000", c="1100"),  # a 1/2, b 1/2, c 1
    ]
    for masks in rounds:
        history = add_affinity(history, "me", masks)
    assert top_m(history, "me", rounds[-1], 1) == ("c", "me")  # 7/8 in two rounds; b 2/3, a 1/2
    assert top_m(history, "me", rounds[-1], 2) == ("b", "c", "me")
    assert top_m(history, "me", rounds[-1], 9) == ("a", "b", "c", "me")


def test_top_m_chooses_among_those_heard_this_round():
    history = {"a": (3.0, 3), "b": (0.5, 1)}
    assert top_m(history, "me", heard(me="1", b="1"), 1) == ("b", "me")


def test_ties_go_to_the_lower_peer_id():
    masks = heard(z="10", me="11", c="10", b="01", a="00")
    history = add_affinity({}, "me", masks)
    assert top_m(history, "me", masks, 2) == ("b", "c", "me")


def test_the_own_mask_does_not_count_towards_m():
    masks = heard(me="11", a="00")
    assert top_m(add_affinity({}, "me", masks), "me", masks, 1) == ("a", "me")


def test_a_group_is_sorted():
    assert Groups({"b": 0, "c": 1, "a": 0}).of("b") == ("a", "b")
