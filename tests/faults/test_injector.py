"""The injector, with peers that only note their signals and orders: what happens when."""

import signal
from collections import Counter

from hand_faults import fault, full, neighbors, plan

from prisam_p2p.control.codec import name_of
from prisam_p2p.control.messages import AttackActed, RemoveRule, RuleRemoved
from prisam_p2p.faults.barrier_plan import barriers_of
from prisam_p2p.faults.barriers import TIMEOUT_S
from prisam_p2p.faults.injector import Injector
from prisam_p2p.measure import records
from prisam_p2p.processes.process_acts import LocalProcessActs

PEERS = ["p00", "p01", "p02"]


class HandActs(LocalProcessActs):
    """Acts on processes that are stopped when the test says so."""

    def __init__(self, peers):
        super().__init__(peers.pid, peers.note_signal)
        self._peers = peers

    def is_stopped(self, number):
        return PEERS[number % 10] in self._peers.stopped


class NotingPeers:
    def __init__(self):
        self.done, self.down, self.stopped, self.past = [], set(), set(), {}
        self.attacks, self.removing, self.lost_hosts = {}, set(), {}
        self.pids, self.state = {}, None
        self.starts, self.acts = Counter(), HandActs(self)

    def signal(self, peer, signum):
        self.acts.signal(self.number(peer), signum)

    def note_signal(self, number, signum):
        self.done.append((PEERS[number % 10], signal.Signals(signum).name))

    def start_again(self, peer, source, first_round):
        self.down.discard(peer)
        self.starts[peer] += 1
        self.done.append((peer, f"start from {source} in {first_round}"))

    def end_host(self, peer):
        self.done.append((peer, "its host goes down"))

    def lost_host(self, peer):
        return self.lost_hosts.get(peer, "")

    def set_attack(self, peer, attack):
        self.attacks[peer] = attack and attack.kind

    def order(self, peer, order):
        self.done.append((peer, name_of(type(order))))

    def is_stopped(self, peer):
        return peer in self.stopped

    def is_removing_rules(self, peer):
        return peer in self.removing and peer not in self.down

    def is_down(self, peer):
        return peer in self.down

    def is_past(self, peer, round_index):
        return self.past.get(peer, 0) > round_index

    def number(self, peer):
        return None if self.is_down(peer) else PEERS.index(peer) + 10 * self.starts[peer]

    def pid(self, number):
        """That of a real process, if the test has given the peer one."""
        peer = PEERS[number % 10]
        return self.pids.get(peer, 0) if number == self.number(peer) else None

    def state_path(self, peer):
        return self.state

    def take(self):
        done, self.done = self.done, []
        return done


class Stage:
    """A network of three peers, an injector, and a clock that only moves by `tick`."""

    def __init__(self, text, peers=None, guard=None):
        targets = full(3)
        compiled = plan(text, targets, guard=guard)
        self.peers, self.notes, self.now_s = peers or NotingPeers(), [], 0.0
        self.injector = Injector(
            compiled, self.peers, self.notes.append, barriers_of(compiled, neighbors(targets))
        )
        self.injector.begin(0.0)

    def arrive(self, *peers, at=(1, "train")):
        for peer in peers:
            self.injector.at_barrier(peer, at, self.now_s)
        return self.peers.take()

    def exits(self, peer, code=-9):
        self.peers.down.add(peer)
        self.injector.on_exit(peer, code, self.now_s)
        return self.peers.take()

    def tick(self, seconds=0.02):
        self.now_s += seconds
        self.peers.acts.look(self.now_s)
        self.injector.tick(self.now_s)
        return self.peers.take()

    def noted(self):
        return [type(note).__name__ for note in self.notes]


GO = "leave-barrier"


def test_a_kill_waits_for_all_neighbors_and_they_wait_for_the_kill():
    stage = Stage(fault('peers = ["p01"]'))
    assert stage.arrive("p01", "p00") == []
    assert stage.arrive("p02") == [("p01", "SIGKILL")]
    assert stage.exits("p01") == [("p00", GO), ("p02", GO)]
    assert stage.noted() == ["FaultApplied", "FaultVerified"]


def test_a_peer_that_arrives_late_at_a_released_barrier_is_released():
    stage = Stage(fault('peers = ["p01"]'))
    stage.arrive("p00", "p01", "p02")
    stage.exits("p01")
    assert stage.arrive("p00") == [("p00", GO)]


def test_a_barrier_does_not_wait_for_peers_that_are_down_or_past_it():
    stage = Stage(fault('peers = ["p01"]'))
    stage.peers.down.add("p00")
    stage.peers.past["p02"] = 2
    assert stage.arrive("p01") == [("p01", "SIGKILL")]


