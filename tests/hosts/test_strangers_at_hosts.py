"""A stranger at the switch is refused by peers and by the launcher's line, and is counted."""

import re
import sys
from functools import partial
from pathlib import Path

import pytest
from hosted_run import HostedRun
from secrets_search import processes_texts
from waiting import wait_until

pytestmark = pytest.mark.hosts

STRANGER = Path(__file__).with_name("stranger.py")
LINE = re.compile(rb"--launcher\0([\d.]+):(\d+)\0--launcher-key\0([^\0]+)\0")


def test_a_stranger_is_refused_and_counted(cluster):
    run = HostedRun(cluster, peers=6, rounds=200)
    try:
        run.until_round(1)
        ours = [p for host in ("h1", "h2", "h3") for p in run.peers_of(host)[:1]]
        assert len(ours) == 3
        texts = processes_texts(cluster.hosts).values()
        lines = {match.groups() for text in texts for match in LINE.finditer(text)}
        ((address, port, key),) = lines  # all agents were told the same
        targets = {address.decode(): [f"{port.decode()},{key.decode()}"]}
        for peer in ours:
            records = partial(run.records, peer, "started")  # collected every second
            (started,) = wait_until(records, 10, f"the journal of {peer}")
            targets.setdefault(started["address"], []).append(str(started["port"]))
        with cluster.hosts.visitor() as visitor:
            lines = [
                line
                for where, ports in targets.items()
                for line in visitor.run(sys.executable, STRANGER, where, *ports).stdout.splitlines()
            ]
        assert len(lines) == 4
        assert all(line.startswith("refused") for line in lines), lines
        assert run.wait() == 0, run.printed()
    finally:
        run.end()
    for peer in ours:
        assert run.records(peer, "turned"), peer
    seen = {x["verdict"] for peer in ours for x in run.records(peer, "turned")}
    assert seen >= {"unencrypted", "wrong-key"}, seen
    at_the_line = {x["verdict"]: x["count"] for x in run.records("launcher", "turned")}
    assert at_the_line["unknown-key"] >= 1
    assert sum(at_the_line.values()) > 3, at_the_line
    closure = run.summary["closure"]
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["judged_connections"] == closure["connections"] >= 6 * 5  # and pulls
    assert closure["foreign_connections"] > 0
