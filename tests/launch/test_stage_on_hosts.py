"""What plays a run on hosts, with agents that are played by hand: specs, keys, records, the end."""

from __future__ import annotations

import os
import time
from contextlib import closing

import pytest
from hand_agents import HandHostEngine
from launching import SMALL, journal, topology

from prisam_p2p.errors import LaunchError
from prisam_p2p.hosts import messages
from prisam_p2p.hosts.host_lines import HostLines
from prisam_p2p.launch.lost_resources import LauncherFailures
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.progress import NoDisplay
from prisam_p2p.launch.run_dir import create_run_dir
from prisam_p2p.launch.specs import LaunchFacts
from prisam_p2p.launch.stage import RunParts
from prisam_p2p.launch.stage_on_hosts import stage_on_hosts
from prisam_p2p.launch.supervisor import Interrupted
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.of_hosts import NetworkOfHosts
from prisam_p2p.plan.host_room import PeerNeeds
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.processes.sampling import open_board
from prisam_p2p.settings import EngineName, OnHostLoss, Placement

THREE = SMALL.replace("count = 6", "count = 3").replace("groups = 2", "groups = 1")


class _Display(NoDisplay):
    def __init__(self):
        self.shown, self.ended = [], False

    def show(self, view):
        self.shown.append(view.line())

    def end(self):
        self.ended = True


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Return the engine of two hosts, the hosts' plan, the parts of a run, and its display."""
    engine, display = HandHostEngine(["h1", "h2"]), _Display()
    rest = HostLines.rest
    monkeypatch.setattr(HostLines, "rest", lambda self, s: (engine.turn(), rest(self, s)))
    hosts = HostsPlan(
        engine=EngineName.LOCAL,
        policy=Placement.SPREAD,
        lease_s=10.0,
        on_host_loss=OnHostLoss.LOST,
        hosts={offer.name: offer for offer in engine.offers()},
        needs=dict.fromkeys(("p00", "p01", "p02"), PeerNeeds(1.0)),
        placement={"p00": "h1", "p01": "h2", "p02": "h1"},
    )
    net, run_dir = load_topology(topology(tmp_path, THREE)), tmp_path / "run"
    create_run_dir(run_dir)
    prepared = prepare(net, resolve_settings(net, {}))
    plan = prepared.plan.model_copy(update={"hosts": hosts})
    path = run_dir / "journal" / "launcher.jsonl"
    with (
        closing(prepared.images),
        open_board(3) as board,
        Journal(path, time.monotonic()) as records,
    ):
        facts = LaunchFacts(os.urandom(8).hex(), run_dir, time.monotonic(), None, board)
        parts = RunParts(
            prepared,
            plan,
            facts,
            None,
            Past(facts.run_id),
            NetworkOfHosts(hosts.addresses),
            65536,
            records,
            LauncherFailures(),
            lambda: False,
            lambda: display,
        )
        yield engine, hosts, parts, display


def test_specs_have_addresses_and_keys_of_hosts_and_no_secret(played):
    engine, hosts, parts, display = played
    with stage_on_hosts(parts, engine, hosts) as stage:
        specs = {spec.peer_id: spec for spec in stage.specs}
    assert {peer: spec.address for peer, spec in specs.items()} == {
        "p00": "127.77.9.1",
        "p01": "127.77.9.2",
        "p02": "127.77.9.1",
    }
    assert all(spec.shared_address for spec in specs.values())
    assert specs["p00"].keys.public == "key of p00 at h1"
    assert specs["p00"].keys.neighbors == {"p01": "key of p01 at h2", "p02": "key of p02 at h1"}
    assert all(spec.keys.secret is None for spec in specs.values())
    begin, prepare_order, make_keys, end = engine.agents["h1"].told
    assert isinstance(begin, messages.BeginRun)
    assert (begin.host, begin.address, begin.cores, begin.n_peers) == ("h1", "127.77.9.1", 2, 3)
    assert (prepare_order, make_keys) == (messages.Prepare(), messages.MakeKeys(("p00", "p02")))
    assert end == messages.EndRun()
    assert display.shown[0].endswith("waiting for h1, h2 to report")


def test_the_journal_tells_of_hosts_and_of_their_lines(played):
    engine, hosts, parts, _ = played
    with stage_on_hosts(parts, engine, hosts):
        pass
    told = journal(parts.facts.run_dir, "launcher")
    assert [(x["record"], x["host"]) for x in told] == [
        ("host_up", "h1"),
        ("host_up", "h2"),
        ("host_line", "h1"),
        ("host_line", "h2"),
    ]
    images = os.fstat(parts.prepared.images.fd).st_size
    assert all(x["sent_bytes"] > images for x in told[2:])
    assert engine.closed


def test_hosts_are_freed_after_an_error_and_the_files_collected(played):
    engine, hosts, parts, _ = played

    def last(_order):
        agent = engine.agents["h1"]
        agent.report(messages.FileAppended("journal/p00.jsonl", 0), b'{"t_s":1,"record":"x"}\n')
        return [messages.AgentEnded()]

    engine.agents["h1"].answers[messages.EndRun] = last
    with pytest.raises(ZeroDivisionError), stage_on_hosts(parts, engine, hosts):
        1 / 0  # noqa: B018
    assert engine.closed
    assert journal(parts.facts.run_dir, "p00") == [{"t_s": 1, "record": "x"}]


def test_a_launch_that_is_stopped_while_hosts_come_up_frees_them(played):
    engine, hosts, parts, display = played
    engine.silent.add("h2")
    stopped = RunParts(**{**vars(parts), "stopping": lambda: bool(display.shown)})
    with pytest.raises(Interrupted), stage_on_hosts(stopped, engine, hosts):
        pass
    assert engine.closed
    assert display.ended


def test_a_host_that_is_lost_while_others_make_ready_fails_the_launch(played):
    engine, hosts, parts, display = played
    engine.agents["h1"].answers.pop(messages.Prepare)
    begun = engine.agents["h2"].answers

    def lose(_order):
        engine.gone.append(("h1", "its node is down"))
        return []

    begun[messages.BeginRun] = lose
    with pytest.raises(LaunchError, match="host h1: its node is down"):  # noqa: SIM117
        with stage_on_hosts(parts, engine, hosts):
            pass
    assert engine.closed
    assert display.ended
    (lost,) = [x for x in journal(parts.facts.run_dir, "launcher") if x["record"] == "host_lost"]
    assert (lost["host"], lost["node"], lost["peers"]) == ("h1", "node-h1", [])
