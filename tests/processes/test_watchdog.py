"""Who stands still, and who is ended for it: by hand, and as properties of any course of events."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.control.activity import Activity, Slot
from prisam_p2p.processes.sampling import Sample
from prisam_p2p.processes.watchdog import Seen, Watchdog
from prisam_p2p.processes.watched_time import MOST_STEP_S, Silence, WatchedTime
from prisam_p2p.system.process_state import ProcessState

TIMEOUT_S = 60.0
NUMBERS = {name: 100 + i for i, name in enumerate("abcdefgh")}


def seen(peer, letter="S", *, cpu_s=1.0, progress=7, left_s=None, waits_for=(), **slot):
    """A look at a peer that shows no progress; without a deadline (`left_s`) it computes."""
    slot = Slot(progress, **{"activity": Activity.TRAINING, "round_index": 3, **slot})
    state = ProcessState(letter, cpu_s) if letter else None
    return Seen(Sample(NUMBERS[peer], slot, state, left_s), tuple(waits_for))


def looks(watchdog, looks_at, began_s=0.0, step_s=1.0):
    """Take in the looks, one a second, and return what was found at each."""
    return [
        watchdog.look(
            {p: each for p, each in zip(NUMBERS, at, strict=False) if each}, began_s + i * step_s
        )
        for i, at in enumerate(looks_at)
    ]


def ended(found):
    return [stall.peer for each in found for stall in each.to_end]


STILL = {
    "stopped": seen("a", "T"),
    "stopped by a debugger": seen("a", "t"),
    "without processor time": seen("a", "S"),
    "held up by the disk": seen("a", "D"),
    "beyond the deadline of its wait": seen("a", "S", left_s=-0.1),
}
GETS_ON = {
    "it shows progress": lambda i: seen("a", None, progress=i),
    "its main thread computes": lambda i: seen("a", "S", cpu_s=i * 0.01),
    "it computes between looks at the disk": lambda i: seen("a", "D", cpu_s=i * 0.01),
    "it is about to run": lambda _: seen("a", "R"),
    "its wait may still last": lambda _: seen("a", "S", left_s=0.0),
    "it has ended": lambda _: seen("a", "Z"),
}


@pytest.mark.parametrize("reason", STILL)
def test_who_stands_still_is_noticed_soon_and_ended_after_the_timeout(reason):
    found = looks(Watchdog(TIMEOUT_S), [[STILL[reason]]] * 70)
    noticed = [(i, stall) for i, each in enumerate(found) for stall in each.noticed]
    assert [(i, stall.peer, stall.reason) for i, stall in noticed] == [(3, "a", reason)]
    assert noticed[0][1].since_s == 2.0
    first = next(i for i, each in enumerate(found) if each.to_end)
    assert first - 1 == TIMEOUT_S  # it is known to stand still from the second look on


@pytest.mark.parametrize("why", GETS_ON)
def test_who_gets_on_is_never_ended(why):
    found = looks(Watchdog(TIMEOUT_S), [[GETS_ON[why](i)] for i in range(200)])
    assert [each for each in found if each.noticed or each.to_end or each.over] == []


def test_what_is_said_of_it():
    watchdog = Watchdog(TIMEOUT_S)
    looks(watchdog, [[seen("a", "T")]] * 14)
    assert [stall.words for stall in watchdog.stalls] == [
        "stopped for 12 s while training in round 3"
    ]
    before = Watchdog(TIMEOUT_S)
    starting = seen("a", "T", activity=Activity.STARTING, round_index=-1)
    looks(before, [[starting]] * 5)
    assert [stall.words for stall in before.stalls] == ["stopped for 3 s while starting"]


def test_the_longest_comes_first():
    watchdog = Watchdog(TIMEOUT_S)
    looks(watchdog, [[seen("a"), seen("b", "T")]] + [[seen("a", "T"), seen("b", "T")]] * 5)
    assert [stall.peer for stall in watchdog.stalls] == ["a", "b"]
    looks(watchdog, [[seen("a", None, progress=8), seen("b", "T")]], 6.0)
    assert [stall.peer for stall in watchdog.stalls] == ["b"]


def test_who_moves_on_is_told_of_and_begins_anew():
    watchdog = Watchdog(TIMEOUT_S)
    found = looks(watchdog, [[seen("a", "T")]] * 10 + [[seen("a", None, progress=8)]])
    assert [(stall.peer, stall.since_s) for stall in found[-1].over] == [("a", 8.0)]
    assert ended(looks(watchdog, [[seen("a", "T", progress=8)]] * 60, 11.0)) == []


def test_a_process_that_replaces_a_stalled_one_begins_anew():
    watchdog = Watchdog(3.0)
    looks(watchdog, [[seen("a", "T")]] * 3)
    next_one = replace(seen("a", "T"), sample=replace(seen("a", "T").sample, number=999))
    found = looks(watchdog, [[next_one]] * 3, 3.0)
    assert ended(found) == []
    assert [each.over for each in found] == [[]] * 3  # the other one never moved


def test_a_process_that_is_gone_is_forgotten():
    watchdog = Watchdog(TIMEOUT_S)
    found = looks(watchdog, [[seen("a", "T")]] * 10 + [[None]])
    assert (found[-1].over, watchdog.stalls) == ([], [])


def test_the_first_look_at_a_computing_process_tells_nothing():
    """Its CPU time has nothing to be compared with."""
    found = looks(Watchdog(1.0), [[seen("a", None, progress=7)], [seen("a", "S")]])
    assert ended(found) == []


def test_the_fault_plan_may_stop_a_peer_for_as_long_as_it_likes():
    held = {"a"}
    watchdog = Watchdog(TIMEOUT_S, is_held=held.__contains__)
    waits = seen("b", "S", left_s=-1.0, waits_for="a")
    assert ended(looks(watchdog, [[seen("a", "T"), waits]] * 500)) == []
    assert watchdog.stalls == []
    held.clear()  # healed, and yet it does not go on
    assert ended(looks(watchdog, [[seen("a", "T"), waits]] * 61, 500.0))[0] == "a"


def test_a_peer_that_is_slowed_down_by_stops_is_judged_by_what_it_does():
    watchdog = Watchdog(TIMEOUT_S, is_slowed=lambda peer: peer == "a")
    computes = [[seen("a", "T", cpu_s=i * 0.02)] for i in range(200)]
    assert ended(looks(watchdog, computes)) == []
    waits = [[seen("a", "T", left_s=5.0)]] * 200
    assert ended(looks(watchdog, waits, 200.0)) == []
    hangs = [[seen("a", "T", cpu_s=9.0)]] * 100
    assert ended(looks(watchdog, hangs, 400.0))[0] == "a"


# -- who is to blame -----------------------------------------------------------------------


def test_only_the_root_of_a_chain_of_overdue_waits_is_ended():
    chain = [
        seen("a", "T"),
        seen("b", "S", left_s=-9.0, waits_for="a"),
        seen("c", "S", left_s=-9.0, waits_for="b"),
        seen("d", "S", left_s=9.0, waits_for="b"),
    ]
    assert set(ended(looks(Watchdog(TIMEOUT_S), [chain] * 200))) == {"a"}


def test_the_way_to_the_root_leads_through_waits_that_are_not_overdue():
    chain = [
        seen("a", "S", left_s=-9.0, waits_for="b"),
        seen("b", "S", left_s=9.0, waits_for="c"),
        seen("c", "T"),
    ]
    assert set(ended(looks(Watchdog(TIMEOUT_S), [chain] * 200))) == {"c"}


def test_of_a_cycle_of_overdue_waits_one_is_ended():
    watchdog = Watchdog(TIMEOUT_S)
    one = [seen("a", "S", left_s=1.0, waits_for="b"), seen("b", "S", left_s=-1.0, waits_for="a")]
    both = [seen("a", "S", left_s=-1.0, waits_for="b"), one[1]]
    found = looks(watchdog, [one] * 5 + [both] * 100)
    assert set(ended(found)) == {"b"}  # its deadline was the first
    assert set(ended(looks(Watchdog(TIMEOUT_S), [both] * 100))) == {"b"}  # a tie: the last by name


def test_who_waits_for_itself_alone_is_to_blame():
    alone = [seen("a", "S", left_s=-1.0, waits_for="a")]
    assert set(ended(looks(Watchdog(TIMEOUT_S), [alone] * 100))) == {"a"}


# -- properties ----------------------------------------------------------------------------


@st.composite
def courses(draw):
    """Looks at 3 peers, with whatever they do between them."""
    n = draw(st.integers(5, 40))
    names = "abc"

    def one(peer, i):
        letter = draw(st.sampled_from(["R", "S", "S", "D", "T", "T", None]))
        left_s = draw(st.sampled_from([None, None, -5.0, 5.0]))
        waits = draw(st.sets(st.sampled_from(names)))
        cpu_s = draw(st.sampled_from([1.0, 1.0, 1.0 + i]))
        return seen(peer, letter, left_s=left_s, cpu_s=cpu_s, waits_for=waits)

    return [[one(peer, i) for peer in names] for i in range(n)]


@given(courses(), st.integers(0, 2))
def test_a_peer_that_waits_and_is_not_stopped_is_never_ended_before_its_deadline(course, who):
    waiting = [
        [
            replace(
                each,
                sample=replace(each.sample, left_s=1.0, state=ProcessState("S", 1.0)),
            )
            if i == who
            else each
            for i, each in enumerate(at)
        ]
        for at in course
    ]
    assert "abc"[who] not in ended(looks(Watchdog(3.0), waiting))


@given(courses(), st.integers(0, 2))
def test_a_peer_that_uses_the_processor_while_it_computes_is_never_ended(course, who):
    computing = [
        [seen("abc"[who], "S", cpu_s=float(n)) if i == who else each for i, each in enumerate(at)]
        for n, at in enumerate(course)
    ]
    assert "abc"[who] not in ended(looks(Watchdog(3.0), computing))


@given(courses())
def test_whoever_is_ended_was_shown_before_and_stands_still(course):
    watchdog, shown = Watchdog(5.0), set()
    for i, at in enumerate(course):
        found = watchdog.look(dict(zip("abc", at, strict=True)), float(i))
        shown |= {stall.peer for stall in found.noticed}
        shown -= {stall.peer for stall in found.over}
        for stall in found.to_end:
            assert stall.peer in shown
            assert stall.since_s >= 5.0


@given(st.floats(0.0, 1e6), st.integers(1, 5))
def test_a_launcher_that_was_stopped_ends_nobody_for_the_time_between(pause_s, n):
    """Everyone seems to stand still at the looks before and after, and then goes on."""
    watchdog = Watchdog(TIMEOUT_S)
    all_still = [[seen("a", "T"), seen("b", "S"), seen("c", "D")]] * 2
    found, now_s = looks(watchdog, all_still), 1.0
    for _ in range(n):
        now_s += pause_s
        found += looks(watchdog, all_still[:1], now_s)
    assert ended(found) == []
    assert all(stall.since_s <= n * MOST_STEP_S for stall in watchdog.stalls)


def test_the_time_that_a_launcher_was_stopped_for_does_not_count():
    waited = WatchedTime(10.0)
    assert [waited.look(now_s) for now_s in (10.5, 11.0, 1000.0, 1000.5)] == [
        0.5,
        1.0,
        1.0 + MOST_STEP_S,
        1.5 + MOST_STEP_S,
    ]


# -- what starts the peers -----------------------------------------------------------------


def test_a_silence_counts_while_an_answer_is_owed():
    silence = Silence()
    assert [silence.look(float(i), True, "T") for i in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert (silence.reason, silence.since_s) == ("stopped", 3.0)
    assert silence.look(4.0, False, "T") == 0.0
    assert silence.look(5.0, True, "S") == 0.0
    assert silence.look(6.0, True, "S") == 1.0
    assert silence.reason == "without an answer"


def test_one_that_waits_for_a_core_is_not_silent():
    silence = Silence()
    assert [silence.look(float(i), True, "R") for i in range(100)] == [0.0] * 100
