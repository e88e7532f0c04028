import numpy as np
import pytest
from hand_faults import fault, full, plan, star

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.compiler.draft import occurrence_generator
from prisam_p2p.faults.fault_plan import (
    AfterFault,
    AtRound,
    AtTime,
    AtTransfer,
    HealAfter,
    HealAtRound,
    HealNever,
)

ALL = 'peers = "all"'
PICK = "peers = { pick = 3 }"
EACH_ROUND = '{ phase = "train" }'


def only(text, **kwargs):
    (occurrence,) = plan(text, **kwargs).occurrences
    return occurrence


def triggers(text, **kwargs):
    return [each.trigger for each in plan(text, **kwargs).occurrences]


# --- draws ---


def test_the_generator_is_the_documented_one():  # xxh3-64 of "churn" is 0x0b36258d35aaa5cf
    words = [7, 0x35AAA5CF, 0x0B36258D, 2]
    expected = np.random.default_rng(np.random.SeedSequence(words)).random(4)
    assert occurrence_generator(7, "churn", 2).random(4).tolist() == expected.tolist()


def test_seed_fault_and_occurrence_each_change_the_draws():
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1)]
    assert len({occurrence_generator(*key).random() for key in keys}) == 4


def test_equal_arguments_give_equal_bytes():
    text = fault(PICK + "\nevery = { rounds = 1 }", kind="pause", at=EACH_ROUND)
    assert plan(text).to_json() == plan(text).to_json()
    assert plan(text).to_json() != plan(text, seed=1).to_json()


def test_one_more_fault_changes_no_others_draws():
    churn = fault(PICK + "\nevery = { rounds = 1 }", id="churn", kind="restart", at=EACH_ROUND)
    rain = fault(
        PICK + '\nevery = { seconds = 1, until_s = 9, distribution = "exponential" }\n'
        "heal = { after_s = 1 }",
        id="rain",
        kind="slow",
        at=None,
    )
    more = fault(PICK + "\nevery = { rounds = 1 }", id="more", kind="isolate", at=EACH_ROUND)
    alone = plan(f"{churn}\n\n{rain}").occurrences
    beside = [o for o in plan(f"{more}\n\n{rain}\n\n{churn}").occurrences if o.fault != "more"]
    assert {o.id: o for o in alone} == {o.id: o for o in beside}


def test_one_more_occurrence_changes_no_others_draws():
    text = fault(PICK + "\nevery = { rounds = 1 }", kind="slow", at=EACH_ROUND)
    short, long = plan(text, rounds=5).occurrences, plan(text, rounds=9).occurrences
    assert long[:5] == short
    later = text.replace("{ rounds = 1 }", '{ seconds = 1, until_s = 5, distribution = "uniform" }')
    later = later.replace("at = " + EACH_ROUND, "heal = { after_s = 1 }")
    few, many = plan(later).occurrences, plan(later.replace("= 5", "= 50")).occurrences
    assert few == many[: len(few)]


# --- triggers ---


def test_a_phase_a_time_and_a_transfer_are_taken_over():
    assert only(fault(ALL)).trigger == AtRound(round=1, phase="train")
    assert only(fault(ALL, at="{ time_s = 2.5 }")).trigger == AtTime(time_s=2.5)
    transfer = '{ event = "transfer", share = 0.5 }'
    assert only(fault(ALL, at=transfer)).trigger == AtTransfer(event="transfer", share=0.5)
    transfer = '{ event = "transfer", share = 0.5, round = 3 }'
    assert only(fault(ALL, at=transfer)).trigger.round == 3


def test_a_liar_without_a_trigger_lies_from_the_start():
    assert only(fault(ALL, kind="nan", at=None)).trigger == AtRound(round=0, phase="train")


@pytest.mark.parametrize(
    ("every", "rounds"),
    [
        ("{ rounds = 1 }", [0, 1, 2, 3, 4, 5]),
        ("{ rounds = 2, from = 1 }", [1, 3, 5]),
        ("{ rounds = 1, from = 1, until = 3 }", [1, 2, 3]),
        ("{ rounds = 2, until = 3 }", [0, 2]),
        ("{ rounds = 1, from = 4, until = 99 }", [4, 5]),
    ],
)
def test_every_so_many_rounds(every, rounds):
    found = plan(fault(f"{ALL}\nevery = {every}", kind="slow", at=EACH_ROUND), rounds=6)
    assert [o.trigger for o in found.occurrences] == [
        AtRound(round=each, phase="train") for each in rounds
    ]
    assert [o.id for o in found.occurrences] == [f"f#{n}" for n in range(len(rounds))]


def rain(every, at=None):
    return [
        each.time_s
        for each in triggers(
            fault(f"{ALL}\nevery = {every}\nheal = {{ never = true }}", kind="slow", at=at)
        )
    ]


def test_every_so_many_seconds_begins_a_gap_after_the_start_and_includes_the_end():
    assert rain("{ seconds = 4.0, until_s = 12 }") == [4.0, 8.0, 12.0]
    assert rain("{ seconds = 4, until_s = 12 }", at="{ time_s = 3 }") == [7.0, 11.0]
    assert len(rain("{ seconds = 0.1, until_s = 1000 }")) == 10_000