def test_a_barrier_stops_waiting_after_its_timeout():
    stage = Stage(fault('peers = ["p01"]'))
    stage.arrive("p01", "p00")
    assert stage.tick(TIMEOUT_S - 1) == []
    assert stage.tick(2) == [("p01", "SIGKILL")]


def test_a_restarted_peer_is_awaited_at_the_same_barrier():
    stage = Stage(fault('peers = ["p01"]', kind="restart"))
    assert stage.arrive("p00", "p01", "p02") == [("p01", "SIGKILL")]
    assert stage.exits("p01") == []
    assert stage.tick() == [("p01", "start from state in 1")]
    stage.injector.on_ready("p01", stage.now_s)
    assert stage.peers.take() == []
    assert sorted(stage.arrive("p01")) == [("p00", GO), ("p01", GO), ("p02", GO)]
    assert stage.noted() == ["FaultApplied", "FaultVerified", "FaultHealed"]


def test_a_peer_that_heals_after_the_last_round_is_gone_for_good():
    last = fault('peers = ["p01"]\nheal = { rounds = 1 }', at='{ round = 11, phase = "train" }')
    stage = Stage(last)
    stage.arrive("p00", "p01", "p02", at=(11, "train"))
    stage.exits("p01")
    assert not stage.injector.firings.expects_back("p01")
    assert not stage.injector.firings.waits_for_others("p02")
    assert stage.injector.firings.explains_end("p01")


def test_a_peer_that_waits_for_a_round_that_no_peer_reaches_is_healed():
    stage = Stage(fault('peers = ["p01"]\nheal = { rounds = 3 }'))
    stage.arrive("p00", "p01", "p02")
    stage.exits("p01")
    assert stage.injector.firings.expects_back("p01")
    assert stage.injector.firings.waits_for_others("p01")
    stage.injector.heal_waiting(stage.now_s)  # the others are done
    assert stage.peers.take() == [("p01", "start from state in 4")]
    stage.injector.heal_waiting(stage.now_s)
    assert stage.peers.take() == []


def test_a_restarted_peer_that_dies_again_is_not_awaited_for_ever():
    stage = Stage(fault('peers = ["p01"]', kind="restart"))
    stage.arrive("p00", "p01", "p02")
    stage.exits("p01")
    stage.tick()
    assert stage.exits("p01", 1) == [("p00", GO), ("p02", GO)]


def hit_twice(*faults):
    """Return a stage on which p01 is hit at second 1 by faults, each (kind, more)."""
    text = [
        fault(f'peers = ["p01"]\n{more}', id=name, kind=kind, at="{ time_s = 1 }")
        for name, (kind, more) in zip("fg", faults, strict=True)
    ]
    return Stage("\n\n".join(text))


def test_of_two_restarts_of_one_peer_the_longer_one_counts():
    stage = hit_twice(("restart", "down_s = 0.1"), ("restart", "down_s = 1.0"))
    assert stage.tick(1) == [("p01", "SIGKILL"), ("p01", "SIGKILL")]
    stage.exits("p01")
    assert stage.injector.firings.expects_back("p01")
    assert stage.tick(0.2) == []
    assert stage.tick(1) == [("p01", "start from state in 0")]
    stage.injector.on_ready("p01", stage.now_s)
    assert stage.noted().count("FaultHealed") == 2


def test_a_restart_does_not_undo_a_kill_for_good():
    stage = hit_twice(("restart", "down_s = 0.1"), ("kill", ""))
    stage.tick(1)
    stage.exits("p01")
    assert stage.tick(0.2) == []
    assert not stage.injector.firings.expects_back("p01")
    assert stage.injector.firings.explains_end("p01")


def test_of_two_pauses_of_one_peer_the_longer_one_counts():
    stage = hit_twice(("pause", "heal = { after_s = 0.5 }"), ("pause", "heal = { after_s = 1.0 }"))
    stage.tick(1)
    assert stage.tick(0.6) == []
    assert stage.tick(0.5) == [("p01", "SIGCONT")]


def test_a_pause_is_over_with_its_process():
    stage = hit_twice(("pause", "heal = { never = true }"), ("restart", "down_s = 0.1"))
    stage.tick(1)
    stage.exits("p01")
    stage.tick(0.2)
    stage.injector.on_ready("p01", stage.now_s)
    assert not stage.injector.firings.is_suspended("p01")
    assert stage.noted().count("FaultHealed") == 2


