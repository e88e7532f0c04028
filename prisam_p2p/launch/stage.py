"""What plays the processes of a run: an engine, specs, and who records the kernel's figures.

Here, all on this host; stage_on_hosts.py has the same for the hosts of an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prisam_p2p.control.spec import BoardSpec, PeerSpec
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.launch.lost_hosts import LostHosts
from prisam_p2p.launch.lost_resources import LauncherFailures
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.progress import ProgressDisplay
from prisam_p2p.launch.specs import LaunchFacts, build_specs
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.interface import Network
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.processes.engine import Engine
from prisam_p2p.processes.kernel_watch import KernelWatch
from prisam_p2p.processes.our_sockets import BetweenAddresses
from prisam_p2p.processes.spawn import SpawnEngine
from prisam_p2p.processes.zygote import ZygoteEngine
from prisam_p2p.settings import RunSettings, Start

_KERNEL = "kernel"


@dataclass(frozen=True)
class RunParts:
    """What a run is made of once there is a network between its peers.

    Attributes:
        network, mtu: between the peers.
        failures: take note of records that cannot be written.
        stopping: tells whether the run is to be stopped.
        display: returns what shows the progress, which is made at the first call: what forks
            processes here is made before it.
    """

    prepared: Prepared
    plan: Plan
    facts: LaunchFacts
    faults: FaultPlan | None
    past: Past
    network: Network
    mtu: int
    journal: Journal
    failures: LauncherFailures
    stopping: Callable[[], bool]
    display: Callable[[], ProgressDisplay]


@dataclass(frozen=True)
class Stage:
    """What plays the processes of a run.

    Attributes:
        before_exit: called when all peers are done, just before they are told to exit.
        on_listening: told the address and port of each peer's ROUTER.
        lost_hosts: makes what looks after the loss of hosts, given the processes and what is told
            each peer that starts again elsewhere; None = there are no hosts but this one.
    """

    engine: Engine
    specs: list[PeerSpec]
    before_exit: Callable[[], object]
    on_listening: Callable[[str, int], object] = lambda _address, _port: None
    lost_hosts: Callable[[PeerProcesses, Callable[[str], None]], LostHosts] | None = None


@contextmanager
def stage_here(run: RunParts) -> Iterator[Stage]:
    """Give what plays the processes on this host."""
    specs = build_specs(run.prepared, run.plan, run.facts, run.network, run.faults, run.past)
    engine = engine_for(run.plan.settings, run.facts.board)  # forked before there is a thread
    ours = BetweenAddresses([spec.address for spec in specs])
    path = run.facts.run_dir / "journal" / f"{_KERNEL}.jsonl"
    with KernelWatch(
        ours, path, run.facts.epoch_s, run.network, run.mtu, run.failures.note
    ) as watch:
        yield Stage(engine, specs, watch.dump)


def engine_for(settings: RunSettings, board: BoardSpec) -> Engine:
    """Return what starts the processes of peers here; it may fork, so the caller has one thread."""
    if settings.start is Start.ZYGOTE:
        return ZygoteEngine(board, settings.stall_timeout_s)
    return SpawnEngine(board)
