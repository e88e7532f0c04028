"""Faults of links as rules for messages: which peers get which, and when they are rid of them."""

import pytest
from hand_faults import fault, full, plan
from test_injector import Stage

from prisam_p2p.control.messages import RemoveRule, RuleRemoved, SetRule
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.links.loopback_link_faults import LoopbackLinkFaults, why_not_by_messages
from prisam_p2p.measure import records
from prisam_p2p.plan.link_properties import LinkState


class Rules:
    """Hands that keep the rules that peers have."""

    def __init__(self):
        self.of = {}

    def order(self, peer, order):
        rules = self.of.setdefault(peer, {})
        match order:
            case SetRule(rule):
                assert rule.id not in rules
                rules[rule.id] = rule
            case RemoveRule(rule_id):
                del rules[rule_id]

    def drops(self):
        """The (sender, receiver, at whose end) of messages that are dropped."""
        return {
            (peer, n, "out") if rule.direction == "out" else (n, peer, "in")
            for peer, rules in self.of.items()
            for rule in rules.values()
            for n in rule.neighbors
            if rule.action == "drop"
        }


def occurrence(text, kind):
    (found,) = plan(fault(text, kind=kind), full(4), rounds=4).occurrences
    return found


def both_ends(*links):
    return {(a, b, end) for a, b in links for end in ("out", "in")}


def test_a_cut_is_a_rule_at_both_ends_and_gone_when_healed():
    links = LoopbackLinkFaults(peers := Rules(), {})
    cut = occurrence('links = ["p00->p01"]\n', "cut")
    links.apply(cut, 0.0)
    links.apply(cut, 0.0)
    assert peers.drops() == both_ends(("p00", "p01"))
    links.heal(cut, 1.0)
    links.heal(cut, 1.0)
    assert peers.drops() == set()


def test_healing_one_of_two_leaves_the_other():
    links = LoopbackLinkFaults(peers := Rules(), {})
    parted = occurrence('groups = [["p00"], ["p01", "p02", "p03"]]\n', "partition")
    cut = occurrence('links = ["p00-p01"]\n', "cut").model_copy(update={"id": "g#0"})
    links.apply(parted, 0.0)
    links.apply(cut, 0.0)
    links.heal(parted, 1.0)
    assert peers.drops() == both_ends(("p00", "p01"), ("p01", "p00"))


def test_a_flap_comes_and_goes():
    links = LoopbackLinkFaults(peers := Rules(), {})
    flap = occurrence('links = ["p00-p01"]\nperiod_s = 2\nduty = 0.5\n', "flap")
    links.apply(flap, 10.0)
    seen = []
    for now_s in (10.0, 10.9, 11.1, 12.1):
        links.refresh(now_s)
        seen.append(bool(peers.drops()))
    assert seen == [True, True, False, True]
    links.heal(flap, 12.2)
    assert peers.drops() == set()


def test_delays_are_at_the_sender_alone():
    base = {("p00", "p01"): LinkState(delay_ms=5), ("p00", "p02"): LinkState(delay_ms=5, loss=0.1)}
    links = LoopbackLinkFaults(peers := Rules(), base)
    for peer in ("p00", "p01"):
        links.on_up(peer)
    ((name, rule),) = peers.of["p00"].items()
    assert (name, rule.action, rule.direction) == ("links/0", "delay", "out")
    assert (rule.delay_ms, rule.jitter_ms, rule.neighbors) == (5, 0, {"p01", "p02"})
    assert "p01" not in peers.of
    links.apply(occurrence('links = ["p01->p00"]\njitter_ms = 3\ndelay_ms = 9\n', "shape"), 0.0)
    ((name, rule),) = peers.of["p01"].items()
    assert (name, rule.delay_ms, rule.jitter_ms, rule.neighbors) == ("f#0/0", 9, 3, {"p00"})


def test_a_process_that_comes_while_links_are_cut_gets_the_rules():
    links = LoopbackLinkFaults(peers := Rules(), {("p01", "p02"): LinkState(delay_ms=5)})
    links.apply(occurrence('links = ["p00-p01"]\n', "cut"), 0.0)
    before = dict(peers.of.pop("p01"))
    links.on_up("p01")
    assert peers.of["p01"].keys() == before.keys() | {"links/0"}


@pytest.mark.parametrize(
    ("kind", "text", "word"),
    [
        ("cut", 'links = "all"\n', None),
        ("cut", 'how = "reject"\n', "reject"),
        ("cut", 'how = "reset"\n', "reset"),
        ("flap", "", None),
        ("isolate", 'peers = ["p00"]\n', None),
        ("shape", "delay_ms = 5\n", None),
        ("shape", "loss = 0.1\n", "packets"),
        ("shape", "rate_mbit_s = 5\ndelay_ms = 5\n", "rates"),
    ],
)
def test_which_faults_loopback_can_apply(kind, text, word):
    why = why_not_by_messages(occurrence(text, kind))
    assert why is None if word is None else word in why


def test_a_report_of_one_end_is_evidence_for_both():
    """The other end's rule sees nothing of what never left; and news comes after the heal."""
    stage = Stage(fault('links = ["p00->p01"]\n', kind="cut"))
    compiled = plan(fault('links = ["p00->p01"]\n', kind="cut"), full(3))
    barriers = {"p00": [(1, "train"), (2, "train")], "p01": [(1, "train"), (2, "train")]}
    links = LoopbackLinkFaults(stage.peers, {})
    injector = Injector(compiled, stage.peers, stage.notes.append, barriers, links)
    injector.begin(0.0)
    for mark in barriers["p00"]:
        for peer in barriers:
            injector.at_barrier(peer, mark, 1.0)
    told = [each for each in stage.notes if isinstance(each, records.FaultVerified)]
    assert told == []
    injector.on_report("p01", RuleRemoved("f#0/in", 0), 2.0)
    injector.on_report("p00", RuleRemoved("f#0/out", 7), 2.0)
    told = {e.peer: e.evidence for e in stage.notes if isinstance(e, records.FaultVerified)}
    assert told == dict.fromkeys(("p00", "p01"), "7 or more messages dropped or delayed")
