"""The images of devices that take the place of others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from test_data_in_time import PEERS, classes, pools, split_of

from prisam_p2p.learn.newcomers import Newcomer, data_of_newcomers


def dealt(*newcomers, given=None, split=None):
    given = given or pools()
    split = split or split_of(given)
    return data_of_newcomers(split, newcomers, given, np.random.default_rng(1))


def all_images(data):
    return np.r_[data.train, data.validation]


def test_a_newcomer_gets_as_many_images_of_its_predecessors_classes():
    given = pools()
    split = split_of(given)
    new = dealt(Newcomer("p0-1", "p0", "same"), given=given, split=split)["p0-1"]
    old = split["p0"]
    assert (new.group, len(new.train), len(new.validation)) == (
        old.group,
        len(old.train),
        len(old.validation),
    )
    assert classes(given, new.train) == classes(given, old.train)


def test_they_come_from_the_reserve_that_nobody_has():
    given = pools()
    split = split_of(given)
    found = dealt(Newcomer("p0-1", "p0", "same"), Newcomer("p3-1", "p3", 0), split=split)
    before = np.concatenate([all_images(each) for each in split.values()])
    new = np.concatenate([all_images(each) for each in found.values()])
    assert not np.intersect1d(before, new).size
    assert len(np.unique(new)) == len(new)


def test_the_group_may_be_named_or_counted_from_the_predecessors():
    found = dealt(
        Newcomer("p0-1", "p0", 2),
        Newcomer("p0-2", "p0-1", "next"),
        Newcomer("p0-3", "p0-2", "same"),
    )
    assert [each.group for each in found.values()] == [2, 0, 0]


@given(
    per_class=st.integers(30, 60),
    places=st.lists(st.tuples(st.sampled_from(PEERS), st.sampled_from(["same", "next", 1]))),
    by_class=st.booleans(),
)
def test_nobody_trains_on_what_another_validates_on(per_class, places, by_class):
    given = pools(per_class, by_class)
    split = split_of(given)
    asked, holders = [], {peer: peer for peer in PEERS}
    for n, (place, to) in enumerate(places):
        asked.append(Newcomer(f"{place}-{n}", holders[place], to))
        holders[place] = f"{place}-{n}"
    every = [*split.values(), *dealt(*asked, given=given, split=split).values()]
    trained, validated = (
        np.concatenate(each) for each in ([d.train for d in every], [d.validation for d in every])
    )
    assert not np.intersect1d(trained, validated).size


def test_equal_arguments_give_equal_images():
    one, other = (dealt(Newcomer("p0-1", "p0", "next"))["p0-1"] for _ in range(2))
    assert one.train.tolist() == other.train.tolist()
    assert one.test.tolist() == other.test.tolist()
