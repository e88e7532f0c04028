import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.split_counts import apportioned, training_counts
from prisam_p2p.learn.split_table import class_counts, render_split, shared_images, split_table
from prisam_p2p.learn.splits import PeerData, SplitRequest, draw_split
from prisam_p2p.settings import Split

K = 10
TRAIN = np.random.default_rng(1).permutation(np.repeat(np.arange(K), 60))
TEST = np.random.default_rng(2).permutation(np.repeat(np.arange(K), 45))


def request(kind=Split.CLUSTER_PATHOLOGICAL, **changes):
    fields = {
        "groups": 3,
        "classes_per_group": 4,
        "alpha": 0.2,
        "images_per_peer": 40,
        "test_images_per_peer": 100,
    }
    return SplitRequest(kind=kind, **(fields | changes))


def names(n):
    return [f"p{i:02}" for i in range(n)]


def draw(req, n_peers=12, seed=0, train=TRAIN, test=TEST, n_classes=K):
    rng = np.random.default_rng(seed)
    return draw_split(req, names(n_peers), train, test, n_classes, rng)


def own(data):
    return np.concatenate([data.train, data.validation])


def counts_of(split):
    """Return the number of images per class of each peer, shape (n_peers, K)."""
    return np.array([class_counts(own(data), TRAIN, K) for data in split.values()])


requests = st.builds(
    SplitRequest,
    kind=st.sampled_from(Split),
    groups=st.integers(1, 4),
    classes_per_group=st.integers(1, K),
    alpha=st.sampled_from([1e-6, 0.05, 0.2, 1.0, 1000.0]),
    images_per_peer=st.integers(2, 60),
    test_images_per_peer=st.integers(1, 200),
)
seeds = st.integers(0, 2**32 - 1)


@given(requests, st.integers(4, 14), seeds)
def test_every_split_meets_the_request_and_has_no_repeats(req, n_peers, seed):
    split = draw(req, n_peers, seed)
    assert list(split) == names(n_peers)
    for data in split.values():
        n_validation = max(1, round(req.images_per_peer / 5))
        assert len(data.validation) == n_validation
        assert len(data.train) == req.images_per_peer - n_validation
        assert len(np.unique(own(data))) == req.images_per_peer  # disjoint and without repeats
        assert len(np.unique(data.test)) == len(data.test)
        assert 1 <= len(data.test) <= req.test_images_per_peer
        assert own(data).min() >= 0
        assert own(data).max() < len(TRAIN)
        assert data.test.max() < len(TEST)
        assert {data.train.dtype, data.validation.dtype, data.test.dtype} == {np.dtype(np.int64)}


@given(requests, seeds)
def test_the_same_seed_draws_the_same_split(req, seed):
    first, again = draw(req, seed=seed), draw(req, seed=seed)
    for peer, data in first.items():
        assert data.group == again[peer].group
        for part in ("train", "validation", "test"):
            assert np.array_equal(getattr(data, part), getattr(again[peer], part))


def test_another_seed_draws_another_split():
    assert draw(request(), seed=1)["p00"].train.tolist() != draw(request())["p00"].train.tolist()


def test_the_order_of_peer_ids_does_not_matter():
    rng = np.random.default_rng(0)
    split = draw_split(request(), names(12)[::-1], TRAIN, TEST, K, rng)
    assert list(split) == names(12)
    assert np.array_equal(split["p03"].train, draw(request())["p03"].train)


@given(requests, seeds)
def test_images_are_shared_only_when_a_class_has_too_few(req, seed):
    split = draw(req, seed=seed)
    wanted = counts_of(split).sum(axis=0)
    every = np.concatenate([own(data) for data in split.values()])
    for c in range(K):
        n_different = len(np.unique(every[TRAIN[every] == c]))
        assert n_different == min(wanted[c], 60)


@pytest.mark.parametrize(("n_peers", "sizes"), [(12, [4, 4, 4]), (11, [4, 4, 3]), (3, [1, 1, 1])])
def test_groups_are_blocks_of_nearly_equal_size(n_peers, sizes):
    groups = [data.group for data in draw(request(), n_peers).values()]
    assert groups == [group for group, size in enumerate(sizes) for _ in range(size)]


