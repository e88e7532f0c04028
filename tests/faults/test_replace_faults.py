"""replace: what a scenario may ask, how it compiles, and what the injector makes of reports."""

import pytest
from hand_faults import fault, full, neighbors, plan, scenario

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.barrier_plan import barriers_of

GROUPS = full(6, groups=3)
EVERY_ROUND = '{ phase = "train" }'


def replace(rest="", peers='["p00"]', at='{ round = 3, phase = "train" }', id="r"):
    return fault(f"peers = {peers}\n{rest}", id=id, kind="replace", at=at)


def told(text, **kwargs):
    found = plan(text, GROUPS, **kwargs)
    return [(each.id, each.kind, each.peers) for each in found.occurrences]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (replace('to = "other"'), 'expected the number of a data group, "same" or "next"'),
        (replace(at='{ round = 3, phase = "pull" }'), "a round begins with its training"),
        (replace(at="{ time_s = 3.0 }"), "data change with a round"),
        (replace("heal = { rounds = 2 }"), "a device that left does not come back"),
        (replace(peers='{ host = "h1" }'), "does not depend on where it lives"),
    ],
)
def test_what_is_no_replacement_is_refused(text, right):
    with pytest.raises(ConfigError) as caught:
        scenario(text)
    assert right in str(caught.value)


@pytest.mark.parametrize(
    ("text", "targets", "right"),
    [
        (replace(), full(6), "data in two groups or more"),
        (replace("to = 3"), GROUPS, 'one of 0, 1, 2, or "same" or "next"'),
    ],
)
def test_a_replacement_that_the_data_do_not_allow_is_refused(text, targets, right):
    with pytest.raises(ConfigError) as caught:
        plan(text, targets)
    assert right in str(caught.value)


def test_one_leaves_and_another_one_comes_at_one_barrier():
    found = plan(replace(), GROUPS)
    assert told(replace()) == [
        ("r-leaves#0", "leave", ["p00"]),
        ("r#0", "replace", ["p00-1"]),
    ]
    assert found.peers == ["p00", "p00-1", "p01", "p02", "p03", "p04", "p05"]
    near = neighbors(GROUPS) | {"p00-1": neighbors(GROUPS)["p00"]}
    barriers = barriers_of(found, near)
    assert set(barriers) == {*found.peers}
    assert {at for each in barriers.values() for at in each} == {(3, "train")}


def test_a_place_that_changes_hands_again_gets_the_next_id():
    text = replace("every = { rounds = 2, from = 1, until = 6 }", at=EVERY_ROUND)
    leaving = [peers for _, kind, peers in told(text) if kind == "leave"]
    coming = [peers for _, kind, peers in told(text) if kind == "replace"]
    assert leaving[:3] == [["p00"], ["p00-1"], ["p00-2"]]
    assert coming[:3] == [["p00-1"], ["p00-2"], ["p00-3"]]


def test_a_share_of_the_places_changes_hands_in_each_round():
    text = replace("every = { rounds = 1, from = 1 }", peers="{ percent = 50 }", at=EVERY_ROUND)
    found = plan(text, GROUPS, rounds=5)
    assert [len(each.peers) for each in found.occurrences] == [3] * 8
    assert len(found.peers) == 6 + 4 * 3


def test_a_place_counts_as_one_that_is_up():
    """Turnover loses no device, so that it does not use up what the guard allows."""
    text = replace("every = { rounds = 1, from = 1 }", peers="{ percent = 50 }", at=EVERY_ROUND)
    later = fault("peers = { pick = 1 }", id="k", at='{ round = 8, phase = "train" }')
    found = plan(f"{text}\n\n{later}", GROUPS, guard="1")
    assert all(len(each.peers) == 3 for each in found.occurrences if each.fault != "k")


def test_no_other_fault_hits_a_device_that_has_left():
    killed = fault('peers = ["p00"]', id="k", at='{ round = 5, phase = "train" }')
    one = plan(f"{replace()}\n\n{killed}", GROUPS).occurrences[-1]
    assert (one.peers, one.already_down) == ([], 1)


def test_a_device_that_is_down_is_not_replaced():
    killed = fault('peers = ["p00"]', id="k", at='{ round = 1, phase = "train" }')
    assert told(f"{killed}\n\n{replace()}")[1:] == [
        ("r-leaves#0", "leave", []),
        ("r#0", "replace", []),
    ]
