"""A host agent, driven over its real line: real processes, and what is left when it ends."""

from __future__ import annotations

from contextlib import closing

import pytest
from agent_launcher import AgentLauncher, await_peers, begin, order_peer, specs_of, start
from launching import topology

from prisam_p2p.control.messages import (
    Exit,
    PeerDone,
    ProcessUp,
    Ready,
    Roster,
    RosterEntry,
    StartRounds,
)
from prisam_p2p.hosts import messages

pytestmark = pytest.mark.network

TWO = """
[peers]
count = 2
profiles = ["fast"]
[links]
generator = "full"
[run]
rounds = 2
groups = 1
images_per_peer = 24
"""


@pytest.fixture
def launcher():
    with closing(AgentLauncher()) as made:
        yield made


@pytest.fixture
def two(tmp_path):
    with specs_of(topology(tmp_path, TWO)) as (prepared, specs):
        yield prepared, specs


def test_two_peers_run_on_a_host(launcher, two):
    prepared, specs = two
    begin(launcher, prepared, specs)
    started, public = start(launcher, specs)
    numbers = [number for number, _ in started.values()]
    up = await_peers(launcher, ProcessUp, numbers)
    entries = {
        spec.peer_id: RosterEntry(
            spec.peer_id, spec.address, up[started[spec.peer_id][0]].port, 0, public[spec.peer_id]
        )
        for spec in specs
    }
    for spec in specs:
        others = tuple(entries[n] for n in spec.neighbors)
        order_peer(launcher, started[spec.peer_id][0], Roster(1, others))
    await_peers(launcher, Ready, numbers)
    for number in numbers:
        order_peer(launcher, number, StartRounds())
    done = await_peers(launcher, PeerDone, numbers)
    assert {each.state for each in done.values()} == {"completed"}
    for number in numbers:
        order_peer(launcher, number, Exit())
    assert [launcher.await_report(messages.ProcessExited)[0].code for _ in numbers] == [0, 0]
    launcher.send(messages.EndRun())
    launcher.await_report(messages.AgentEnded)
    assert launcher.await_loss().startswith("the agent ended with exit code 0")
    for spec in specs:
        finished = launcher.records(spec.peer_id)[-1]
        assert finished["record"] == "finished"
        assert finished["rounds"] == 2
        assert f"state/{spec.peer_id}.safetensors" in launcher.files
        assert f"models/{spec.peer_id}.safetensors" in launcher.files
