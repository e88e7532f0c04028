"""What a transfer triggers, and the acts of join, slow, memory and full-disk, step by step."""

import subprocess
import sys

import psutil
import pytest
from hand_faults import fault
from test_injector import GO, HandActs, NotingPeers, Stage

from prisam_p2p.control.messages import PeerDone, StateLost
from prisam_p2p.measure import records
from prisam_p2p.measure.files import path_beside
from prisam_p2p.processes.throttle import Throttled

HALF = (None, 0.5)
SOON = "{ time_s = 0.01 }"
AT_HALF = '{ event = "transfer", share = 0.5 }'


def evidence(stage):
    return [note.evidence for note in stage.notes if isinstance(note, records.FaultVerified)]


def stop(stage, peer, at=HALF):
    stage.injector.at_stop(peer, at, stage.now_s)
    return stage.peers.take()


# -- transfers ---------------------------------------------------------------------------------


def test_the_first_donor_at_the_share_is_hit_and_the_others_go_on():
    stage = Stage(fault('peers = "all"\nheal = { after_s = 1 }', at=AT_HALF))
    assert stop(stage, "p01") == [("p01", "SIGKILL")]
    assert stop(stage, "p00") == [("p00", "resume-transfer")]
    stage.exits("p01")
    assert stage.tick(2) == [("p01", "start from state in 0")]
    stage.injector.on_ready("p01", stage.now_s)
    assert stop(stage, "p01") == [("p01", "resume-transfer")]  # once an occurrence
    assert stage.noted() == ["FaultApplied", "FaultVerified", "FaultHealed"]


def test_other_stops_trigger_nothing():
    stage = Stage(fault('peers = ["p01"]', at='{ event = "transfer", share = 0.5, round = 2 }'))
    assert stop(stage, "p01") == [("p01", "resume-transfer")]
    assert stop(stage, "p02", at=(2, 0.5)) == [("p02", "resume-transfer")]
    assert stop(stage, "p01", at=(2, 0.5)) == [("p01", "SIGKILL")]


def test_a_paused_donor_resumes_its_transfer_once_it_is_healed():
    text = fault('peers = "all"\nheal = { after_s = 1 }', kind="pause", at=AT_HALF)
    stage = Stage(text)
    assert stop(stage, "p02") == [("p02", "SIGSTOP")]
    stage.peers.stopped.add("p02")
    assert stage.tick(0.5) == []
    assert stage.tick(0.6) == [("p02", "SIGCONT"), ("p02", "resume-transfer")]


def test_a_fault_after_one_of_a_transfer_waits_for_one_donor_only():
    first = fault('peers = "all"\nmessage = "mask"\nheal = { never = true }', kind="drop",
                  at=AT_HALF)  # fmt: skip
    after = '{ after = "f", edge = "applied", delay_s = 1.0 }'
    stage = Stage(first + "\n\n" + fault('peers = ["p00"]', id="g", at=after))
    assert stop(stage, "p01") == [("p01", "set-rule"), ("p01", "resume-transfer")]
    assert stage.tick(0.9) == []
    assert stage.tick(0.2) == [("p00", "SIGKILL")]


# -- join --------------------------------------------------------------------------------------


def test_a_joining_peer_starts_at_a_barrier_and_is_awaited_there():
    stage = Stage(fault('peers = ["p01"]', kind="join"))
    stage.peers.down.add("p01")
    assert stage.arrive("p00") == []
    assert stage.arrive("p02") == [("p01", "start from fresh in 1")]
    stage.injector.on_ready("p01", stage.now_s)
    assert stage.noted() == ["FaultApplied", "FaultVerified"]
    assert [who for who, what in stage.arrive("p01") if what == GO] == ["p00", "p01", "p02"]


# -- slow --------------------------------------------------------------------------------------