@pytest.mark.parametrize("kind", [Split.DIRICHLET, Split.PATHOLOGICAL, Split.IID])
def test_other_splits_have_no_groups(kind):
    assert {data.group for data in draw(request(kind)).values()} == {None}


@given(st.integers(1, 12), st.integers(1, K), seeds)
def test_members_of_a_group_have_its_classes_and_classes_are_used_evenly(groups, n_each, seed):
    req = request(groups=groups, classes_per_group=n_each)
    counts = counts_of(draw(req, 12, seed))
    classes = counts > 0
    for members in np.array_split(classes, groups):
        assert (members == members[0]).all()
        assert members[0].sum() == n_each
    used = np.array([members[0] for members in np.array_split(classes, groups)]).sum(axis=0)
    assert used.max() - used.min() <= 1
    assert {*counts[classes]} <= {40 // n_each, -(-40 // n_each)}


@given(seeds)
def test_groups_differ_in_their_classes_if_possible(seed):
    """With two of ten classes each, five groups use all; the next five must be other pairs."""
    req = request(groups=10, classes_per_group=2)
    assert len(np.unique(counts_of(draw(req, 10, seed)) > 0, axis=0)) == 10


def test_pathological_peers_each_draw_their_own_classes():
    counts = counts_of(draw(request(Split.PATHOLOGICAL, classes_per_group=2)))
    assert ((counts > 0).sum(axis=1) == 2).all()
    assert len(np.unique(counts > 0, axis=0)) > 3


@given(seeds)
def test_members_of_a_group_share_a_dirichlet_mix(seed):
    """The counts of two members differ by rounding alone, so by at most one image."""
    counts = counts_of(draw(request(Split.CLUSTER_DIRICHLET), seed=seed))
    for members in np.array_split(counts, 3):
        assert (members.max(axis=0) - members.min(axis=0) <= 1).all()


def test_dirichlet_mixes_differ_between_groups_and_between_peers():
    of_groups = counts_of(draw(request(Split.CLUSTER_DIRICHLET)))
    assert np.abs(of_groups[0] - of_groups[4]).sum() > 20
    of_peers = counts_of(draw(request(Split.DIRICHLET)))
    assert np.abs(of_peers[0] - of_peers[1]).sum() > 20


def test_a_large_alpha_makes_the_mixes_even():
    counts = counts_of(draw(request(Split.CLUSTER_DIRICHLET, alpha=1e6)))
    assert (np.abs(counts - 4) <= 1).all()


def test_an_iid_split_follows_the_pool_and_keeps_rare_classes():
    """Nine of ten classes are rare, with 1 % of the images each: 0.4 images of a peer's 40."""
    train = np.repeat(np.arange(K), [910] + [10] * 9)
    split = draw(request(Split.IID), 20, train=train)
    counts = np.array([class_counts(own(data), train, K) for data in split.values()])
    assert set(counts[:, 0]) <= {36, 37}
    assert (counts[:, 1:].sum(axis=0) > 0).all()
    assert counts[:, 1:].max() == 1


def test_rounding_to_whole_images_has_no_bias():
    """Over 4,000 peers the rare class has 0.4 images on average, with a standard error of 0.008."""
    mixes = np.tile([0.99, 0.01], (4000, 1))
    counts = training_counts(40, mixes, np.array([99, 99]), np.random.default_rng(0))
    assert abs(counts[:, 1].mean() - 0.4) < 0.04


def test_validation_has_every_class_in_proportion():
    for data in draw(request()).values():
        train, validation = (class_counts(x, TRAIN, K) for x in (data.train, data.validation))
        assert np.array_equal(train, 4 * validation)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(0, 300), seeds)
def test_apportioned_parts_differ_from_their_shares_by_less_than_one(weights, total, seed):
    weights = np.array(weights)
    if weights.sum() == 0:
        weights[0] = 1
    parts = apportioned(total, weights, np.random.default_rng(seed))
    assert parts.sum() == total
    assert (np.abs(parts - total * weights / weights.sum()) < 1).all()
    assert (parts[weights == 0] == 0).all()
    if total <= weights.sum():
        assert (parts <= weights).all()


