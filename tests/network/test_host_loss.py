"""Hosts lost in the middle of a run, with agents on this machine: nobody is heard twice."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import takewhile
from pathlib import Path

import psutil
import pytest
from launching import (
    SMALL,
    alive,
    asked,
    family,
    journal,
    launch,
    launcher,
    paced,
    round_done,
    topology,
    wait_for,
)

from prisam_p2p.measure.state import kept_states
from prisam_p2p.report.joined_connections import JoinedConnection
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder

pytestmark = pytest.mark.network

PEERS = [f"p0{i}" for i in range(6)]
STAYING = ["p00", "p02", "p03", "p05"]
LOST = ["p01", "p04"]
"""Those of h2: six equal peers are dealt to three hosts in turn."""

LEASE_S = 4.0
"""The default is 10 s; a busy machine may leave a host without a processor for two or three."""


HOSTS = ("--on", "local", "--hosts", 3, "--lease-s", LEASE_S)

DOWN = """
description = "h2 goes down"
[[fault]]
id = "down"
kind = "host-down"
hosts = ["h2"]
at = { round = 3, phase = "train" }
"""


class Course:
    """A run on three hosts of this machine, from whose first rounds on the test does something."""

    def __init__(self, folder: Path, rounds: int, on_host_loss: str) -> None:
        self.run = folder / "run"
        text = paced(SMALL.replace("rounds = 3", f"rounds = {rounds}"))
        self.launcher = launcher(
            topology(folder, text),
            *("--run-dir", self.run, *HOSTS, "--on-host-loss", on_host_loss),
        )

    def begin(self) -> None:
        """Return once all have done two rounds."""
        wait_for("second round", round_done(self.run, PEERS, 1))
        (agent,) = [x["pid"] for x in self.noted("host_up") if x["host"] == "h2"]
        self.agent = agent
        started = self.noted("peer_started")
        self.peers = [x["pid"] for x in started if x["host"] == "h2"]
        self.of_h2 = family(agent)
        assert [x["peer"] for x in started if x["host"] == "h2"] == LOST
        assert len(self.of_h2) == 1 + 1 + 2  # agent, zygote, peers

    def noted(self, *names: str, who: str = "launcher") -> list[dict]:
        return [x for x in journal(self.run, who) if x["record"] in names]

    def signal(self, pids: list[int], number: int) -> None:
        for pid in pids:
            os.kill(pid, number)

    def await_restart(self) -> None:
        """Return once the lost peers have new processes, and each neighbor has met these."""
        wait_for("restart", lambda: len(self.noted("peer_started")) == len(PEERS) + len(LOST), 60)
        for peer in STAYING:
            wait_for("meeting", lambda who=peer: self.joined(who) >= {(p, 1) for p in LOST}, 60)

    def joined(self, who: str) -> set[tuple[str, int]]:
        return {(x["neighbor"], x["incarnation"]) for x in self.noted("neighbor_joined", who=who)}

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and the standard error."""
        _, err = self.launcher.communicate(timeout=120)
        return self.launcher.returncode, err

    def interrupt(self) -> None:
        """End a run that has shown what it was for."""
        self.launcher.send_signal(signal.SIGINT)
        assert self.ends()[0] == 130

    def kept(self, peer: str) -> set[int]:
        """Return the rounds that the launcher has states of a peer for."""
        return {*kept_states(self.run / "state" / f"{peer}.safetensors")}

    def states(self) -> dict[str, str]:
        return self.noted("run_ended")[-1]["states"]


@pytest.fixture
def course_of(tmp_path):
    made = []

    def make(**how):
        made.append(Course(tmp_path, **how))
        made[0].begin()
        return made[0]

    yield make
    for course in made:
        course.launcher.kill()


