"""One run: its folder, its processes, and the status it ends with."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from prisam_p2p.control.messages import ResourceLost
from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.links.loopback_link_faults import LoopbackLinkFaults
from prisam_p2p.faults.links.network_link_faults import LinkFaults, NetworkLinkFaults
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.launch.lost_resources import LauncherFailures
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.progress import ProgressDisplay, display_for
from prisam_p2p.launch.run_dir import remove_temporary_files
from prisam_p2p.launch.specs import LaunchFacts, first_incarnations, relays_masks
from prisam_p2p.launch.stage import RunParts, Stage, stage_here
from prisam_p2p.launch.stage_on_hosts import stage_on_hosts
from prisam_p2p.launch.supervisor import Interrupted, Supervisor, Surroundings
from prisam_p2p.launch.viewer import Viewer, noting_views
from prisam_p2p.measure import folders, records
from prisam_p2p.measure.files import write_whole
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.choice import (
    NetworkChoice,
    facts_of,
    link_checks,
    make_network,
    network_on_hosts,
)
from prisam_p2p.netns.interface import Network, NetworkError
from prisam_p2p.netns.link_check import LinkCheck
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.link_properties import Link, LinkState
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.plan.user_code import copy_code, copy_inputs
from prisam_p2p.processes.sampling import open_board
from prisam_p2p.system.refusals import refusal_in, refused
from prisam_p2p.system.stop_requests import StopRequests, stop_requests

LAUNCHER = "launcher"
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
        display: returns what shows its progress, given `quiet`.
        inputs: path in the run folder -> file that was written for this run, and is copied there.
        viewer: the process that shows this launch in a browser; None without one.
        engine: what gives the hosts of `plan`; None = peers live here, without agents.
    """

    prepared: Prepared
    plan: Plan
    run_dir: Path
    choice: NetworkChoice
    quiet: bool
    faults: FaultPlan | None = None
    display: Callable[[bool], ProgressDisplay] = display_for
    inputs: Mapping[str, Path] = field(default_factory=dict)
    viewer: Viewer | None = None
    engine: HostEngine | None = None


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        status: completed, interrupted, or failed: all peers were `refused`.
        states: peer -> final state.
        refused: peer -> what the system refused it, so that it ended itself; not by a fault.
    """

    status: str
    states: dict[str, str]
    refused: dict[str, ResourceLost] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end, and the system refused nothing."""
        return self.status == COMPLETED and not self.refused


def begin_run(request: RunRequest) -> RunResult:
    """Do a run from its beginning.

    Raises:
        LaunchError: a peer did not come up; the folder then says "failed".
        ResourceError: the system refused what the run needs; the folder then says "failed", or
            is removed if not even the plan could be written.
    """
    run_dir = request.run_dir
    try:
        copy_inputs(request.inputs, run_dir)
        copy_code(request.plan.code, run_dir)
        write_whole(run_dir / "plan.json", request.plan.model_dump_json(indent=1) + "\n")
        write_whole(run_dir / "split.txt", request.prepared.split_table)
        if request.faults:
            write_whole(run_dir / folders.FAULTS, request.faults.to_json())
    except (OSError, KeyboardInterrupt) as error:
        shutil.rmtree(run_dir, ignore_errors=True)  # nothing was started
        if isinstance(error, OSError):
            raise refused(error) from error
        raise
    return continue_run(request, Past(os.urandom(8).hex()))


def continue_run(request: RunRequest, past: Past) -> RunResult:
    """Do a run from where `past` leaves it (see `begin_run`).

    Raises:
        ConfigError: the run has a launcher that still runs.
    """
    plan, run_dir = request.plan, request.run_dir
    checks = [] if plan.hosts else link_checks(request.choice)
    epoch_s, status = time.monotonic() - past.ended_s, FAILED
    failures = LauncherFailures()
    with (
        _held(run_dir),
        stop_requests() as stop_asked,
        tempfile.TemporaryFile(prefix="prisam-turns-") as turns,
        open_board(len(plan.peers)) as board,
        Journal(run_dir / "journal" / f"{LAUNCHER}.jsonl", epoch_s, failures.note) as journal,
    ):
        turns_fd = turns.fileno() if plan.settings.turns else None
        launch = LaunchFacts(past.run_id, run_dir, epoch_s, turns_fd, board)
        algorithm, n_peers = str(plan.settings.algorithm), len(plan.peers)
        journal.write(
            records.RunStarted(past.run_id, algorithm, n_peers, os.getpid(), past.launches)
        )
        states = dict.fromkeys(plan.peers, "not started") | past.over
        course = _Course(journal, failures, stop_asked, states)
        try:
            if past.over.keys() != plan.peers.keys():  # else no peer is left to continue
                with (
                    noting_views(request.viewer, journal, epoch_s),
                    _network(request, past.run_id) as network,
                ):
                    _play(request, launch, past, network, checks, course)
            status = FAILED if len(course.refused) == len(states) else COMPLETED
        except Interrupted:
            status = FAILED if failures.found(journal) else INTERRUPTED
        except OSError as error:
            raise refused(error) from error
        except NetworkError as error:
            if shortage := refusal_in(str(error)):
                raise shortage from error
            raise
        finally:
            remove_temporary_files(run_dir)
            duration_s = round(time.monotonic() - epoch_s, 3)
            journal.write(records.RunEnded(status, duration_s, states))
    if reason := failures.error():
        raise reason
    return RunResult(status, states, course.refused)


