"""The memory and the disk that a run takes: from its plan, and what a peer costs. Pure.

How near this comes to real runs: docs/preflight.md, from benchmarks/preflight.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from prisam_p2p.measure.state import MOST_EARLIER
from prisam_p2p.plan.plan import PeerPlan, Plan
from prisam_p2p.preflight.counts import RunCounts
from prisam_p2p.preflight.declared import kept_models
from prisam_p2p.preflight.peer_cost import PeerCosts
from prisam_p2p.settings import Start

KIB, MIB = 2**10, 2**20

_CONNECTION_BYTES = 104 * KIB
"""In a peer, for a connection to a neighbor and the one from there: sockets and queues of ZeroMQ,
and what the program remembers. Measured between 60 peers of degree 6 and of degree 59."""
_TCP_END_BYTES, _DESCRIPTOR_BYTES, _THREAD_BYTES = 5.4 * KIB, 0.5 * KIB, 26 * KIB
"""In the kernel: of an end of a connection, of another descriptor, of a thread (its stack)."""
_LAUNCHER_BYTES, _HELPER_BYTES, _NAMESPACE_BYTES = 24 * MIB, 8 * MIB, 5 * MIB
"""What the launcher and its helpers write while the run goes; all the rest they share."""
_FORK_BYTES, _MODEL_COPIES, _PULLED_COPIES, _BYTES_OF_A_MAC = 64 * MIB, 16, 4, 16
"""Generous, for an upper bound: what a fork writes at most, copies of models, bytes of outputs."""
_EVALUATION_BATCH = 32
_SPOOL_BYTES = 256 * MIB
"""Most that a peer keeps of what it pulled (transport/spool.py)."""

_PEER_RECORD_BYTES, _CONNECTION_RECORD_BYTES, _NEIGHBOR_RECORD_BYTES = 6 * KIB, 900, 190
"""In journals: of a peer; of a connection (its records and the kernel's); of a neighbor in a
round."""
_SUMMARY_BYTES = 2 * KIB
"""In plan.json, summary.json and the tables, of a peer."""


@dataclass(frozen=True)
class Memory:
    """Bytes of memory at the peak.

    Attributes:
        shared: what the launcher holds before the run, which its forks share.
        peers: private memory of all peers together.
        launcher: what the launcher and its helpers take in addition.
        kernel: page tables, stacks, sockets, descriptors.
    """

    shared: int
    peers: int
    launcher: int
    kernel: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.shared + self.added

    @property
    def added(self) -> int:
        """What the run takes in addition to what is taken before it starts."""
        return self.peers + self.launcher + self.kernel


@dataclass(frozen=True)
class Disk:
    """Bytes on disk at the peak: in the run folder, and in the folder for temporary files."""

    run_folder: int
    temporary: int


def memory(
    plan: Plan, counts: RunCounts, costs: PeerCosts, shared: int, namespaces: bool
) -> Memory:
    """Return the memory of a run.

    Devices of full speed train in turns, as many at a time as there are cores; the others hold
    what they wait with. Slower devices take no turns.

    Args:
        shared: bytes that the launcher holds now.
    """
    held, training = 0.0, []
    for peer in plan.peers.values():
        waiting, peak = costs.memory_bytes(peer.parameters)
        takes_turns = plan.settings.turns and peer.profile.speed == 1
        held += waiting if takes_turns else peak
        training.append(peak - waiting if takes_turns else 0.0)
    at_once = sum(sorted(training, reverse=True)[: cores_of(plan)])
    ends = 2 * counts.connections
    kernel = (
        costs.mean(lambda each: each.page_table_bytes) * counts.processes
        + _TCP_END_BYTES * ends
        + _DESCRIPTOR_BYTES * max(0, counts.host_files - ends)
        + _THREAD_BYTES * counts.threads
    )
    launcher = _LAUNCHER_BYTES + (counts.processes - counts.peers - 1) * _HELPER_BYTES
    if namespaces:
        launcher += counts.peers * _NAMESPACE_BYTES
    more_donors = sum(counts.donors.values()) - counts.peers * costs.mean(lambda each: each.donors)
    pulled = more_donors * offered_bytes(plan)
    peers = held + at_once + pulled + _CONNECTION_BYTES * counts.connections
    return Memory(shared, round(peers), round(launcher), round(kernel))


def memory_of_peer(
    plan: Plan, peer: str, counts: RunCounts, costs: PeerCosts
) -> tuple[float, float]:
    """Return the bytes that a peer, and the kernel for it, take, and those that training adds.

    A device of full speed trains in turn with others; a slower one holds all at all times.
    """
    waiting, peak = costs.memory_bytes(plan.peers[peer].parameters)
    takes_turns = plan.settings.turns and plan.peers[peer].profile.speed == 1
    connections = counts.degrees[peer] + counts.donors[peer]
    more_donors = counts.donors[peer] - costs.mean(lambda each: each.donors)
    held = (
        (waiting if takes_turns else peak)
        + more_donors * offered_bytes(plan)
        + _CONNECTION_BYTES * connections
        + 2 * _TCP_END_BYTES * connections
        + _DESCRIPTOR_BYTES * counts.peer_files
        + _THREAD_BYTES * counts.threads / counts.peers
        + costs.mean(lambda each: each.page_table_bytes)
    )
    return max(0.0, held), peak - waiting if takes_turns else 0.0


def memory_of_agent(shared: int) -> int:
    """Return the bytes that a host takes before its first peer: its agent, and what forks peers.

    Args:
        shared: bytes that a process holds that is ready to fork peers.
    """
    return shared + _LAUNCHER_BYTES + _HELPER_BYTES


def most_memory(plan: Plan, counts: RunCounts, shared: int) -> int:
    """Return more bytes than a run adds, without knowing what a peer costs.

    A peer has at most so many copies of the dense model, and of the outputs of its layers, of which
    each takes a multiply-accumulate at least.

    Args:
        shared: bytes that the launcher holds now; a fresh interpreter has as much.
    """
    model, batch = plan.model, max(plan.settings.batch_size, _EVALUATION_BATCH)
    own = shared if plan.settings.start is Start.SPAWN else _FORK_BYTES
    outputs = _BYTES_OF_A_MAC * batch * model.macs
    image = 4 * prod(model.image_shape)
    images = max(sum(peer.classes) for peer in plan.peers.values())
    images += plan.settings.test_images_per_peer
    kept = _MODEL_COPIES + _PULLED_COPIES * kept_models(plan)
    copies = sum(kept + _PULLED_COPIES * donors for donors in counts.donors.values())
    return (
        counts.peers * (own + outputs + 2 * image * images)
        + copies * model.n_bytes
        + 2 * _CONNECTION_BYTES * counts.connections
        + counts.processes * _NAMESPACE_BYTES
    )


def disk(plan: Plan, counts: RunCounts) -> Disk:
    """Return what a run writes; a peer keeps a model, two states, and what it pulled last.

    States hold the further models that its algorithm keeps. Where not all peers take part in every
    round, earlier states are kept, too.
    """
    rounds, peers = plan.settings.rounds, plan.peers.values()
    models = sum(2 * each.n_bytes + _next_bytes(plan, each) for each in peers)
    kept, earlier = kept_models(plan) * plan.model.n_bytes, _earlier_states(plan)
    dense = plan.traits.dense
    models += sum(earlier * (plan.model.n_bytes if dense else each.n_bytes) for each in peers)
    models += (2 + earlier) * kept * len(peers)
    records = (
        _PEER_RECORD_BYTES * len(peers)
        + _CONNECTION_RECORD_BYTES * counts.connections
        + rounds * (_mask_bytes(plan) + 1500) * len(peers)
        + rounds * _NEIGHBOR_RECORD_BYTES * sum(counts.heard.values())
    )
    pulled = sum(
        min(_SPOOL_BYTES, donors * offered_bytes(plan)) for donors in counts.donors.values()
    )
    return Disk(models + records + _SUMMARY_BYTES * len(peers), round(pulled))


def cores_of(plan: Plan) -> int:
    """Return the cores that the peers of a run share: of this host, or of all of its hosts."""
    return sum(host.cores for host in plan.hosts.hosts.values()) if plan.hosts else plan.host.cores


def _earlier_states(plan: Plan) -> int:
    """Return how many states before its last two a peer keeps at the end."""
    if plan.participation().of_all:
        return 0
    return min(MOST_EARLIER, max(0, plan.settings.rounds - 2))


def _next_bytes(plan: Plan, peer: PeerPlan) -> int:
    """Return the most bytes of what a next round trains, which its state holds."""
    every = plan.settings.regrowth_every  # the last round prepares for one that never comes
    grows = 0 < every <= plan.settings.rounds
    return plan.model.n_bytes if grows or plan.traits.dense else peer.n_bytes


def offered_bytes(plan: Plan) -> float:
    """Return the bytes that a peer offers, on average."""
    if plan.traits.dense:
        return plan.model.n_bytes
    return sum(each.n_bytes for each in plan.peers.values()) / len(plan.peers)


def _mask_bytes(plan: Plan) -> int:
    """Return what a round's masks take in a journal, in hexadecimal."""
    return 0 if plan.traits.dense else plan.model.mask_bits // 2