def test_a_barrier_does_not_wait_for_a_pause_whose_process_ended():
    stage = Stage(fault('peers = ["p01"]', kind="pause"))
    assert stage.arrive("p00", "p01", "p02") == [("p01", "SIGSTOP")]
    assert stage.exits("p01", 1) == [("p00", GO), ("p02", GO)]


def test_a_peer_that_is_killed_for_rounds_is_awaited_where_it_is_back():
    stage = Stage(fault('peers = ["p01"]\nheal = { rounds = 2 }'))
    stage.arrive("p00", "p01", "p02")
    assert stage.exits("p01") == [("p00", GO), ("p02", GO)]
    assert stage.arrive("p00", at=(3, "train")) == []
    assert stage.arrive("p02", at=(3, "train")) == [("p01", "start from state in 3")]
    assert stage.tick() == []
    stage.injector.on_ready("p01", stage.now_s)
    assert len(stage.arrive("p01", at=(3, "train"))) == 3


def test_a_paused_peer_is_released_only_once_it_is_healed():
    stage = Stage(fault('peers = ["p01"]', kind="pause"))
    assert stage.arrive("p00", "p01", "p02") == [("p01", "SIGSTOP")]
    assert stage.tick() == []  # not stopped yet
    stage.peers.stopped.add("p01")
    assert stage.tick() == [("p00", GO), ("p02", GO)]
    assert stage.arrive("p00", at=(2, "train")) == []
    assert stage.arrive("p02", at=(2, "train")) == [("p01", "SIGCONT"), ("p01", GO)]
    assert len(stage.arrive("p01", at=(2, "train"))) == 3


def test_a_peer_that_the_clock_paused_is_not_awaited():
    nap = fault('peers = ["p02"]\nheal = { never = true }', id="nap", kind="pause",
                at="{ time_s = 1 }")  # fmt: skip
    stage = Stage(nap + "\n\n" + fault('peers = ["p01"]'))
    assert stage.tick(1) == [("p02", "SIGSTOP")]
    stage.peers.stopped.add("p02")
    stage.tick()
    assert stage.arrive("p00", "p01") == [("p01", "SIGKILL")]


def test_a_rule_is_set_before_any_release_and_removed_at_its_heal():
    text = fault('peers = ["p00", "p01"]\nmessage = "mask"', kind="drop")
    stage = Stage(text)
    assert stage.arrive("p00") == []
    assert stage.arrive("p01") == [
        ("p00", "set-rule"),
        ("p01", "set-rule"),
        ("p00", GO),
        ("p01", GO),
    ]
    assert stage.arrive("p00", at=(2, "train")) == []
    assert [what for _, what in stage.arrive("p01", at=(2, "train"))][:2] == [
        "remove-rule",
        "remove-rule",
    ]
    for acted in (0, 3):
        stage.injector.on_report("p00", RuleRemoved("f#0", acted), stage.now_s)
    assert stage.noted().count("FaultVerified") == 1


class RemovingPeers(NotingPeers):
    """Peers remove a rule when the test says so."""

    def order(self, peer, order):
        super().order(peer, order)
        if isinstance(order, RemoveRule):
            self.removing.add(peer)


CUT = 'kind = "drop"\nid = "f"\nat = {{ round = 1, phase = "train" }}\npeers = {peers}\n'
CUT += 'message = "mask"\nheal = {{ rounds = 1 }}'


def healed_at_a_barrier(peers, more=""):
    """Return a stage where all wait at the barrier at which these peers' rules are removed."""
    stage = Stage(CUT.format(peers=peers) + more, RemovingPeers())
    stage.arrive("p00", "p01", "p02")
    asked = stage.arrive("p00", "p01", "p02", at=(2, "train"))
    assert [what for _, what in asked] == ["remove-rule"] * len(asked)
    return stage


def test_nobody_leaves_a_barrier_before_all_have_removed_their_rules():
    """Who left early would send to one whose rule still drops it."""
    stage = healed_at_a_barrier('["p00", "p01"]')
    assert stage.tick() == []
    stage.peers.removing.discard("p01")
    assert stage.tick() == []
    stage.peers.removing.discard("p00")
    assert stage.tick() == [("p00", GO), ("p01", GO), ("p02", GO)]


def test_a_peer_that_is_gone_has_no_rules():
    stage = healed_at_a_barrier('["p01"]')
    assert stage.exits("p01") == [("p00", GO), ("p02", GO)]