class ObeyingPeers(NotingPeers):
    """Processes stop and go on as they are told."""

    def note_signal(self, number, signum):
        super().note_signal(number, signum)
        peer, told = self.done[-1]
        if told == "SIGSTOP":
            self.stopped.add(peer)
        elif told == "SIGCONT":
            self.stopped.discard(peer)


SLOW = 'peers = ["p01"]\nfactor = 0.25\nheal = { after_s = 4 }'


def slowed(more=""):
    stage = Stage(fault(SLOW, kind="slow", at=SOON) + more, ObeyingPeers())
    stage.tick()
    return stage


def test_a_slowed_process_is_suspended_for_a_share_of_the_time_and_resumed():
    stage = slowed()
    for _ in range(205):
        stage.tick()
    assert evidence(stage) == ["it stood still for 75% of 4.00 s"]
    assert stage.peers.stopped == set()
    assert not stage.injector.firings.is_suspended("p01")


def test_slowing_does_not_end_a_pause_of_the_same_process():
    nap = fault('peers = ["p01"]\nheal = { after_s = 3 }', id="nap", kind="pause",
                at="{ time_s = 0.5 }")  # fmt: skip
    stage = slowed("\n\n" + nap)
    while stage.now_s < 0.6:
        stage.tick()
    while stage.now_s < 3.4:
        assert stage.tick() == []
    while stage.now_s < 4.2:
        stage.tick()
    assert [note.fault for note in stage.notes if isinstance(note, records.FaultHealed)] == [
        "nap#0", "f#0"
    ]  # fmt: skip
    share = float(evidence(stage)[1].split("%")[0].split()[-1])
    assert share == pytest.approx(75, abs=8)  # of the time before and after the nap


def test_a_slowed_process_is_resumed_often_enough_to_notice_its_end():
    end = fault('peers = ["p01"]', id="end", kind="leave", at="{ time_s = 0.5 }")
    stage = slowed("\n\n" + end)
    while stage.now_s < 0.6:
        stage.tick()
    assert "SIGCONT" in {what for _ in range(10) for _, what in stage.tick()}


def test_healing_one_slowness_does_not_undo_another():
    later = fault(SLOW.replace("after_s = 4", "after_s = 8"), id="g", kind="slow", at=SOON)
    stage = slowed("\n\n" + later)
    for _ in range(300):
        stage.tick()
    assert stage.noted().count("FaultHealed") == 1
    assert "SIGSTOP" in {what for _ in range(10) for _, what in stage.tick()}
    for _ in range(100):
        stage.tick()
    assert stage.peers.stopped == set()
    assert [each[:29] for each in evidence(stage)] == 2 * ["it stood still for 75% of 8.0"]


def test_a_process_that_is_not_slowed_is_no_evidence():
    stage = Stage(fault(SLOW, kind="slow", at=SOON))  # signals have no effect here
    for _ in range(210):
        stage.tick()
    assert stage.noted() == ["FaultApplied", "FaultHealed"]


class FarActs(HandActs):
    """What was asked of another host takes effect when the test says so."""

    def __init__(self, peers):
        super().__init__(peers)
        self.told = {}

    def throttled(self, number):
        return self.told.get(number)


def slowed_on_another_host():
    stage = slowed()
    stage.peers.acts = FarActs(stage.peers)
    stage.tick(4.1)
    assert stage.noted() == ["FaultApplied", "FaultHealed"]
    return stage, stage.peers.number("p01")


def test_evidence_that_comes_after_the_heal_is_taken_in():
    stage, number = slowed_on_another_host()
    assert stage.injector.firings.take_late_evidence(stage.now_s)
    stage.peers.acts.told[number] = Throttled(4.0, 3.0)
    assert not stage.injector.firings.take_late_evidence(stage.now_s)
    assert evidence(stage) == ["it stood still for 75% of 4.00 s"]


