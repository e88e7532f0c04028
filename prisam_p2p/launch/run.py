"""One run: its folder, its processes, and the status it ends with."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.errors import ConfigError, LaunchError
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.links.loopback_link_faults import LoopbackLinkFaults
from prisam_p2p.faults.links.network_link_faults import LinkFaults, NetworkLinkFaults
from prisam_p2p.launch.engine import Engine, SpawnEngine
from prisam_p2p.launch.kernel_watch import KernelWatch
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.processes import PeerProcesses
from prisam_p2p.launch.progress import display_for
from prisam_p2p.launch.specs import LaunchFacts, build_specs, first_incarnations
from prisam_p2p.launch.supervisor import Interrupted, Supervisor, Surroundings
from prisam_p2p.launch.zygote import ZygoteEngine
from prisam_p2p.measure import folders, records
from prisam_p2p.measure.files import write_whole
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.choice import NetworkChoice, facts_of, link_checks, make_network
from prisam_p2p.netns.interface import Network
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.link_properties import Link, LinkState
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.settings import Start
from prisam_p2p.system.stop_requests import stop_requests

LAUNCHER, KERNEL = "launcher", "kernel"
_DYING_S = 5.0
"""Peers whose launcher was killed need a moment to end."""

COMPLETED, INTERRUPTED, FAILED = "completed", "interrupted", "failed"


@dataclass(frozen=True)
class RunRequest:
    """One run that is to be done.

    Attributes:
        plan: the run's own, or its baseline's.
        run_dir: its folder, which exists.
        choice: what lies between the peers.
        faults: what is to happen to the peers; of a resumed run, what is left of it.
    """

    prepared: Prepared
    plan: Plan
    run_dir: Path
    choice: NetworkChoice
    quiet: bool
    faults: FaultPlan | None = None


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        status: completed, or interrupted.
        states: peer -> final state.
    """

    status: str
    states: dict[str, str]


def create_run_dir(path: Path) -> None:
    """Make the run folder.

    Raises:
        ConfigError: it exists, or cannot be made.
    """
    if path.exists():
        raise ConfigError("--run-dir", "", str(path), "a folder that does not exist yet")
    try:
        for name in ("journal", "logs", "models", "state"):
            (path / name).mkdir(parents=True)
    except OSError as error:
        right = f"a folder that can be made: {error.strerror}"
        raise ConfigError("--run-dir", "", str(path), right) from error


def begin_run(request: RunRequest) -> RunResult:
    """Do a run from its beginning.

    Raises:
        LaunchError: a peer did not come up; the folder then says "failed".
    """
    run_dir = request.run_dir
    write_whole(run_dir / "plan.json", request.plan.model_dump_json(indent=1) + "\n")
    write_whole(run_dir / "split.txt", request.prepared.split_table)
    if request.faults:
        write_whole(run_dir / folders.FAULTS, request.faults.to_json())
    return continue_run(request, Past(os.urandom(8).hex()))


def continue_run(request: RunRequest, past: Past) -> RunResult:
    """Do a run from where `past` leaves it (see `begin_run`).

    Raises:
        ConfigError: the run has a launcher that still runs.
    """
    plan, run_dir = request.plan, request.run_dir
    checks = link_checks(request.choice)
    epoch_s, status = time.monotonic() - past.ended_s, FAILED
    with (
        _held(run_dir),
        tempfile.TemporaryFile(prefix="prisam-turns-") as turns,
        Journal(run_dir / "journal" / f"{LAUNCHER}.jsonl", epoch_s) as journal,
        stop_requests() as stopping,
    ):
        turns_fd = turns.fileno() if plan.settings.turns else None
        launch = LaunchFacts(past.run_id, run_dir, epoch_s, turns_fd)
        algorithm, n_peers = plan.settings.algorithm.value, len(plan.peers)
        journal.write(
            records.RunStarted(past.run_id, algorithm, n_peers, os.getpid(), past.launches)
        )
        states = dict.fromkeys(plan.peers, "not started") | past.over
        try:
            if past.over.keys() != plan.peers.keys():  # else no peer is left to continue
                with _network(request, past.run_id) as network:
                    facts = facts_of(network, request.choice, checks)
                    journal.write(facts)
                    _play(request, launch, past, network, facts.mtu, journal, stopping, states)
            status = COMPLETED
        except Interrupted:
            status = INTERRUPTED
        except OSError as error:
            raise LaunchError("launcher", f"the system refused: {error}") from error
        finally:
            duration_s = round(time.monotonic() - epoch_s, 3)
            journal.write(records.RunEnded(status, duration_s, states))
    return RunResult(status, states)


def _play(
    request: RunRequest,
    launch: LaunchFacts,
    past: Past,
    network: Network,
    mtu: int,
    journal: Journal,
    stopping: Callable[[], bool],
    states: dict[str, str],
) -> None:
    """Run the peers' processes to their end; bring `states` up to date however that comes."""
    plan, faults = request.plan, request.faults
    specs = build_specs(request.prepared, plan, launch, network, faults, past)
    first = first_incarnations([spec.peer_id for spec in specs], faults, past)
    engine = _engine(plan.settings.start)  # forked before there is a thread
    with _kernel_watch(specs, network, mtu) as watch:
        processes = PeerProcesses(engine, specs, first, journal)
        barriers = {spec.peer_id: spec.barriers for spec in specs}
        links = _link_faults(network, processes, plan.link_states())
        injector = Injector(faults, processes, journal.write, barriers, links)
        surroundings = Surroundings(journal, display_for(request.quiet), stopping, watch.dump)
        supervisor = Supervisor(processes, injector, surroundings, faults, past)
        try:
            supervisor.run()
        finally:
            states |= supervisor.final_states()


@contextmanager
def _held(run_dir: Path) -> Iterator[None]:
    """Hold the run folder for this launcher and its child processes, while any of them lives."""
    with (run_dir / "journal" / f"{LAUNCHER}.jsonl").open("ab") as file:
        deadline = time.monotonic() + _DYING_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    right = "a run whose launcher and peers have ended"
                    raise ConfigError(str(run_dir), "", "a run that runs", right) from None
                time.sleep(0.05)
        yield


def _engine(start: Start) -> Engine:
    return ZygoteEngine() if start is Start.ZYGOTE else SpawnEngine()


@contextmanager
def _network(request: RunRequest, run_id: str) -> Iterator[Network]:
    profiles = {peer: each.profile for peer, each in request.plan.peers.items()}
    rates = {peer: (each.up_mbit_s, each.down_mbit_s) for peer, each in profiles.items()}
    with closing(make_network(request.choice, rates, run_id)) as network:
        yield network


def _link_faults(
    network: Network, processes: PeerProcesses, base: Mapping[Link, LinkState]
) -> LinkFaults:
    """Return what does the faults of links: the network, or on loopback the peers themselves.

    Args:
        base: what some directed links are like without faults.
    """
    if isinstance(network, Loopback):
        return LoopbackLinkFaults(processes, base)
    links = [(spec.peer_id, n) for spec in processes.specs for n in spec.neighbors]
    return NetworkLinkFaults(network, links, base)


def _kernel_watch(specs: Sequence[PeerSpec], network: Network, mtu: int) -> KernelWatch:
    path = specs[0].run_dir / "journal" / f"{KERNEL}.jsonl"
    addresses = [spec.address for spec in specs]
    return KernelWatch(addresses, path, specs[0].epoch_s, network, mtu)
