"""One run: its folder, its processes, and the status it ends with."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_address
from pathlib import Path

from prisam_p2p.algorithms import TRAITS
from prisam_p2p.control.spec import DataSpec, DeviceSpec, PeerSpec
from prisam_p2p.errors import ConfigError, LaunchError
from prisam_p2p.faults.acts.byzantine import attacks_from_the_start
from prisam_p2p.faults.barriers import marks, stops
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.launch.engine import Engine, SpawnEngine
from prisam_p2p.launch.kernel_watch import KernelWatch
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.progress import observer_for
from prisam_p2p.launch.supervisor import Interrupted, Supervisor
from prisam_p2p.launch.zygote import ZygoteEngine
from prisam_p2p.measure import folders, records
from prisam_p2p.measure.files import write_whole
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.choice import (
    NetworkChoice,
    facts_of,
    is_isolated,
    link_checks,
    make_network,
    shapes_rates,
)
from prisam_p2p.netns.interface import Network
from prisam_p2p.plan.plan import PeerPlan, Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.settings import Security, Start
from prisam_p2p.system.stop_requests import stop_requests
from prisam_p2p.transport.zap import make_keys

LAUNCHER, KERNEL = "launcher", "kernel"
_DYING_S = 5.0
"""Peers whose launcher was killed need a moment to be gone."""

COMPLETED, INTERRUPTED, FAILED = "completed", "interrupted", "failed"


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


def run(
    prepared: Prepared,
    plan: Plan,
    run_dir: Path,
    quiet: bool,
    choice: NetworkChoice,
    faults: FaultPlan | None = None,
) -> tuple[str, dict[str, str]]:
    """Run `plan` in `run_dir`, which exists; return its status and each peer's final state.

    Args:
        choice: what lies between the peers.
        faults: what is to happen to them.

    Raises:
        LaunchError: a peer did not come up; the folder then says "failed".
    """
    write_whole(run_dir / "plan.json", plan.model_dump_json(indent=1) + "\n")
    write_whole(run_dir / "split.txt", prepared.split_table)
    if faults:
        write_whole(run_dir / folders.FAULTS, faults.to_json())
    return go_on(prepared, plan, run_dir, quiet, choice, faults, Past(os.urandom(8).hex()))


def go_on(
    prepared: Prepared,
    plan: Plan,
    run_dir: Path,
    quiet: bool,
    choice: NetworkChoice,
    faults: FaultPlan | None,
    past: Past,
) -> tuple[str, dict[str, str]]:
    """Play `plan` from where `past` leaves it on (see `run`).

    Args:
        faults: those that are left.

    Raises:
        ConfigError: the run has a launcher.
    """
    checks = link_checks(choice)
    epoch_s, run_id, status = time.monotonic() - past.ended_s, past.run_id, FAILED
    with (
        _held(run_dir),
        tempfile.TemporaryFile(prefix="prisam-turns-") as turns,
        Journal(run_dir / "journal" / f"{LAUNCHER}.jsonl", epoch_s) as journal,
        stop_requests() as stopping,
    ):
        turns_fd = turns.fileno() if plan.settings.turns else None
        algorithm = plan.settings.algorithm.value
        n_peers, pid = len(plan.peers), os.getpid()
        journal.write(records.RunStarted(run_id, algorithm, n_peers, pid, past.launches))
        states = dict.fromkeys(plan.peers, "not started") | past.over
        try:
            if past.over.keys() != plan.peers.keys():  # else nobody is left to go on
                with _network(plan, choice, run_id) as network, ExitStack() as held:
                    facts = facts_of(network, choice, checks)
                    journal.write(facts)
                    specs = _specs(prepared, plan, run_dir, epoch_s, run_id, turns_fd, network)
                    specs = _with_keys(past.going_on(specs), plan, network)
                    if faults:
                        specs = _with_faults(specs, faults)
                    engine = _engine(plan.settings.start)  # forked before there is a thread
                    watch = held.enter_context(_kernel_watch(specs, network, facts.mtu))
                    observer = observer_for(quiet)
                    supervisor = Supervisor(
                        engine,
                        specs,
                        journal,
                        observer,
                        stopping,
                        states,
                        watch.dump,
                        faults,
                        network,
                        plan.link_states(),
                        past,
                    )
                    supervisor.run()
            status = COMPLETED
        except Interrupted:
            status = INTERRUPTED
        except OSError as error:
            raise LaunchError("launcher", f"the system refused: {error}") from error
        finally:
            duration_s = round(time.monotonic() - epoch_s, 3)
            journal.write(records.RunEnded(status, duration_s, states))
    return status, states


@contextmanager
def _held(run_dir: Path) -> Iterator[None]:
    """Hold the run folder for this launcher and what it forks, while any of them lives."""
    with (run_dir / "journal" / f"{LAUNCHER}.jsonl").open("ab") as file:
        deadline = time.monotonic() + _DYING_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    right = "a run whose launcher and peers are gone"
                    raise ConfigError(str(run_dir), "", "a run that runs", right) from None
                time.sleep(0.05)
        yield


def _engine(start: Start) -> Engine:
    return ZygoteEngine() if start is Start.ZYGOTE else SpawnEngine()


@contextmanager
def _network(plan: Plan, choice: NetworkChoice, run_id: str) -> Iterator[Network]:
    rates = {p: (e.profile.up_mbit_s, e.profile.down_mbit_s) for p, e in plan.peers.items()}
    with closing(make_network(choice, rates, run_id)) as network:
        yield network


def _with_faults(specs: Sequence[PeerSpec], faults: FaultPlan) -> list[PeerSpec]:
    where = marks(faults, {spec.peer_id: spec.neighbors for spec in specs})
    shares, attacks = stops(faults), attacks_from_the_start(faults.occurrences)
    return [
        spec.model_copy(
            update={
                "barriers": where.get(spec.peer_id, []),
                "stops": shares.get(spec.peer_id, []),
                "attack": attacks.get(spec.peer_id),
            }
        )
        for spec in specs
    ]


def _with_keys(specs: Sequence[PeerSpec], plan: Plan, network: Network) -> list[PeerSpec]:
    addresses = network.addresses.values()
    if not is_secured(plan.settings.security, addresses, is_isolated(network)):
        return list(specs)
    keys = make_keys({spec.peer_id: spec.neighbors for spec in specs})
    return [spec.model_copy(update={"keys": keys[spec.peer_id]}) for spec in specs]


def _kernel_watch(specs: Sequence[PeerSpec], network: Network, mtu: int) -> KernelWatch:
    path = specs[0].run_dir / "journal" / f"{KERNEL}.jsonl"
    addresses = [spec.address for spec in specs]
    return KernelWatch(addresses, path, specs[0].epoch_s, network, mtu)


def _specs(
    prepared: Prepared,
    plan: Plan,
    run_dir: Path,
    epoch_s: float,
    run_id: str,
    turns_fd: int | None,
    network: Network,
) -> list[PeerSpec]:
    paced = not shapes_rates(network)
    return [
        PeerSpec(
            peer_id=peer,
            index=index,
            incarnation=0,
            run_id=run_id,
            run_dir=run_dir.resolve(),
            epoch_s=epoch_s,
            address=network.addresses[peer],
            network=network.entry(peer),
            neighbors=each.neighbors,
            settings=plan.settings,
            n_classes=plan.model.n_classes,
            image_shape=plan.model.image_shape,
            mean=plan.model.mean,
            std=plan.model.std,
            similarity_ratio=plan.similarity_ratio,
            clusters=plan.clusters,
            fan_in=plan.fan_in,
            true_group=_true_group(plan, each),
            degrees={n: len(plan.peers[n].neighbors) for n in each.neighbors},
            device=DeviceSpec(
                profile=each.profile.name,
                speed=each.profile.speed,
                threads=each.profile.threads,
                memory_mib=each.profile.memory_mib,
                up_mbit_s=each.profile.up_mbit_s if paced else None,
                down_mbit_s=each.profile.down_mbit_s if paced else None,
                prune_ratio=each.prune_ratio,
                least_prune_ratio=each.least_prune_ratio,
            ),
            data=DataSpec(
                fd=prepared.images.fd,
                n_images=prepared.images.n_images,
                train=prepared.rows[peer].train.tolist(),
                validation=prepared.rows[peer].validation.tolist(),
                test=prepared.rows[peer].test.tolist(),
            ),
            turns_fd=turns_fd,
            cores=plan.host.cores,
        )
        for index, (peer, each) in enumerate(plan.peers.items())
    ]


def _true_group(plan: Plan, peer: PeerPlan) -> list[str]:
    """Return the peers of the same data, for an algorithm that is told: nobody else may know."""
    if not TRAITS[plan.settings.algorithm].knows_groups:
        return []
    return [other for other, each in plan.peers.items() if each.group == peer.group]


def is_secured(asked: Security, addresses: Iterable[str], ours_alone: bool) -> bool:
    """Tell whether peers get keys.

    Args:
        addresses: of all peers, IPv4 or IPv6.
        ours_alone: they lie in a network that this launcher made and nobody else reaches.
    """
    if asked is not Security.AUTO:
        return asked is Security.CURVE
    beyond = any(not ip_address(address).is_loopback for address in addresses)
    return beyond and not ours_alone