def test_test_images_follow_the_mix_of_the_training_images():
    for data in draw(request(test_images_per_peer=100)).values():
        train, test = class_counts(own(data), TRAIN, K), class_counts(data.test, TEST, K)
        assert np.array_equal(test, train * 100 // 40)


def test_a_class_with_few_test_images_gives_all_of_them():
    split = draw(request(test_images_per_peer=400))  # 100 of each class, of which there are 45
    assert {len(data.test) for data in split.values()} == {4 * 45}
    without_class_0 = TEST[TEST != 0]
    found = set()
    for data in draw(request(), test=without_class_0).values():
        has_0 = bool((TRAIN[data.train] == 0).any())
        found.add((has_0, len(data.test)))
    assert found == {(True, 75), (False, 100)}


def test_when_a_class_has_too_few_images_peers_share_them():
    req = request(groups=1, classes_per_group=1)  # 12 peers need 40 images each of the 60
    split = draw(req)
    rows = split_table(split, TRAIN, K)
    assert shared_images(split) == 60
    assert all(row["shared"] == 40 for row in rows)
    assert shared_images(draw(request(images_per_peer=20))) == 0


def test_an_image_of_two_peers_counts_once_as_shared():
    nothing = np.array([], np.int64)
    a = PeerData(np.array([0, 1]), np.array([2]), nothing, None)
    b = PeerData(np.array([2, 3]), np.array([4]), nothing, None)
    assert shared_images({"a": a, "b": b}) == 1
    assert [row["shared"] for row in split_table({"a": a, "b": b}, TRAIN, K)] == [1, 1]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"groups": 13}, "--groups = 13: expected at most 12, the number of peers"),
        ({"classes_per_group": 11}, "--classes-per-group = 11: expected at most 10"),
        ({"images_per_peer": 300}, r"--images-per-peer = 300: expected at most 24\d .*60 training"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(changes, why):
    with pytest.raises(ConfigError, match=why):
        draw(request(**changes))


def test_a_setting_of_another_kind_of_split_is_not_refused():
    draw(request(Split.IID, groups=99, classes_per_group=99))


@given(st.sampled_from(Split), seeds)
def test_the_number_in_a_refusal_can_be_met(kind, seed):
    with pytest.raises(ConfigError) as caught:
        draw(request(kind, images_per_peer=2000), seed=seed)
    most = int(caught.value.right.split()[2])
    draw(request(kind, images_per_peer=most), seed=seed)
    with pytest.raises(ConfigError):
        draw(request(kind, images_per_peer=most + 1), seed=seed)


def test_a_peer_without_any_test_image_is_refused():
    with pytest.raises(ConfigError, match="test images of the classes"):
        draw(request(), test=np.array([0]))


@pytest.mark.parametrize(
    "changes", [{"groups": 0}, {"classes_per_group": 0}, {"images_per_peer": 1}, {"alpha": 0.0}]
)
def test_a_request_with_an_invalid_number_cannot_be_built(changes):
    with pytest.raises(ValueError, match="cannot draw a split"):
        request(**changes)


@pytest.mark.parametrize("peers", [[], ["a", "a"]])
def test_peer_ids_must_be_distinct_and_at_least_one(peers):
    with pytest.raises(ValueError, match="peer ids"):
        draw_split(request(), peers, TRAIN, TEST, K, np.random.default_rng(0))


def test_the_table_counts_the_images_of_each_peer():
    split = draw(request(), 3)
    rows = split_table(split, TRAIN, K)
    assert list(rows[0]) == [
        "peer", "group", *(f"class_{c}" for c in range(K)), "train", "validation", "test", "shared",
    ]  # fmt: skip
    for row, (peer, data) in zip(rows, split.items(), strict=True):
        assert (row["peer"], row["group"]) == (peer, data.group)
        assert [row[f"class_{c}"] for c in range(K)] == class_counts(own(data), TRAIN, K).tolist()
        assert (row["train"], row["validation"], row["test"]) == (32, 8, 100)


def test_the_columns_of_the_table_are_aligned():
    text = render_split(draw(request(Split.IID, images_per_peer=20), 2), TRAIN, K)
    assert text.splitlines()[2:5] == [
        "peer  group  0  1  2  3  4  5  6  7  8  9  train  validation  test  shared",
        " p00         2  2  2  2  2  2  2  2  2  2     16           4   100       0",
        " p01         2  2  2  2  2  2  2  2  2  2     16           4   100       0",
    ]
    assert text.endswith("\n40 different images; 0 of them are at two or more peers.\n")
    assert " . " in render_split(draw(request(), 3), TRAIN, K)
