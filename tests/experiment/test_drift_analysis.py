"""How soon the groups that peers find follow data groups that change."""

from prisam_p2p.experiment.drift_analysis import drifted_peers, rounds_to_follow
from prisam_p2p.plan.data_groups import DataGroups, Period

STAYS = [Period(0, 1)]
ONE = DataGroups({"a": [Period(0, 0, 3), Period(3, 1)], "b": STAYS})
TWO = DataGroups({"a": [Period(0, 0, 3), Period(3, 1, 5), Period(5, 0)], "b": STAYS})


def test_both_the_round_of_the_drift_and_that_of_the_index_count():
    assert rounds_to_follow(ONE, {2: 1.0, 3: 1.0, 4: 0.5}) == {3: 1}
    assert rounds_to_follow(ONE, {2: 1.0, 3: 0.4, 4: 0.6, 5: 1.0, 6: 1.0}) == {3: 3}


def test_what_was_never_followed_has_no_number():
    assert rounds_to_follow(ONE, {2: 1.0, 3: 0.4, 4: 0.99}) == {3: None}


def test_a_drift_that_ends_first_was_not_followed():
    assert rounds_to_follow(TWO, {3: 0.4, 4: 0.6, 5: 1.0}) == {3: None, 5: 1}


def test_without_an_index_there_is_nothing_to_follow():
    assert rounds_to_follow(ONE, {}) == rounds_to_follow(ONE, {0: 1.0}) == {}
    assert rounds_to_follow(DataGroups({"b": STAYS}), {0: 1.0}) == {}


def test_drifted_peers_are_those_whose_group_changes():
    assert drifted_peers(TWO) == {"a"}