def test_no_evidence_is_awaited_of_a_process_that_has_ended():
    stage, _ = slowed_on_another_host()
    stage.exits("p01")
    assert not stage.injector.firings.take_late_evidence(stage.now_s)
    assert evidence(stage) == []


# -- memory ------------------------------------------------------------------------------------

FEW = fault('peers = ["p01"]\nmib = 64\nheal = { after_s = 1 }', kind="memory", at=SOON)


@pytest.fixture
def process():
    """A real process that allocates what it is told to, and says whether it could."""
    code = "import sys\nfor n in sys.stdin:\n try: bytearray(int(n)); print('y', flush=1)\n"
    code += " except MemoryError: print('n', flush=1)\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as child:
        yield child
        child.stdin.close()


def can_allocate(process, mib):
    process.stdin.write(f"{mib << 20}\n")
    return process.stdout.readline() == "y\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux'")
def test_memory_is_limited_from_outside_and_given_back(process):
    stage = Stage(FEW)
    assert can_allocate(process, 256)
    stage.peers.pids["p01"] = process.pid
    stage.tick()
    assert can_allocate(process, 32)
    assert not can_allocate(process, 96)
    stage.tick(2)
    assert can_allocate(process, 256)
    assert stage.noted() == ["FaultApplied", "FaultHealed"]  # it stayed within, as far as we know


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux'")
def test_the_memory_of_a_process_that_was_limited_twice_is_free_in_the_end(process):
    later = fault(
        'peers = ["p01"]\nmib = 64\nheal = { after_s = 9 }', id="g", kind="memory", at=SOON
    )
    stage = Stage(FEW + "\n\n" + later)
    stage.peers.pids["p01"] = process.pid
    before = psutil.Process(process.pid).rlimit(psutil.RLIMIT_DATA)
    stage.tick()
    stage.tick(2)
    assert not can_allocate(process, 96)
    stage.tick(9)
    assert psutil.Process(process.pid).rlimit(psutil.RLIMIT_DATA) == before


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux'")
def test_a_peer_out_of_memory_ended_as_planned_and_stays_limited(process):
    stage = Stage(FEW)
    stage.peers.pids["p01"] = process.pid
    before = psutil.Process(process.pid).rlimit(psutil.RLIMIT_DATA)
    stage.tick()
    assert not stage.injector.firings.explains_end("p01")
    stage.injector.on_report("p01", PeerDone("out-of-memory"), stage.now_s)
    stage.tick(2)
    stage.injector.heal_all(stage.now_s)
    assert stage.injector.firings.explains_end("p01")
    assert stage.noted() == ["FaultApplied", "FaultVerified"]
    assert psutil.Process(process.pid).rlimit(psutil.RLIMIT_DATA) != before


@pytest.mark.parametrize(("code", "proves"), [(-6, True), (1, True), (-9, False), (0, False)])
def test_a_process_that_breaks_at_its_limit_is_evidence(process, code, proves):
    stage = Stage(FEW)
    stage.peers.pids["p01"] = process.pid
    stage.tick()
    stage.exits("p01", code)
    assert bool(evidence(stage)) == proves


# -- full-disk ---------------------------------------------------------------------------------


def test_a_disk_is_full_for_each_process_of_a_peer_until_it_is_healed(tmp_path):
    text = fault('peers = ["p01"]\nheal = { after_s = 1 }', kind="full-disk", at=SOON)
    stage = Stage(text)
    stage.peers.state = tmp_path / "p01.safetensors"
    for pid in (7, 8):
        stage.peers.pids["p01"] = pid
        stage.tick()
        stage.peers.start_again("p01", "state", 0)
        with pytest.raises(OSError, match="No space left on device"):
            path_beside(stage.peers.state, pid).write_text("x")
    stage.injector.on_report("p01", StateLost(3, "No space left on device"), stage.now_s)
    stage.tick(2)
    assert evidence(stage) == ["state of round 3: No space left on device"]
    assert list(tmp_path.iterdir()) == []
