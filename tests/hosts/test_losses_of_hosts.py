"""Lost hosts: the run goes on as planned, and nothing of it stays anywhere after the lease."""

import os
import signal
import time

import pytest
from hosted_run import HostedRun
from waiting import wait_until

pytestmark = pytest.mark.hosts

LEASE_S = 5
QUICK = ("--lease-s", LEASE_S)
GRACE_S = 8  # to notice, and to end processes on two busy cores


@pytest.fixture
def launched(cluster):
    """Return what launches a run and waits for its second round; its end is seen to."""
    runs = []

    def start(*options, **network):
        runs.append(HostedRun(cluster, *options, **network))
        runs[-1].until_round(1)
        return runs[-1]

    yield start
    for run in runs:
        run.end()


def is_explained(summary):
    closure = summary["closure"]
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    return closure


def the_host_was_lost(run, host, peers):
    """Assert that exactly this host was lost, once, and that its peers were named."""
    (lost,) = run.records("launcher", "host_lost")
    assert lost["host"] == host
    assert sorted(lost["peers"]) == sorted(peers)


def states(summary, peers):
    return {summary["peers"][peer]["state"] for peer in peers}


def test_the_run_goes_on_without_a_host_whose_link_fails_and_that_then_dies(cluster, launched):
    run = launched(*QUICK, rounds=8)
    gone = run.peers_of("h3")
    assert len(gone) == 4
    cluster.hosts["h3"].pull_cable()
    cluster.hosts["h3"].kill()
    assert run.wait() == 4, run.printed()
    the_host_was_lost(run, "h3", gone)
    summary = run.summary
    others = set(summary["peers"]) - set(gone)
    assert states(summary, others) == {"completed"}
    assert states(summary, gone) != {"completed"}
    closure = is_explained(summary)
    ends = [{*each["hosts"]} for each in closure["lost_hosts"]]
    assert ends
    assert all(each == {"h3"} for each in ends)
    assert closure["judged_connections"] > 0
    run.nothing_left(GRACE_S)


def test_peers_of_a_lost_host_are_restarted_on_the_others(cluster, launched):
    run = launched(*QUICK, "--on-host-loss", "restart", rounds=12)
    gone = run.peers_of("h3")
    cluster.hosts["h3"].pull_cable()
    cluster.hosts["h3"].kill()
    assert run.wait() == 0, run.printed()
    the_host_was_lost(run, "h3", gone)
    summary = run.summary
    assert states(summary, summary["peers"]) == {"completed"}
    (lost,) = summary["hosts"]["lost"]
    assert sorted(lost["moved"]) == gone
    again = [x for x in run.records("launcher", "peer_started") if x["incarnation"] > 0]
    assert sorted(x["peer"] for x in again) == gone
    assert {x["host"] for x in again} <= {"h1", "h2"}
    (told,) = run.records("launcher", "host_lost")
    assert min(x["t_s"] for x in again) > told["t_s"] - told["silent_s"] + LEASE_S
    is_explained(summary)
    run.nothing_left(GRACE_S)


def test_a_cable_that_is_out_for_half_a_minute(cluster, launched):
    run = launched(rounds=60)  # the default lease of 10 s
    gone = run.peers_of("h2")
    assert run.left("h2")
    out = time.monotonic()
    cluster.hosts["h2"].pull_cable()
    run.nothing_left(10 + GRACE_S, "h2")  # though nobody can tell it
    wait_until(lambda: time.monotonic() - out > 30, 40, "half a minute to be over")
    cluster.hosts["h2"].plug_in()
    assert run.wait() == 4, run.printed()
    the_host_was_lost(run, "h2", gone)
    is_explained(run.summary)
    run.nothing_left(GRACE_S)


def test_nothing_is_left_when_the_launcher_is_killed(cluster, launched):
    run = launched(*QUICK, rounds=400)
    assert all(run.left(host.name) for host in cluster.hosts)
    run.kill_launcher()
    run.nothing_left(LEASE_S + GRACE_S)


def test_nothing_is_left_where_an_agent_is_killed_and_the_run_goes_on(cluster, launched):
    run = launched(*QUICK, rounds=30)
    gone = run.peers_of("h2")
    run.kill_agent("h2")
    run.nothing_left(LEASE_S + GRACE_S, "h2")
    assert run.wait() == 4, run.printed()
    the_host_was_lost(run, "h2", gone)
    is_explained(run.summary)
    run.nothing_left(GRACE_S)


def test_nothing_is_left_after_the_engines_daemon_is_killed(cluster, launched):
    """Steps of Slurm outlive their slurmd, and the run completes; actors die with the raylet."""
    run = launched(*QUICK, rounds=30)
    (daemon,) = [p for p in cluster.hosts["h2"].processes() if p.name == cluster.daemon]
    os.kill(daemon.pid, signal.SIGKILL)
    code = run.wait()
    lost = {x["host"] for x in run.records("launcher", "host_lost")}
    assert (code, lost) in ((0, set()), (4, {"h2"})), run.printed()
    is_explained(run.summary)
    run.nothing_left(LEASE_S + GRACE_S)
