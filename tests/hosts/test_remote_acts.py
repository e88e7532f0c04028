"""Acts on processes of other hosts: what is ordered, and when there is evidence."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.hosts.messages import ActDone, ActOn, ProcessStopped
from prisam_p2p.hosts.remote_acts import RemoteProcessActs
from prisam_p2p.processes.throttle import Throttled


def test_every_act_is_an_order() -> None:
    told: list[ActOn] = []
    acts = RemoteProcessActs(told.append)
    acts.limit_memory(3, 40.0)
    acts.lift_memory_limit(3)
    acts.throttle(4, 0.25)
    acts.end_throttle(4)
    acts.refuse_state(5, Path("/run/state/p05.safetensors"))
    acts.accept_state(5)
    assert told == [
        ActOn(3, "limit-memory", 40.0),
        ActOn(3, "lift-memory-limit"),
        ActOn(4, "throttle", 0.25),
        ActOn(4, "end-throttle"),
        ActOn(5, "refuse-state"),
        ActOn(5, "accept-state"),
    ]


def test_evidence_is_there_when_it_has_come() -> None:
    acts = RemoteProcessActs(lambda _order: None)
    acts.limit_memory(3, 40.0)
    assert acts.memory_limit(3) is None
    acts.note_done(ActDone(3, "limit-memory", {"limit_mib": 250.0}))
    assert acts.memory_limit(3) == 250.0
    acts.end_throttle(4)
    acts.note_done(ActDone(4, "end-throttle", {}))
    assert acts.throttled(4) is None
    acts.note_done(ActDone(4, "end-throttle", {"watched_s": 2.0, "suspended_s": 1.5}))
    assert acts.throttled(4) == Throttled(2.0, 1.5)


def test_evidence_of_an_earlier_act_is_none_of_the_next() -> None:
    acts = RemoteProcessActs(lambda _order: None)
    acts.note_done(ActDone(3, "limit-memory", {"limit_mib": 250.0}))
    acts.note_done(ActDone(3, "end-throttle", {"watched_s": 2.0, "suspended_s": 1.5}))
    acts.limit_memory(3, 10.0)
    acts.throttle(3, 0.5)
    assert acts.memory_limit(3) is None
    assert acts.throttled(3) is None


def test_a_process_is_stopped_from_when_its_host_says_so() -> None:
    acts = RemoteProcessActs(lambda _order: None)
    assert not acts.is_stopped(3)
    acts.note_stopped(ProcessStopped(3, True))
    assert acts.is_stopped(3)
    acts.note_stopped(ProcessStopped(3, False))
    assert not acts.is_stopped(3)
    acts.note_stopped(ProcessStopped(3, True))
    acts.note_exit(3)
    assert not acts.is_stopped(3)
