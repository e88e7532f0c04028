"""Groupings of users' code."""

import re

import numpy as np
import pytest

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.errors import ConfigError
from prisam_p2p.peer.own_grouping import own_groups

MASKS = {
    p: PackedMask.pack(np.array(bits, bool))
    for p, bits in {"b": [1, 0, 1], "a": [1, 1, 1], "c": [0, 0, 0]}.items()
}


def groups(function, seeds=(5, 2)):
    return own_groups(function, "./mine.py:groups", MASKS, "b", 2, seeds)


def test_the_code_gets_masks_of_bools_and_its_labels_are_numbered_by_peer():
    told = {}

    def function(masks, me, k, rng):
        told.update(masks=masks, me=me, k=k)
        return {peer: 9 if mask[0] else 4 for peer, mask in masks.items()}

    assert groups(function).labels == {"a": 0, "b": 0, "c": 1}
    assert groups(function).of("b") == ("a", "b")
    assert (told["me"], told["k"]) == ("b", 2)
    assert told["masks"]["a"].tolist() == [True, True, True]


def test_the_generator_follows_from_seed_and_round():
    drawn = []

    def function(masks, me, k, rng):
        drawn.append(rng.random())
        return dict.fromkeys(masks, 0)

    for seeds in ((5, 2), (5, 2), (5, 3)):
        groups(function, seeds)
    assert drawn[0] == drawn[1] != drawn[2]


WRONG = {
    "a peer is missing": (lambda m, me, k, r: {"a": 0}, "each of a, b, c"),
    "a stranger": (lambda m, me, k, r: {**dict.fromkeys(m, 0), "z": 1}, "and no other"),
    "no number": (lambda m, me, k, r: dict.fromkeys(m, "x"), "the number of its group"),
    "nothing": (lambda m, me, k, r: None, "TypeError"),
    "fails": (lambda m, me, k, r: m["z"], r"test_own_grouping\.py, line \d+: KeyError"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_groups_say_what_would_be_right(wrong):
    function, why = WRONG[wrong]
    with pytest.raises(ConfigError) as caught:
        groups(function)
    assert re.search(why, str(caught.value)), caught.value
    assert str(caught.value).startswith("--grouping = './mine.py:groups': expected ")
