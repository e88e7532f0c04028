"""drift: what a scenario may ask, how it compiles, and what the injector makes of reports."""

import pytest
from hand_faults import fault, full, neighbors, plan, scenario
from test_injector import GO, NotingPeers

from prisam_p2p.control.messages import TrainedOnNewData
from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.barrier_plan import barriers_of
from prisam_p2p.faults.drifts import drifts_in, drifts_of
from prisam_p2p.faults.fault_plan import AtRound, AtTime, HealAtRound, Occurrence
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.remaining import ResumePoint, left_of
from prisam_p2p.learn.data_in_time import Drift
from prisam_p2p.measure import records

GROUPS = full(6, groups=3)


def drift(rest="", peers='["p00"]', to='"next"', at='{ round = 3, phase = "train" }'):
    return fault(f"peers = {peers}\nto = {to}\n{rest}", kind="drift", at=at)


def compiled(text, targets=GROUPS):
    return plan(text, targets)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (drift(to='"other"'), 'expected the number of a data group, or "next"'),
        (drift(to="-1"), 'expected the number of a data group, or "next"'),
        (drift("over_rounds = 0"), "at least 1"),
        (drift(at='{ round = 3, phase = "pull" }'), "a round begins with its training"),
        (drift(at="{ time_s = 3.0 }"), "data change with a round"),
        (drift(at='{ event = "transfer", share = 0.5, round = 2 }'), "data change with a round"),
        (drift("heal = { after_s = 3 }"), "data change with a round"),
        (drift("over_rounds = 3\nheal = { rounds = 2 }"), "at least over_rounds, 3"),
        (drift(peers='{ host = "h1" }'), "does not depend on where it lives"),
    ],
)
def test_what_is_no_drift_is_refused(text, told):
    with pytest.raises(ConfigError) as caught:
        scenario(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "targets", "told"),
    [
        (drift(), full(6), "data in two groups or more"),
        (drift(), full(6, groups=1), "data in two groups or more"),
        (drift(to="3"), GROUPS, 'one of 0, 1, 2, or "next"'),
        (drift(to="0"), GROUPS, "a peer that is not of data group 0 already"),
        (drift(to="0", peers="{ data_group = 0 }"), GROUPS, "at least one peer"),
    ],
)
def test_a_drift_that_the_data_do_not_allow_is_refused(text, targets, told):
    with pytest.raises(ConfigError) as caught:
        compiled(text, targets)
    assert told in str(caught.value)


def test_peers_that_are_of_the_group_already_are_not_drawn():
    for seed in range(5):
        (one,) = plan(drift(to="1", peers="{ pick = 4 }"), GROUPS, seed=seed).occurrences
        assert one.peers == ["p00", "p01", "p04", "p05"]


def test_a_peer_that_is_down_drifts_too():
    """Its data do not depend on whether its process is there."""
    down = fault('peers = ["p00"]', id="k", at='{ round = 1, phase = "train" }')
    _, one = compiled(f"{down}\n\n{drift()}").occurrences
    assert (one.peers, one.already_down) == (["p00"], 0)


def test_a_plan_tells_the_drifts_of_each_peer(tmp_path):
    text = drift("over_rounds = 2", peers='["p00", "p03"]')
    again = "every = { rounds = 4, from = 1, until = 5 }\nheal = { rounds = 2 }"
    every = fault(
        f'peers = ["p05"]\nto = 1\n{again}', id="g", kind="drift", at='{ phase = "train" }'
    )
    found = drifts_of(compiled(f"{text}\n\n{every}"))
    assert found == [
        Drift("f#0", "p00", 3, "next", 2, None),
        Drift("f#0", "p03", 3, "next", 2, None),
        Drift("g#0", "p05", 1, 1, 1, 3),
        Drift("g#1", "p05", 5, 1, 1, 7),
    ]
    assert drifts_in(None, None, None) == []


def test_a_plan_with_a_drift_by_the_clock_is_none():
    (one,) = compiled(drift()).occurrences
    with pytest.raises(ValueError, match="data change there"):
        Occurrence.model_validate(one.model_dump() | {"trigger": AtTime(time_s=1.0)})


# -- in a run ----------------------------------------------------------------------------


@pytest.fixture
def made():
    """Return an injector of a drift of p00 in rounds 3 and 4, its peers and its notes."""
    found, peers, notes = compiled(drift("heal = { rounds = 2 }")), NotingPeers(), []
    injector = Injector(found, peers, notes.append, barriers_of(found, neighbors(GROUPS)))
    injector.begin(0.0)
    return injector, peers, notes


def trained(fault="f#0", new=30, t=3):
    return TrainedOnNewData(t, fault, 1, 32, new)


APPLIED = records.FaultApplied("f#0", "drift", "p00", 0.0)
VERIFIED = records.FaultVerified(
    "f#0",
    "p00",
    "it trained in round 3: 30 of 32 training images were new, most are of data group 1",
)


def test_it_is_applied_at_the_barrier_proved_by_the_training_and_healed(made):
    injector, peers, notes = made
    injector.at_barrier("p00", (3, "train"), 1.0)
    assert (peers.take(), notes) == ([("p00", GO)], [APPLIED])  # and nothing is sent
    injector.on_report("p00", trained("other#0"), 1.5)
    injector.on_report("p00", trained(new=0), 1.6)
    assert notes == [APPLIED]  # the images of another drift, or none that are new, prove nothing
    injector.on_report("p00", trained(), 1.7)
    assert notes == [APPLIED, VERIFIED]
    injector.at_barrier("p00", (5, "train"), 2.0)
    assert notes[2:] == [records.FaultHealed("f#0", "p00")]


def test_a_peer_that_was_down_at_the_barrier_tells_when_it_is_back(made):
    injector, _, notes = made
    injector.on_report("p00", trained(), 4.0)
    assert notes == [APPLIED, VERIFIED]


def test_the_end_of_the_rounds_heals_no_data(made):
    injector, _, notes = made
    injector.at_barrier("p00", (3, "train"), 1.0)
    injector.heal_all(9.0)
    assert notes == [APPLIED]


def test_a_resumed_run_goes_on_with_it_and_no_earlier_than_planned():
    whole = compiled(drift())
    history = [{"record": "fault_applied", "fault": "f#0", "peer": "p00", "t_s": 5.0}]
    for first_round, begins in ((2, 3), (4, 4)):
        (one,) = left_of(whole, history, ResumePoint(0.0, 6.0, first_round)).occurrences
        assert one.trigger == AtRound(round=begins, phase="train")
    assert not isinstance(one.heal, HealAtRound)