@pytest.mark.parametrize(("distribution", "most"), [("exponential", np.inf), ("uniform", 4.0)])
def test_drawn_gaps_have_the_mean(distribution, most):
    times = rain(f'{{ seconds = 2.0, until_s = 4000, distribution = "{distribution}" }}')
    gaps = np.diff(times)
    assert times == sorted(times)
    assert abs(gaps.mean() - 2.0) < 0.15
    assert gaps.max() <= most
    spread = 2.0 if distribution == "exponential" else 4.0 / np.sqrt(12)
    assert abs(gaps.std() - spread) < 0.15


def test_a_fault_after_another_comes_as_often():
    first = fault(ALL + "\nevery = { rounds = 4 }", id="a", kind="pause", at=EACH_ROUND)
    at = '{ after = "a", edge = "healed", delay_s = 0.5 }'
    second = fault(ALL, id="b", at=at)
    third = fault(ALL, id="c", at='{ after = "b", edge = "applied" }')
    found = plan("\n\n".join([third, second, first])).occurrences
    assert [o.id for o in found] == [f"{id}#{n}" for id in "cba" for n in range(3)]
    assert found[4].trigger == AfterFault(after="a#1", edge="healed", delay_s=0.5)
    assert found[2].trigger == AfterFault(after="b#2", edge="applied", delay_s=0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            fault(ALL, at='{ round = 12, phase = "pull" }'),
            r"f\.at\.round = 12: expected a round below 12",
        ),
        (
            fault(ALL, at='{ event = "transfer", share = 1, round = 12 }'),
            r"f\.at\.round = 12: expected a round below 12",
        ),
        (
            fault(ALL + "\nevery = { rounds = 1, from = 12 }", at=EACH_ROUND),
            r"f\.every\.from = 12: expected a round below 12, the rounds of the run",
        ),
        (
            fault(ALL + "\nevery = { seconds = 9, until_s = 8 }", at=None),
            r"f\.every\.until_s = 8\.0: expected a later end: no occurrence comes before it",
        ),
        (
            fault(ALL + "\nevery = { seconds = 0.001, until_s = 10.0015 }", at=None),
            r"f\.every = \(too many\): expected at most 10000 occurrences",
        ),
        (fault('peers = ["p77"]'), r"f\.peers = 'p77': expected one of the 10 peers"),
        (fault('links = ["p00-p77"]', kind="cut"), r"f\.links = 'p00-p77': expected a link of"),
    ],
)
def test_refusals_of_what_this_run_has_not(text, message):
    with pytest.raises(ConfigError, match=r"^scenario hand: " + message):
        plan(text)


def test_too_many_rounds_are_too_many_occurrences():
    text = fault(ALL + "\nevery = { rounds = 1 }", kind="slow", at=EACH_ROUND)
    with pytest.raises(ConfigError, match=r"at most 10000 occurrences"):
        plan(text, full(2), rounds=10_001)
    assert len(plan(text, full(2), rounds=10_000).occurrences) == 10_000


# --- ends ---


@pytest.mark.parametrize(
    ("text", "heal"),
    [
        (fault(ALL), HealNever()),
        (fault(ALL, kind="pause"), HealAtRound(round=2)),
        (fault(ALL + "\nheal = { rounds = 3 }", kind="pause"), HealAtRound(round=4)),
        (fault(ALL + "\nheal = { rounds = 99 }", kind="pause"), HealAtRound(round=100)),
        (fault(ALL + "\nheal = { after_s = 3 }", kind="pause"), HealAfter(after_s=3)),
        (fault(ALL + "\nheal = { rounds = 2 }"), HealAtRound(round=3)),
        (fault(ALL, kind="restart"), HealAfter(after_s=0)),
        (fault(ALL + "\ndown_s = 1.5", kind="restart"), HealAfter(after_s=1.5)),
        (fault(ALL + "\nheal = { rounds = 2 }", kind="restart"), HealAtRound(round=3)),
        (fault(ALL, kind="restart", at="{ time_s = 4 }"), HealAfter(after_s=0)),
        (fault(ALL, kind="spoofed"), HealNever()),
        (
            fault(ALL, kind="pause", at='{ event = "transfer", share = 1, round = 4 }'),
            HealAtRound(round=5),
        ),
    ],
)
def test_an_end_is_reckoned_from_the_trigger(text, heal):
    assert only(text).heal == heal


# --- whom ---


def test_who_is_isolated_loses_all_links_each_way():
    occurrence = only(fault('peers = ["p01", "p02"]', kind="isolate"), targets=star(4))
    assert occurrence.peers == ["p01", "p02"]
    assert occurrence.links == [("p00", "p01"), ("p00", "p02"), ("p01", "p00"), ("p02", "p00")]


def test_a_fault_of_links_hits_all_of_them_if_it_names_none():
    occurrence = only(fault("loss = 0.02", kind="shape"), targets=star(4))
    assert (occurrence.peers, len(occurrence.links)) == ([], 6)
    assert occurrence.concerned == ["p00", "p01", "p02", "p03"]


def test_a_cut_can_be_one_way():
    text = fault('links = { of = ["p01"] }\none_way = true', kind="cut")
    assert only(text, targets=star(3)).links == [("p01", "p00")]
