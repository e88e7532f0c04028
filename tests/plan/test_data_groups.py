"""Which data group each peer is of, in every round."""

from hand_plans import plan_of

from prisam_p2p.plan.data_groups import DataGroups, Period, data_groups


def plan(**peers):
    """Return a plan.json of peers: the first group, then (round, group) of each change."""
    return {
        "peers": {
            peer: {"group": first, "data_changes": [{"round": t, "group": g} for t, g in changes]}
            for peer, (first, *changes) in peers.items()
        }
    }


def test_groups_follow_the_changes_of_data():
    found = data_groups(plan(a=[0, (3, 1), (5, 0)], b=[1]))
    assert [found.groups_at(t)["a"] for t in range(7)] == [0, 0, 0, 1, 1, 0, 0]
    assert {found.groups_at(t)["b"] for t in range(7)} == {1}
    assert (found.last_of("a"), found.last_of("b"), found.last_of("nobody")) == (0, 1, None)


def test_a_change_that_leaves_most_images_in_the_group_is_none_of_the_group():
    found = data_groups(plan(a=[0, (3, 0), (4, 1), (5, 1)]))
    assert found.periods == {"a": [Period(0, 0, 4), Period(4, 1)]}
    assert found.changed == {4: ["a"]}


def test_members_are_those_of_the_round():
    found = data_groups(plan(a=[0, (2, 1)], b=[0], c=[1]))
    assert found.members_at(1, "a") == ["a", "b"]
    assert found.members_at(2, "a") == ["a", "c"]
    assert found.moments() == [0, 2]


def test_a_peer_that_is_absent_in_a_round_is_of_no_group_then():
    found = DataGroups({"gone": [Period(0, 0, 3)], "new": [Period(3, 1)], "b": [Period(0, 1)]})
    assert found.groups_at(2) == {"gone": 0, "b": 1}
    assert found.groups_at(3) == {"new": 1, "b": 1}
    assert found.changed == {}
    assert found.members_at(3, "gone") == []


def test_plans_of_earlier_releases_have_no_changes():
    found = data_groups({"peers": {"a": {"group": 2}, "b": {"group": None}}})
    assert found.groups_at(9) == {"a": 2, "b": None}


def test_what_is_no_plan_has_no_groups():
    changes = [{"round": -3, "group": 1}, {"round": "x"}, 7, {"round": 4, "group": "red"}]
    odd = {"peers": {"a": {"group": [], "data_changes": changes}, "b": 3, "c": {"data_changes": 1}}}
    assert data_groups(odd).groups_at(5) == dict.fromkeys("abc")
    assert data_groups({}).groups_at(0) == data_groups({"peers": [1]}).groups_at(0) == {}


def test_a_plan_tells_its_own():
    found = plan_of()
    assert found.data_groups().groups_at(0) == {p: x.group for p, x in found.peers.items()}
    assert data_groups(found.model_dump(mode="json")).periods == found.data_groups().periods