def test_a_suspended_peer_is_not_waited_for():
    nap = fault('peers = ["p02"]\nheal = { rounds = 3 }', id="nap", kind="pause")
    stage = Stage(CUT.format(peers='["p02"]') + "\n\n" + nap, RemovingPeers())
    stage.arrive("p00", "p01", "p02")
    stage.peers.stopped.add("p02")
    assert stage.tick() == [("p00", GO), ("p01", GO)]
    assert stage.arrive("p00", "p01", at=(2, "train")) == [
        ("p02", "remove-rule"), ("p00", GO), ("p01", GO)
    ]  # fmt: skip


# -- attacks -----------------------------------------------------------------------------------


def report_attacks(stage, peer="p01", count=1):
    stage.injector.on_report(peer, AttackActed("f#0", count), stage.now_s)


def test_a_byzantine_process_replaces_a_peer_at_a_barrier():
    stage = Stage(fault('peers = ["p01"]', kind="nan"))
    assert stage.arrive("p00", "p01", "p02") == [("p01", "SIGKILL")]
    assert stage.exits("p01") == [("p01", "start from state in 1")]
    assert stage.peers.attacks == {"p01": "nan"}
    stage.injector.on_ready("p01", stage.now_s)
    assert sorted(stage.arrive("p01")) == [("p00", GO), ("p01", GO), ("p02", GO)]
    assert stage.noted() == ["FaultApplied"]  # it has not attacked yet
    report_attacks(stage)
    report_attacks(stage, count=2)
    assert stage.noted() == ["FaultApplied", "FaultVerified"]
    stage.injector.heal_all(stage.now_s)  # it is for good
    assert stage.peers.take() == []


def test_a_peer_that_is_byzantine_from_the_start_is_not_replaced():
    stage = Stage(fault('peers = ["p01"]', kind="scaled", at=None))
    for peer in ("p00", "p01", "p02"):
        stage.injector.on_start(peer, stage.now_s)
    report_attacks(stage)  # before the rounds began: its Hello, perhaps
    assert stage.noted() == ["FaultApplied", "FaultVerified"]
    go = [("p00", GO), ("p01", GO), ("p02", GO)]
    assert sorted(stage.arrive("p00", "p01", "p02", at=(0, "train"))) == go
    assert (stage.peers.attacks, len(stage.notes)) == ({}, 2)


def test_a_byzantine_process_that_dies_is_not_replaced():
    stage = Stage(fault('peers = ["p01"]', kind="nan"))
    stage.arrive("p00", "p01", "p02")
    stage.exits("p01")
    stage.arrive("p01")
    assert stage.exits("p01", 1) == []


def test_a_byzantine_peer_that_is_healed_is_honest_again():
    stage = Stage(fault('peers = ["p01"]\nheal = { rounds = 2 }', kind="nan"))
    stage.arrive("p00", "p01", "p02")
    stage.exits("p01")
    stage.injector.on_ready("p01", stage.now_s)
    assert len(stage.arrive("p01")) == 3
    assert stage.arrive("p00", "p01", at=(3, "train")) == []
    assert stage.arrive("p02", at=(3, "train")) == [("p01", "SIGKILL")]
    assert stage.exits("p01") == [("p01", "start from state in 3")]
    assert stage.peers.attacks == {"p01": None}
    assert stage.tick() == []
    stage.injector.on_ready("p01", stage.now_s)
    assert len(stage.arrive("p01", at=(3, "train"))) == 3
    assert stage.noted() == ["FaultApplied", "FaultHealed"]


def test_a_byzantine_peer_that_is_healed_while_down_restarts_honest():
    stage = Stage(fault('peers = ["p01"]\nheal = { after_s = 5 }', kind="nan"))
    stage.arrive("p00", "p01", "p02")
    stage.exits("p01")
    stage.arrive("p01")
    stage.exits("p01")
    assert stage.tick(6) == []
    assert stage.peers.attacks == {"p01": None}
    assert stage.noted() == ["FaultApplied", "FaultHealed"]


def test_the_guard_looks_again_at_what_the_plan_could_not_know():
    due = {"p00": 1, "p01": 2, "p02": 5}
    kills = [
        fault(f'peers = ["{peer}"]\nheal = {{ after_s = 2.5 }}', peer, at=f"{{ time_s = {n}.0 }}")
        for peer, n in due.items()
    ]
    stage = Stage("\n\n".join(kills), guard=1)
    assert stage.tick(1.0) == [("p00", "SIGKILL")]
    stage.exits("p00")
    assert stage.tick(1.0) == []
    assert stage.notes[-1] == records.FaultMissed("p01#0", "p01", records.GUARDED)
    assert stage.tick(2.0) == [("p00", "start from state in 0")]
    stage.injector.on_ready("p00", stage.now_s)
    assert stage.tick(1.0) == [("p02", "SIGKILL")]  # p01's is not made up for