def test_run_goes_on_without_the_peers_of_a_host_whose_agent_is_killed(course_of):
    course = course_of(rounds=20, on_host_loss="lost")
    course.signal([course.agent], signal.SIGKILL)
    wait_for("end of the host's processes", lambda: not alive(course.of_h2), 60)
    code, err = course.ends()
    (lost,) = course.noted("host_lost")
    assert (lost["host"], lost["peers"]) == ("h2", LOST)
    assert "ended" in lost["reason"]
    (fenced,) = course.noted("host_fenced")
    assert (fenced["answered"], fenced["unanswered"]) == (STAYING, [])
    expected = dict.fromkeys(STAYING, "completed") | dict.fromkeys(LOST, "lost with host h2")
    assert course.states() == expected
    assert code == 4  # nobody had planned it
    assert "final states: p01 lost with host h2; p04 lost with host h2" in err
    _, told = asked("summary", course.run, "--format", "json")
    checks = {x["check"]: x["verdict"] for x in json.loads(told)["checks"]}
    assert checks["no stale snapshot"] == "true"
    assert checks["final states"] == "false"
    of_lost = {0}.union(*map(course.kept, LOST))
    assert min(map(min, map(course.kept, STAYING))) > max(of_lost)  # a resumed run begins later


def test_peers_of_a_lost_host_start_again_elsewhere_and_take_part(course_of):
    course = course_of(rounds=40, on_host_loss="restart")
    course.signal([course.agent], signal.SIGKILL)
    killed_s = time.monotonic()
    course.await_restart()
    assert time.monotonic() - killed_s >= LEASE_S
    code, err = course.ends()
    assert (code, course.states()) == (0, dict.fromkeys(PEERS, "completed")), err
    later = [x for x in course.noted("peer_started") if x["incarnation"] == 1]
    assert {x["peer"]: x["host"] for x in later} == {"p01": "h1", "p04": "h3"}
    for peer in STAYING:  # masks and weights of the later processes were heard
        rest = after_fences(course, peer)
        assert any(set(LOST) <= {*x["peers"]} for x in rest if x["record"] == "heard")
    (pulled,) = {x["donor"] for x in after_fences(course, "p00") if x["record"] == "pulled"} & {
        *LOST
    }
    assert pulled == "p01"  # the one of its group
    uncounted = {(c.client_host, c.server_host) for c in unmeasured(course.run)}
    assert uncounted <= {("h2", "h2")}  # its kernel's figures were lost with it


def unmeasured(run: Path) -> list[JoinedConnection]:
    """Return the connections of which no kernel told."""
    return [c for c, _ in make_ledger(RunFolder(run)).connections if not c.measured]


def after_fences(course: Course, peer: str) -> list[dict]:
    """Return what a peer recorded once it had fenced both lost peers off."""
    lines = journal(course.run, peer)
    last = max(i for i, x in enumerate(lines) if x["record"] == "neighbor_fenced")
    return lines[last + 1 :]


def offered(course: Course, peer: str, incarnation: int) -> set[tuple[int, str]]:
    """Return (round, digest) of what one process of a peer offered."""
    number, found = -1, set()
    for line in journal(course.run, peer):
        if line["record"] == "started":
            number = line["incarnation"]
        elif line["record"] == "offered" and number == incarnation:
            found.add((line["round"], line["digest"]))
    return found


def test_nobody_hears_processes_that_go_on_after_their_replacements_have_begun(course_of):
    """The whole host is stopped; its peers then go on alone, when nobody can end them."""
    course = course_of(rounds=500, on_host_loss="restart")
    course.signal(course.of_h2, signal.SIGSTOP)
    course.await_restart()
    assert "lease" in course.noted("host_lost")[0]["reason"]
    assert alive(course.of_h2) == course.of_h2
    course.signal(course.peers, signal.SIGCONT)  # agent and zygote still cannot

    wait_for(
        "end of their connections with other hosts",
        lambda: not any(map(connected, course.peers)),
        60,
    )
    wait_for("more rounds of the others", further_round(course), 60)
    assert {psutil.Process(pid).status() for pid in course.peers} & {"running", "sleeping"}
    course.signal(course.of_h2, signal.SIGCONT)
    wait_for("end of the host's processes", lambda: not alive(course.of_h2), 60)
    course.interrupt()
    for peer in STAYING:
        turned = course.noted("turned", who=peer)
        assert {x["sender"] for x in turned if x["verdict"] == "fenced"} == {*LOST}
        rest = after_fences(course, peer)
        joined = {x["incarnation"] for x in rest if x["record"] == "neighbor_joined"}
        assert joined == {1}
        taken = [x for x in rest if x["record"] == "pulled" and x["donor"] in LOST]
        assert taken
        for pull in taken:
            assert (pull["round"], pull["digest"]) in offered(course, pull["donor"], 1)


