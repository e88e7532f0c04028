import pytest
from hand_faults import fault, plan, star
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.faults.links.link_effects import combined, effect, fold
from prisam_p2p.plan.link_properties import LinkState

TARGETS = star(4)
BASE = {link: LinkState(rate_mbit_s=100.0, delay_ms=1.0) for link in TARGETS.links}
OUT, BACK = ("p00", "p01"), ("p01", "p00")


def occurrence(rest, kind, id="f"):
    return plan(fault(rest, id=id, kind=kind), TARGETS).occurrences[0]


def test_without_faults_a_link_is_as_it_was():
    assert fold(BASE, []) == BASE


def test_rate_is_the_least_delay_the_sum_and_loss_what_is_lost_by_any():
    layers = [
        LinkState(rate_mbit_s=10.0, delay_ms=20.0, jitter_ms=1.0, loss=0.5),
        LinkState(rate_mbit_s=20.0, delay_ms=5.0, jitter_ms=2.0, loss=0.5),
        LinkState(),
    ]
    assert combined(layers) == LinkState(10.0, 25.0, 3.0, 0.75)


def test_one_loss_is_itself():
    assert combined([LinkState(loss=0.02), LinkState()]).loss == 0.02


@pytest.mark.parametrize(
    ("cuts", "cut"),
    [
        ([None, "reset"], "reset"),
        (["reset", "reject"], "reject"),
        (["reject", "drop", "reset"], "drop"),
        ([None, None], None),
    ],
)
def test_a_cut_wins_and_of_two_the_more_silent(cuts, cut):
    found = combined([LinkState(delay_ms=3.0, cut=each) for each in cuts])
    assert (found.cut, found.delay_ms) == (cut, 3.0 * len(cuts))


@pytest.mark.parametrize(
    ("rest", "kind", "expected"),
    [
        ('links = ["p00->p01"]\ndelay_ms = 20\nloss = 0.02', "shape",
         LinkState(100.0, 21.0, 0.0, 0.02)),
        ('links = ["p00->p01"]\nrate_mbit_s = 500', "shape", BASE[OUT]),
        ('links = ["p00->p01"]\nhow = "reject"', "cut", LinkState(100.0, 1.0, cut="reject")),
        ('groups = [["p00"], ["p01"]]\none_way = true', "partition",
         LinkState(100.0, 1.0, cut="drop")),
        ('links = ["p00->p01"]', "flap", LinkState(100.0, 1.0, cut="drop")),
    ],
)  # fmt: skip
def test_what_a_fault_does_to_its_links_and_to_no_other(rest, kind, expected):
    found = fold(BASE, [occurrence(rest, kind)])
    assert found.pop(OUT) == expected
    assert found == {link: state for link, state in BASE.items() if link != OUT}


def test_isolation_cuts_both_ways():
    found = fold(BASE, [occurrence('peers = ["p01"]', "isolate")])
    assert {link for link, state in found.items() if state.cut} == {OUT, BACK}


def test_a_fault_of_peers_leaves_links_alone():
    assert fold(BASE, [occurrence('peers = ["p01"]', "kill")]) == BASE


def test_a_fault_given_twice_counts_once():
    shape = occurrence("delay_ms = 20", "shape")
    assert fold(BASE, [shape, shape]) == fold(BASE, [shape])


def test_a_link_that_is_not_there_is_a_bug():
    with pytest.raises(KeyError):
        fold({}, [occurrence("loss = 0.1", "shape")])


def test_a_flap_cuts_for_the_first_part_of_every_period():
    flap = occurrence("period_s = 2.0\nduty = 0.25", "flap")
    assert [effect(flap, t).cut == "drop" for t in (0.0, 0.49, 0.5, 1.99, 2.0, 2.4, 2.6)] == [
        True, True, False, False, True, True, False,
    ]  # fmt: skip


# --- healing one never undoes another ---

LINKS = st.lists(st.sampled_from(TARGETS.links), min_size=1, max_size=4, unique=True)
NUMBERS = st.floats(0.01, 500.0)


@st.composite
def active(draw):
    """Draw up to eight faults of links."""
    found = []
    for i in range(draw(st.integers(0, 8))):
        links = ", ".join(f'"{a}->{b}"' for a, b in draw(LINKS))
        kind = draw(st.sampled_from(["cut", "shape", "flap"]))
        rest = {
            "cut": lambda: f'how = "{draw(st.sampled_from(["drop", "reject", "reset"]))}"',
            "flap": lambda: "duty = 0.5",
            "shape": lambda: (
                f"rate_mbit_s = {draw(NUMBERS)}\ndelay_ms = {draw(NUMBERS)}\n"
                f"jitter_ms = {draw(NUMBERS)}\nloss = {draw(st.floats(0.001, 1.0))}"
            ),
        }[kind]()
        found.append(occurrence(f"links = [{links}]\n{rest}", kind, id=f"f{i}"))
    return found


@given(active(), st.randoms(use_true_random=False))
def test_the_state_depends_on_the_set_alone(faults, random):
    """Apply in one order and heal in another: every state on the way is that of the set."""
    now, history = {}, [("apply", each) for each in faults]
    random.shuffle(history)
    while history:
        act, each = history.pop(0)
        if act == "apply":
            now[each.id] = each
            history.insert(random.randint(0, len(history)), ("heal", each))
        else:
            del now[each.id]
        in_order = [fault for fault in faults if fault.id in now]
        assert fold(BASE, now.values()) == fold(BASE, in_order) == fold(BASE, in_order[::-1])
    assert fold(BASE, now.values()) == BASE


@given(active())
def test_more_faults_never_make_a_link_better(faults):
    for n in range(len(faults)):
        fewer, more = fold(BASE, faults[:n]), fold(BASE, faults[: n + 1])
        for link, state in more.items():
            assert state.rate_mbit_s <= fewer[link].rate_mbit_s
            assert state.delay_ms >= fewer[link].delay_ms
            assert state.loss >= fewer[link].loss - 1e-12
            assert state.cut is not None or fewer[link].cut is None