def _play(
    request: RunRequest,
    launch: LaunchFacts,
    past: Past,
    network: Network,
    checks: Sequence[LinkCheck],
    course: _Course,
) -> None:
    """Run the peers' processes to their end; bring `course` up to date however that comes."""
    plan, faults, journal = request.plan, request.faults, course.journal
    display = cache(partial(request.display, request.quiet))
    parts = RunParts(
        request.prepared,
        plan,
        launch,
        faults,
        past,
        network,
        facts_of(network, request.choice, checks).mtu,
        journal,
        course.failures,
        course.stopping,
        display,
    )
    with _stage(request, parts) as stage:
        journal.write(facts_of(network, request.choice, checks))  # by now hosts have told theirs
        first = first_incarnations([spec.peer_id for spec in stage.specs], faults, past)
        processes = PeerProcesses(stage.engine, stage.specs, first, journal)
        processes.on_listening = stage.on_listening
        barriers = {spec.peer_id: spec.barriers for spec in stage.specs}
        hops = plan.settings.mask_hops if relays_masks(plan) else 1
        links = _link_faults(network, processes, plan.link_states(), hops)
        injector = Injector(faults, processes, journal.write, barriers, links)
        surroundings = Surroundings(
            journal,
            display(),
            course.stopping,
            stage.before_exit,
            network,
            partial(stage.lost_hosts, processes) if stage.lost_hosts else None,
            course.stop_asked.at_once,
        )
        supervisor = Supervisor(processes, injector, surroundings, faults, past)
        try:
            supervisor.run()
        finally:
            course.states |= supervisor.final_states()
            for each in processes:
                if each.refusal and not course.states[each.peer].endswith(records.AS_PLANNED):
                    course.refused[each.peer] = each.refusal


@dataclass
class _Course:
    """What the launcher writes to and asks while a run goes on, and what becomes of its peers.

    Attributes:
        states, refused: see RunResult.
    """

    journal: Journal
    failures: LauncherFailures
    stop_asked: StopRequests
    states: dict[str, str]
    refused: dict[str, ResourceLost] = field(default_factory=dict)

    def stopping(self) -> bool:
        """Tell whether the run is to be stopped: on request, or because it cannot be recorded."""
        return self.stop_asked() or self.failures.found(self.journal)


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


def _stage(request: RunRequest, parts: RunParts) -> AbstractContextManager[Stage]:
    if request.plan.hosts and request.engine:
        return stage_on_hosts(parts, request.engine, request.plan.hosts)
    return stage_here(parts)


@contextmanager
def _network(request: RunRequest, run_id: str) -> Iterator[Network]:
    profiles = {peer: each.profile for peer, each in request.plan.peers.items()}
    rates = {peer: (each.up_mbit_s, each.down_mbit_s) for peer, each in profiles.items()}
    hosts, choice = request.plan.hosts, request.choice
    with closing(
        network_on_hosts(choice, rates, hosts.addresses)
        if hosts
        else make_network(choice, rates, run_id)
    ) as network:
        yield network


def _link_faults(
    network: Network, processes: PeerProcesses, base: Mapping[Link, LinkState], hops: int
) -> LinkFaults:
    """Return what does the faults of links: the network, or on loopback the peers themselves.

    Args:
        base: what some directed links are like without faults.
        hops: the most links between two peers that connect.
    """
    links = [(spec.peer_id, n) for spec in processes.specs for n in spec.neighbors]
    if isinstance(network, Loopback):
        return LoopbackLinkFaults(processes, base, links, hops)
    return NetworkLinkFaults(network, links, base, hops)
