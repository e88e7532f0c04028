"""Images of another data group: as many, of its classes, fairly dealt, and the same every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.learn.data_in_time import Drift, Pools, data_in_time
from prisam_p2p.learn.splits import SplitRequest, draw_split
from prisam_p2p.settings import Split

PEERS = [f"p{i}" for i in range(6)]
N_CLASSES, ROUNDS = 6, 10


def pools(per_class=60, by_class=True):
    labels = np.repeat(np.arange(N_CLASSES), per_class)
    return Pools(labels, np.repeat(np.arange(N_CLASSES), 20), N_CLASSES, 30, by_class)


def split_of(given, images=20):
    """Return a split into 3 groups of 2 peers with 2 classes each."""
    request = SplitRequest(Split.CLUSTER_PATHOLOGICAL, 3, 2, 1.0, images, 30)
    rng = np.random.default_rng(0)
    return draw_split(request, PEERS, given.train_labels, given.test_labels, N_CLASSES, rng)


def changes(*drifts, given=None, split=None, rounds=ROUNDS):
    given = given or pools()
    split = split or split_of(given)
    return data_in_time(split, drifts, given, rounds, np.random.default_rng(1))


def drift(peer="p0", t=3, to=2, **more):
    return Drift("f#0", peer, t, to, **more)


def classes(given, indices):
    return set(given.train_labels[indices].tolist())


def test_a_peer_gets_as_many_images_of_the_other_groups_classes():
    given = pools()
    split = split_of(given)
    (change,) = changes(drift(), given=given, split=split)["p0"]
    new, mate = change.data, split["p4"]
    assert (change.round, change.fault, new.group) == (3, "f#0", 2)
    assert (len(new.train), len(new.validation)) == (16, 4)
    assert classes(given, new.train) == classes(given, mate.train)
    assert set(given.test_labels[new.test]) == set(given.test_labels[mate.test])


def test_the_images_are_those_that_nobody_had():
    given = pools()
    split = split_of(given)
    (change,) = changes(drift(), given=given, split=split)["p0"]
    dealt = np.concatenate([i for d in split.values() for i in (d.train, d.validation)])
    assert not np.intersect1d(dealt, np.r_[change.data.train, change.data.validation]).size


@given(
    per_class=st.integers(30, 60),
    drifts=st.lists(
        st.tuples(st.sampled_from(PEERS), st.integers(0, 9), st.integers(1, 3), st.booleans()),
        min_size=1,
        max_size=12,
    ),
    by_class=st.booleans(),
)
def test_no_peer_trains_in_any_round_on_what_another_validates_on(per_class, drifts, by_class):
    given = pools(per_class, by_class)
    split = split_of(given)
    asked = [
        Drift(f"f#{n}", peer, t, "next", steps, t + steps + 1 if ends else None)
        for n, (peer, t, steps, ends) in enumerate(drifts)
    ]
    found = changes(*asked, given=given, split=split)
    every = [*split.values(), *(c.data for each in found.values() for c in each)]
    trained, validated = (
        np.concatenate(each) for each in ([d.train for d in every], [d.validation for d in every])
    )
    assert not np.intersect1d(trained, validated).size
    assert all(len(np.unique(d.train)) == len(d.train) > 0 for d in every)


def test_equal_arguments_give_equal_images_whatever_the_order_of_peers():
    one = changes(drift("p0"), drift("p3", to=0))
    other = changes(drift("p3", to=0), drift("p0"))
    for peer in ("p0", "p3"):
        assert one[peer][0].data.train.tolist() == other[peer][0].data.train.tolist()


def test_over_rounds_a_share_more_is_new_in_each_round_and_half_decides_the_group():
    given = pools()
    split = split_of(given)
    found = changes(drift(over_rounds=4), given=given, split=split)["p0"]
    assert [change.round for change in found] == [3, 4, 5, 6]
    assert [change.data.group for change in found] == [0, 2, 2, 2]
    old, last = split["p0"].train, found[-1].data.train
    assert [len(np.intersect1d(c.data.train, old)) for c in found] == [12, 8, 4, 0]
    assert [len(np.intersect1d(c.data.train, last)) for c in found] == [4, 8, 12, 16]
    left = [set(np.intersect1d(c.data.train, old)) for c in found]
    assert left[0] > left[1] > left[2]


def test_a_drift_that_ends_gives_back_what_was_there():
    split = split_of(pools())
    there, back = changes(drift(until=6), split=split)["p0"]
    assert (there.round, back.round, back.fault, back.data.group) == (3, 6, "", 0)
    assert back.data.train.tolist() == split["p0"].train.tolist()


def test_next_counts_from_the_group_that_the_peer_has_then():
    found = changes(drift("p4", 1, "next"), drift("p4", 2, "next"), drift("p4", 4, "next"))["p4"]
    assert [change.data.group for change in found] == [0, 1, 2]


def test_the_last_drift_that_began_holds_and_then_the_one_before():
    outer, inner = Drift("a#0", "p0", 1, 1, until=8), Drift("b#0", "p0", 3, 2, until=5)
    found = changes(outer, inner)["p0"]
    told = [(change.round, change.fault, change.data.group) for change in found]
    assert told == [(1, "a#0", 1), (3, "b#0", 2), (5, "a#0", 1), (8, "", 0)]
    assert found[2].data.train.tolist() == found[0].data.train.tolist()


def test_what_would_happen_after_the_run_is_left_out():
    found = changes(drift(over_rounds=4, until=8), rounds=5)["p0"]
    assert [change.round for change in found] == [3, 4]
    assert changes(drift(t=5), rounds=5) == {}


@pytest.mark.parametrize("to", [1, "next"])
def test_where_groups_are_no_mix_of_classes_the_groups_own_images_are_dealt(to):
    """As with users' code, whose groups may have the same classes and other images."""
    given = pools(by_class=False)
    split = split_of(given)
    (change,) = changes(drift(to=to), given=given, split=split)["p0"]
    mates = [split["p2"], split["p3"]]
    assert set(change.data.train) <= {i for each in mates for i in each.train}
    assert set(change.data.validation) <= {i for each in mates for i in each.validation}