def connected(pid: int) -> bool:
    """Tell whether a process has a connection with another host that is open."""
    found = psutil.Process(pid).net_connections("tcp")
    there = [each for each in found if each.status == psutil.CONN_ESTABLISHED]
    return any(each.raddr.ip != each.laddr.ip for each in there)


def test_zygote_ends_its_peers_though_the_agent_is_stopped_and_the_agent_when_it_goes_on(course_of):
    course = course_of(rounds=500, on_host_loss="lost")
    course.signal([course.agent], signal.SIGSTOP)
    wait_for("end of zygote and peers", lambda: alive(course.of_h2) == [course.agent], 60)
    wait_for("loss", lambda: bool(course.noted("host_lost")), 60)
    course.signal([course.agent], signal.SIGCONT)
    wait_for("end of the agent", lambda: not alive(course.of_h2), 60)
    wait_for("more rounds", further_round(course), 60)
    course.interrupt()
    assert {course.states()[peer] for peer in LOST} == {"lost with host h2"}


def further_round(course: Course):
    """Return what tells whether all others have finished a round more than now."""
    t = max(x["round"] for x in course.noted("traffic", who="p00"))
    return round_done(course.run, STAYING, t + 2)


def test_run_that_loses_all_hosts_fails_and_says_why_each_was_lost(course_of):
    course = course_of(rounds=500, on_host_loss="restart")
    agents = [x["pid"] for x in course.noted("host_up")]
    everything = [pid for agent in agents for pid in family(agent)]
    course.signal(agents, signal.SIGKILL)
    code, err = course.ends()
    assert code == 3
    (line,) = [x for x in err.splitlines() if x.startswith("error: ")]
    assert line.startswith("error: the hosts: all 3 are lost: h1: ")
    assert "; h3: " in line
    assert not alive(everything)
    assert [*takewhile(lambda x: x != "run_ended", kinds(course))].count("host_lost") == 3


def kinds(course: Course) -> list[str]:
    return [x["record"] for x in journal(course.run, "launcher")]


@pytest.mark.parametrize("on_host_loss", ["lost", "restart"])
def test_host_that_goes_down_as_planned_fails_no_run(tmp_path, on_host_loss):
    run, faults = tmp_path / "run", tmp_path / "down.toml"
    faults.write_text(DOWN)
    net = topology(tmp_path, paced(SMALL.replace("rounds = 3", "rounds = 40")))
    options = ("--run-dir", run, *HOSTS, "--on-host-loss", on_host_loss, "--faults", faults)
    code, _, err = launch(net, *options)
    assert code == 0, err
    lines = journal(run, "launcher")
    verified = [x for x in lines if x["record"] == "fault_verified"]
    assert {x["peer"]: x["evidence"] for x in verified} == dict.fromkeys(
        LOST, "its host h2 is lost"
    )
    healed = {x["peer"] for x in lines if x["record"] == "fault_healed"}
    assert healed == ({*LOST} if on_host_loss == "restart" else set())
    ends = "completed" if on_host_loss == "restart" else "lost with host h2 as planned"
    states = lines[-1]["states"]
    assert states == dict.fromkeys(STAYING, "completed") | dict.fromkeys(LOST, ends)
