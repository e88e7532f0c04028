from hand_faults import fault, full, plan
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, HealNever
from prisam_p2p.faults.scenario.timing import PHASES

ALL = 'peers = "all"'


def at(round_index, phase="train"):
    return f'{{ round = {round_index}, phase = "{phase}" }}'


def by_id(text, **kwargs):
    return {each.id: each for each in plan(text, **kwargs).occurrences}


def left_out(occurrence):
    return occurrence.already_down, occurrence.cut_to_fit


def test_a_pick_is_cut_to_fit():
    found = by_id(fault(ALL), guard=0.5)["f#0"]
    assert len(found.peers) == 5
    assert left_out(found) == (0, 5)


def test_without_a_guard_all_may_be_down():
    assert len(by_id(fault(ALL))["f#0"].peers) == 10


def test_a_cut_takes_the_last_drawn_not_the_last_named():
    text = fault("peers = { pick = 8 }")
    cut = [by_id(text, guard=3, seed=seed)["f#0"].peers for seed in range(20)]
    whole = [by_id(text, seed=seed)["f#0"].peers for seed in range(20)]
    assert all(set(few) < set(many) for few, many in zip(cut, whole, strict=True))
    assert any(few != many[:3] for few, many in zip(cut, whole, strict=True))


def test_time_goes_before_the_order_of_the_file():
    late = fault("peers = { pick = 2 }", id="late", at=at(5))
    early = fault("peers = { pick = 2 }", id="early", at=at(2, "pull"))
    found = by_id(f"{late}\n\n{early}", guard=3)
    assert len(found["early#0"].peers) == 2
    assert len(found["late#0"].peers) <= 1


def test_who_is_up_again_makes_room():
    nap = fault(ALL + "\nevery = { rounds = 2 }", kind="pause", at='{ phase = "pull" }')
    found = by_id(nap, guard=4, rounds=6)
    assert [left_out(each) for each in found.values()] == [(0, 6)] * 3
    long = by_id(nap + "\nheal = { rounds = 3 }", guard=4, rounds=6)
    assert [left_out(each) for each in long.values()] == [(0, 6), (4, 6), (0, 6)]


def test_a_heal_in_seconds_is_taken_to_end_with_the_round():
    nap = fault(ALL + "\nheal = { after_s = 99 }\nevery = { rounds = 1 }", kind="pause",
                at='{ phase = "pull" }')  # fmt: skip
    found = by_id(nap, guard=4, rounds=3)
    assert [left_out(each) for each in found.values()] == [(0, 6)] * 3


def test_who_is_down_is_left_out_of_what_hits_peers():
    dead = fault('peers = ["p03"]', id="dead", at=at(2))
    slow = fault('peers = ["p03", "p04"]', id="slow", kind="slow", at=at(4))
    again = fault('peers = ["p03"]', id="again", kind="pause", at=at(5))
    found = by_id(f"{slow}\n\n{dead}\n\n{again}")
    assert (found["slow#0"].peers, left_out(found["slow#0"])) == (["p04"], (1, 0))
    assert (found["again#0"].peers, left_out(found["again#0"])) == ([], (1, 0))


def test_faults_of_links_hold_for_who_is_down_too():
    dead = fault('peers = ["p03"]', id="dead", at=at(2))
    alone = fault('peers = ["p03"]', id="alone", kind="isolate", at=at(4))
    found = by_id(f"{dead}\n\n{alone}")["alone#0"]
    assert (found.peers, left_out(found)) == (["p03"], (0, 0))


def test_who_joins_is_down_until_then():
    join = fault('peers = ["p08", "p09"]', id="join", kind="join", at=at(4))
    early = fault(ALL, id="early", kind="pause", at=at(3))
    late = fault(ALL, id="late", kind="pause", at=at(4))
    found = by_id(f"{early}\n\n{late}\n\n{join}", guard=5)
    assert found["join#0"].peers == ["p08", "p09"]
    assert left_out(found["early#0"]) == (2, 5)
    assert left_out(found["late#0"]) == (0, 5)


def test_what_the_clock_or_a_transfer_triggers_is_left_to_run_time():
    clock = fault(ALL, at="{ time_s = 1 }")
    gift = fault(ALL, id="gift", at='{ event = "transfer", share = 0.5, round = 1 }')
    slow = fault(ALL + "\nheal = { after_s = 1 }", id="slow", kind="slow", at="{ time_s = 1 }")
    found = by_id(f"{clock}\n\n{gift}\n\n{slow}\n\n{fault(ALL, id='now')}", guard=2)
    assert [each.guard_at_run_time for each in found.values()] == [True, True, False, False]
    assert [len(each.peers) for each in found.values()] == [10, 10, 10, 2]


# --- never more than it lets ---

KINDS = st.sampled_from(["kill", "term", "pause", "restart", "leave", "slow"])
FAULTS = st.lists(
    st.tuples(
        KINDS,
        st.integers(1, 8),
        st.sampled_from(PHASES),
        st.integers(0, 9),
        st.integers(0, 3),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=6,
)


def written(i, drawn):
    kind, pick, phase, first, rhythm, stay = drawn
    heal = "" if kind in ("kill", "term", "leave") else f"\nheal = {{ rounds = {stay} }}"
    rest = f"peers = {{ pick = {pick} }}{heal}"
    if rhythm == 0:
        return fault(rest, id=f"f{i}", kind=kind, at=at(first, phase))
    rest += f"\nevery = {{ rounds = {rhythm}, from = {first} }}"
    return fault(rest, id=f"f{i}", kind=kind, at=f'{{ phase = "{phase}" }}')


def down_at(occurrences, round_index, phase):
    """Return who is down, with repeats, reckoned in another way than the guard does."""
    now = round_index * len(PHASES) + PHASES.index(phase)
    down = []
    for each in occurrences:
        assert isinstance(each.trigger, AtRound)
        since = each.trigger.round * len(PHASES) + PHASES.index(each.trigger.phase)
        assert isinstance(each.heal, HealAtRound | HealNever)
        never = isinstance(each.heal, HealNever)
        until = now + 1 if never else each.heal.round * len(PHASES)
        if each.kind != "slow" and since <= now < until:
            down += each.peers
    return down


@given(FAULTS, st.integers(1, 10), st.integers(0, 99))
def test_never_more_are_down_than_the_guard_lets_and_nobody_twice(faults, limit, seed):
    text = "\n\n".join(written(i, drawn) for i, drawn in enumerate(faults))
    whole = plan(text, full(8), rounds=10, seed=seed)
    guarded = plan(text, full(8), rounds=10, seed=seed, guard=limit)
    for round_index in range(10):
        for phase in PHASES:
            down = down_at(guarded.occurrences, round_index, phase)
            assert len(down) == len(set(down)) <= limit
    for each, before in zip(guarded.occurrences, whole.occurrences, strict=True):
        n_drawn = len(before.peers) + before.already_down
        assert before.cut_to_fit == 0
        assert len(each.peers) + each.already_down + each.cut_to_fit == n_drawn
