"""What plays the processes of a run on the hosts of an engine (stage.py has the same for one host).

The order of things: agents come up, the run begins on each host, which gets what its peers need and
makes ready; then it makes their keys, and the specs can be built. At the end, however that comes,
all files are collected and the hosts are free again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from prisam_p2p.extensions.reference import short_name
from prisam_p2p.hosts.agents_of_run import AgentsOfRun
from prisam_p2p.hosts.collection import CollectedFiles
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.hosts.messages import BeginRun, MakeNetwork
from prisam_p2p.hosts.remote_engine import RemoteEngine
from prisam_p2p.launch.lost_hosts import LostHosts
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.progress import ProgressView, ShownHosts
from prisam_p2p.launch.specs import build_specs, code_of_peers, relays_masks
from prisam_p2p.launch.stage import RunParts, Stage
from prisam_p2p.launch.supervisor import Interrupted
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.of_hosts import NamespacesOfHosts, tunnel_number
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.settings import Security
from prisam_p2p.wire.keys import Keys, keys_without_secrets


@contextmanager
def stage_on_hosts(run: RunParts, gives: HostEngine, hosts: HostsPlan) -> Iterator[Stage]:
    """Give what plays the processes on hosts.

    Args:
        gives: starts the agents.

    Raises:
        LaunchError: a host did not come up, or was lost before its peers were started.
        ResourceError: the system refused an agent what it needs.
        Interrupted: the run is to be stopped.
    """
    facts, settings = run.facts, run.plan.settings
    files = CollectedFiles(facts.run_dir, run.failures.note)
    patience_s = settings.stall_timeout_s
    there = AgentsOfRun(gives, hosts, facts.run_dir, files, patience_s)
    engine = RemoteEngine(there, patience_s)
    try:
        _make_ready(run, hosts, there)
        plain = settings.security is Security.PLAIN  # else it is encrypted, on loopback, too
        keys = _no_keys if plain else partial(_keys, there, relays_masks(run.plan))
        specs = build_specs(run.prepared, run.plan, facts, run.network, run.faults, run.past, keys)
        yield Stage(
            engine,
            specs,
            there.dump_sockets,
            there.know_router,
            partial(_lost_hosts, there, hosts, run.journal),
        )
    finally:
        try:
            engine.close()
        finally:
            _note_end(there, hosts, run.journal)


def _make_ready(run: RunParts, hosts: HostsPlan, there: AgentsOfRun) -> None:
    """Have the hosts ready to start processes."""
    there.on_wait = partial(_look, run, hosts, there)
    try:
        for up in there.start_agents():
            run.journal.write(up)
        begin, network = partial(_begin, run, hosts), partial(_network, run, hosts)
        prepared = there.prepare(begin, run.prepared.images.fd, network)
        if isinstance(run.network, NamespacesOfHosts):
            congestions, delays = ({x.congestion for x in prepared}, {x.delay_by for x in prepared})
            run.network.join(there.links, congestions - {""}, delays - {""})
    except BaseException:
        run.display().end()
        raise


def _begin(run: RunParts, hosts: HostsPlan, host: str, cores: int) -> BeginRun:
    plan = run.plan
    return BeginRun(
        run_id=run.facts.run_id,
        host=host,
        address=hosts.hosts[host].address,
        n_peers=len(plan.peers),
        epoch_s=run.facts.epoch_s,
        settings=plan.settings.model_dump(mode="json"),
        clusters=plan.traits.clusters,
        n_classes=plan.model.n_classes,
        image_shape=plan.model.image_shape,
        dtype=plan.model.dtype,
        code={key: each.model_dump(mode="json") for key, each in code_of_peers(plan).items()},
        cores=cores,
        lease_s=hosts.lease_s,
    )


def _network(run: RunParts, hosts: HostsPlan, host: str) -> MakeNetwork | None:
    """Return the order by which a host makes its peers' namespaces; None = it makes none."""
    network, here = run.network, hosts.peers_of(host)
    if not isinstance(network, NamespacesOfHosts) or not here:
        return None
    others = [name for name in hosts.hosts if name != host and hosts.peers_of(name)]
    return MakeNetwork(
        peers=tuple(network.addresses),
        rates={peer: network.rates[peer] for peer in here},
        number=tunnel_number(run.facts.run_id),
        remotes=tuple(hosts.hosts[name].address for name in others),
    )


def _look(run: RunParts, hosts: HostsPlan, there: AgentsOfRun) -> None:
    """Show which hosts are waited for.

    Raises:
        Interrupted: the run is to be stopped.
    """
    plan = run.plan
    view = ProgressView(
        label=short_name(plan.settings.algorithm),
        phase="starting hosts",
        peers_ready=0,
        peers=len(plan.peers),
        lost=0,
        rounds_done=0,
        rounds=plan.settings.rounds,
        slowest_round=0,
        accuracy=None,
        n_bytes=0,
        left_s=None,
        waiting=there.waiting,
        hosts=ShownHosts(len(hosts.hosts)),
    )
    run.display().show(view)
    if run.stopping():
        raise Interrupted


def _keys(there: AgentsOfRun, sign: bool, neighbors: Mapping[str, list[str]]) -> Mapping[str, Keys]:
    return keys_without_secrets(there.make_keys(neighbors, sign), neighbors, there.signing)


def _no_keys(_neighbors: Mapping[str, list[str]]) -> Mapping[str, Keys]:
    return {}


def _lost_hosts(
    there: AgentsOfRun,
    hosts: HostsPlan,
    journal: Journal,
    processes: PeerProcesses,
    on_restart: Callable[[str], None],
) -> LostHosts:
    return LostHosts(there, hosts, processes, journal.write, on_restart)


def _note_end(there: AgentsOfRun, hosts: HostsPlan, journal: Journal) -> None:
    """Journal the bytes of the lines, who knocked there in vain, and hosts lost at the very end."""
    for loss in there.losses():
        node, silent_s = hosts.hosts[loss.host].node, round(loss.silent_s, 3)
        journal.write(records.HostLost(loss.host, node, loss.reason, silent_s, []))
    for line in there.line_records():
        journal.write(line)
    for stranger in there.stranger_records():
        journal.write(stranger)
