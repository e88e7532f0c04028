"""Every line a journal can hold. docs/run-folder.md documents them for readers of a run.

A record is written as one JSON object: {"t_s": seconds since the run began, "record": its
class name in snake case, **fields}. Bits are hexadecimal, high bit first. Add fields freely;
never change what one means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

AS_PLANNED = " as planned"
"""Suffix of the final state of a peer that a fault took away for good (`RunEnded`)."""

LOST_WITH_HOST = "lost with host "
"""Prefix of the final state of a peer whose host was lost."""

GUARDED = "the guard: as many are down as may be"
"""Reason of a `FaultMissed` that the guard caused, at run time."""

SAID_BYE = "left before round "
"""Prefix of the reason why a neighbor is missing that said Bye (`Heard`): it left on purpose."""


@dataclass(frozen=True, slots=True)
class Started:
    """A peer process is up and its ROUTER is bound."""

    peer: str
    pid: int
    incarnation: int
    address: str
    port: int
    prune_ratio: float


@dataclass(frozen=True, slots=True)
class Connected:
    """Neighbors that welcomed this peer, and those that did not in time."""

    neighbors: list[str]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A later process of a peer: the round of its state, and the round with which it continues.

    `source` of its weights: state, neighbor (`donor`) or fresh (W0).
    """

    state_round: int
    round: int
    source: str
    donor: str | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """After `round` this peer skips to `next_round`, which half of its neighbors have reached."""

    round: int
    next_round: int


@dataclass(frozen=True, slots=True)
class SatOut:
    """This peer was not drawn to take part in a round, and the round is over.

    `waited_s`: until the masks of the neighbors that took part were here, or were given up.
    """

    round: int
    waited_s: float


@dataclass(frozen=True, slots=True)
class DataChanged:
    """From this round on a peer has other images, which its plan has from round `since` on.

    Attributes:
        fault: id of the fault that gives them; "": what one took away is back.
        group: data group of most of them.
        train, validation, test: number of images of each kind.
        new: training images that it did not have before.
    """

    round: int
    since: int
    fault: str
    group: int | None
    train: int
    validation: int
    test: int
    new: int


@dataclass(frozen=True, slots=True)
class Trained:
    """One round's local training; asked and achieved speed relative to this host.

    Attributes:
        macs: multiply-accumulates of one image's forward pass through the network trained.
        training_macs: those of this whole training, forward and backward.
    """

    round: int
    epochs: int
    steps: int
    images: int
    loss: float | None
    learning_rate: float
    parameters: int
    cpu_s: float
    wall_s: float
    speed_asked: float
    speed_achieved: float | None
    macs: int | None = None
    training_macs: int | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """W0 was trained on this peer's data, to make its mask; fields as of `Trained`."""

    round: int
    epochs: int
    steps: int
    images: int
    loss: float | None
    learning_rate: float
    parameters: int
    cpu_s: float
    wall_s: float
    speed_asked: float
    speed_achieved: float | None
    macs: int | None = None
    training_macs: int | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Models were evaluated on this peer's training images, to choose among them.

    Attributes:
        round: the current round; before the first one, 0.
        models: number of models.
        images: images that went through all of them together, one pass each.
        macs: multiply-accumulates of all these forward passes together.
    """

    round: int
    models: int
    images: int
    macs: int


@dataclass(frozen=True, slots=True)
class Differentiated:
    """Gradients of one batch were computed, to choose the weights that regrow.

    Attributes:
        macs: multiply-accumulates of the batch's forward and backward pass.
    """

    round: int
    images: int
    macs: int


@dataclass(frozen=True, slots=True)
class Regrown:
    """This round's training tried so many regrown channels; pruning let so many of them stay."""

    round: int
    tried: int
    stayed: int


@dataclass(frozen=True, slots=True)
class Masked:
    """The structure mask that this round's weights are pruned to, and what is announced."""

    round: int
    prune_ratio: float
    structure: str
    similarity: str


@dataclass(frozen=True, slots=True)
class MaskNoised:
    """So many bits of this round's similarity mask were flipped at random (--mask-noise)."""

    round: int
    epsilon: float
    flipped: int
    n_bits: int


@dataclass(frozen=True, slots=True)
class Offered:
    """From now on, a peer that requests the weights of this round gets these."""

    round: int
    n_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Announced:
    """The similarity mask was sent to the neighbors that could be reached.

    `n_bytes` is of the weights that are offered with it.
    """

    round: int
    n_bytes: int
    reached: list[str]
    unreachable: list[str]


@dataclass(frozen=True, slots=True)
class Heard:
    """The wait for the neighbors' masks ended; `missing`: neighbor -> why its mask is missing.

    The wait could have taken `deadline_s` at most.
    """

    round: int
    peers: list[str]
    missing: dict[str, str]
    waited_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Relayed:
    """The steps by which masks are relayed ended (--mask-hops).

    Attributes:
        hops: peer -> links that its mask travelled; of peers that are no neighbors.
        asked: requests for masks that were sent.
        missing: neighbors that did not tell what they know, or did not send what they listed.
        deadline_s: the most that the steps could have taken together.
    """

    round: int
    hops: dict[str, int]
    asked: int
    missing: list[str]
    waited_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When each neighbor's mask of a round arrived.

    Attributes:
        t0_s: of the first one, on the run's clock; of the wait's end where none arrived.
        ms: milliseconds after t0_s, in the order of the neighbors' ids; None where none arrived
            before the wait ended.
    """

    round: int
    t0_s: float
    ms: list[int | None]


@dataclass(frozen=True, slots=True)
class Grouped:
    """This peer's clustering: `labels` of all peers heard (none for top-m), its own `group`."""

    round: int
    labels: dict[str, int]
    group: list[str]


@dataclass(frozen=True, slots=True)
class Pulled:
    """A chosen peer's weights arrived whole."""

    round: int
    donor: str
    n_bytes: int
    fetched_bytes: int
    digest: str
    wall_s: float
    mbit_s: float
    began_s: float | None = None


@dataclass(frozen=True, slots=True)
class PullFailed:
    """A chosen peer's weights did not arrive; it is left out of this round."""

    round: int
    donor: str
    reason: str
    began_s: float | None = None
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The weights of a chosen peer failed a check on receipt; it is left out of this round.

    `fetched_bytes`: of weights that arrived whole and were thrown away.
    """

    round: int
    donor: str
    check: str
    detail: str
    fetched_bytes: int = 0
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A neighbor's pull of this peer's weights, as the donor saw it, from request to end.

    Attributes:
        round: of the weights that were asked for.
        to: the neighbor.
        offered_round: the latest round that this peer offered then; None = none yet.
        n_bytes: bytes of weights that went out.
        began_s: time of the first request, on the run's clock.
        queued_s: how long it waited for an upload slot.
        state: whole, offered, stopped or failed.
    """

    round: int
    to: str
    offered_round: int | None
    n_bytes: int
    began_s: float
    queued_s: float
    wall_s: float
    state: str


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The members averaged; how many channels exist in their union, and are kept of them.

    `norms`: of each donor's weights over the own ones' (core/defence.py).
    """

    round: int
    members: list[str]
    union_channels: int
    kept_channels: int
    regrowth: bool
    norms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Accuracy in [0, 1] of one of the round's models.

    Attributes:
        right: test images of each class that were classified rightly.
        of: test images of each class.
    """

    round: int
    moment: str
    validation: float
    test: float
    right: list[int] = field(default_factory=list)
    of: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GuardActed:
    """Validation accuracy fell too far: the prune ratio goes down as far as the budget lets."""

    round: int
    validation: float
    best: float
    prune_ratio: float


@dataclass(frozen=True, slots=True)
class Turned:
    """A message was rejected: a stranger's, stale, malformed, ..

    `count` of this sender and verdict so far; written at the first, and when 2, 4, 8, .. are
    reached or passed.
    """

    sender: str
    verdict: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class NeighborLeft:
    """A neighbor's connection closed, or it said Bye."""

    neighbor: str
    reason: str


@dataclass(frozen=True, slots=True)
class NeighborFenced:
    """A neighbor's host was lost: its processes before `least_incarnation` are heard no more.

    What follows in this journal did not come from one of them.
    """

    neighbor: str
    least_incarnation: int


@dataclass(frozen=True, slots=True)
class NeighborJoined:
    """A neighbor connected (again)."""

    neighbor: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection with a neighbor, by a number of this peer's own; "" = with a stranger.

    Attributes:
        cookie: the kernel's number of this end's socket, as in `Socket`; 0 = unknown.
    """

    connection: int
    side: str
    client: str
    server: str
    neighbor: str
    channel: str
    heartbeat_ms: int
    security: str
    cookie: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts so far that changed since the last such record (`measure.traffic.Row`).

    `final`: written after the sockets were closed in order; nothing passed after it.
    """

    round: int
    final: bool
    rows: list[list[str | int]]


@dataclass(frozen=True, slots=True)
class Spans:
    """What this peer's main thread did since the last such record, without gap or overlap.

    Attributes:
        round: at the time of writing; -1 before the first.
        spans: [phase, begin, end] in seconds on the run's clock; phases are `Activity.phase`.
    """

    round: int
    spans: list[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Resources:
    """What this process used until the end of a round.

    Attributes:
        cpu_s: CPU time of the process.
        memory_mib: private memory above that at the beginning of the rounds; None = unknown.
        sent_bytes, received_bytes: payload: mask bits and weights.
    """

    round: int
    cpu_s: float
    memory_mib: float | None
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class TransferStopped:
    """A transfer of weights waits for the launcher: a fault happens at this share of it."""

    round: int
    share: float
    to: str
    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class StateNotWritten:
    """The state for the next round could not be stored; the earlier one is kept."""

    round: int
    reason: str


@dataclass(frozen=True, slots=True)
class MemoryExceeded:
    """An allocation beyond the device's memory was refused and caught."""

    round: int
    asked_mib: float
    used_mib: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """The model that this device keeps: the better of the two on its validation images."""

    moment: str
    validation: float
    test: float
    prune_ratio: float
    parameters: int
    macs: int
    n_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyActed:
    """A rule of message faults was removed: messages that matched it, and that it acted on."""

    id: str
    matched: int
    acted: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last line of a peer: completed, stopped, out-of-memory or failed.

    `peak_mib` is memory above what the process had when the rounds began; the rates are
    the most weights that it sent, and asked for, in any one second.
    """

    state: str
    rounds: int
    reason: str = ""
    cpu_s: float = 0.0
    peak_mib: float | None = None
    up_mbit_s: float | None = None
    down_mbit_s: float | None = None


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The launcher made the run folder and starts processes; `launches`: number of earlier ones."""

    run_id: str
    algorithm: str
    peers: int
    pid: int
    launches: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """A viewer's process was there from `from_s` to `to_s`; null: still, or it ended unseen."""

    from_s: float
    to_s: float | None


@dataclass(frozen=True, slots=True)
class NetworkMade:
    """The network between the peers of this run."""

    kind: str
    reason: str
    mtu: int
    congestion: str
    delay_by: str | None
    measured: list[dict[str, float | str | None]]


@dataclass(frozen=True, slots=True)
class HostUp:
    """The agent of a host has answered, and peers can be started there.

    Attributes:
        node: the host's own name; pid: of its agent.
        address: under which the other hosts reach it; its peers listen there.
        gpus: what CUDA_VISIBLE_DEVICES can be for one GPU each.
        mtu: of the interface to the other hosts.
        kernel: why the kernel does not report sockets' figures, "" if it does.
        facts: kernel release, versions, boot id, ..
    """

    host: str
    node: str
    address: str
    pid: int
    cores: int
    memory_mib: int
    gpus: list[str]
    mtu: int
    kernel: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class HostClock:
    """What is added to a host's CLOCK_MONOTONIC for the launcher's, right within `bound_s`.

    `changed_s`: by how much the offset has changed since the last such record of this host.
    """

    host: str
    offset_s: float
    bound_s: float
    changed_s: float


@dataclass(frozen=True, slots=True)
class HostLost:
    """A host was not heard for a lease, or its engine says that it is gone.

    Attributes:
        silent_s: for how long it was not heard.
        peers: those that had a process there.
    """

    host: str
    node: str
    reason: str
    silent_s: float
    peers: list[str]


@dataclass(frozen=True, slots=True)
class NoRoom:
    """A peer of a lost host is not started again: none of the `hosts` that are left has room."""

    peer: str
    hosts: list[str]


@dataclass(frozen=True, slots=True)
class HostFenced:
    """The neighbors of a lost host's peers hear the processes there no more.

    Attributes:
        least: peer -> the least incarnation of it that is heard.
        answered: the neighbors that have said so, and still have a process.
        unanswered: those that have not, within the time that they were given.
        waited_s: since the loss was noticed.
    """

    host: str
    least: dict[str, int]
    answered: list[str]
    unanswered: list[str]
    waited_s: float


@dataclass(frozen=True, slots=True)
class HostLine:
    """Bytes of the frames on the launcher's line with a host, until the line was closed."""

    host: str
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class PeerStarted:
    """The launcher started a peer process; `host` is "" where the run has no hosts."""

    peer: str
    pid: int
    incarnation: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class AllReady:
    """Every peer is up and connected; rounds begin."""

    wall_s: float
    cpu_s_per_peer: float | None
    pss_mib_per_peer: float | None


@dataclass(frozen=True, slots=True)
class PeerEnded:
    """A peer process ended."""

    peer: str
    pid: int
    exit_code: int


@dataclass(frozen=True, slots=True)
class PeerRefused:
    """The system refused a peer's process what it cannot run without; the process ended itself.

    `what`: the path or the limit; `reason`: the system's words.
    """

    peer: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class FaultApplied:
    """The launcher applied an occurrence of a fault at one peer, `late_s` after its time."""

    fault: str
    kind: str
    peer: str
    late_s: float


@dataclass(frozen=True, slots=True)
class FaultMissed:
    """A fault was due at a peer and not applied: the peer was down, or the guard forbade it."""

    fault: str
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """At the end, connections had time to come back, and messages on their way to arrive.

    Written in a run with faults, and where a peer stopped before its last round.

    Attributes:
        late: peers that still lacked a neighbor then.
    """

    wall_s: float
    late: list[str]


@dataclass(frozen=True, slots=True)
class Stalled:
    """A peer, or the zygote, stands still: `reason`, as in "stopped", for `since_s` so far.

    Attributes:
        doing: what it was at; "" for the zygote.
        round: -1 before the first, and for the zygote.
    """

    peer: str
    reason: str
    doing: str
    round: int
    since_s: float


@dataclass(frozen=True, slots=True)
class MovedOn:
    """What was stalled gets on again, `after_s` after it was noticed to stand still."""

    peer: str
    after_s: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The launcher ends peers that stand still, or that do not end when they are told to.

    Attributes:
        silent_s: for how long it has waited for them.
        reasons: peer -> why, in words.
    """

    peers: list[str]
    silent_s: float
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaultVerified:
    """Evidence that a fault had its effect at a peer."""

    fault: str
    peer: str
    evidence: str


@dataclass(frozen=True, slots=True)
class FaultHealed:
    """A fault is undone at a peer; a restarted one is connected again."""

    fault: str
    peer: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The launcher's last line."""

    status: str
    duration_s: float
    states: dict[str, str]


@dataclass(frozen=True, slots=True)
class Socket:
    """What the kernel counted for one TCP socket, one end of a connection, up to `source`.

    "destroyed": up to its end. "dump": a look at it, for want of the other.

    Attributes:
        cookie: the kernel's number of the socket, which no other socket has.
        bytes_acked, unacked: see TcpInfo and DiagSocket; None in runs of earlier releases.
    """

    local: str
    remote: str
    source: str
    sent: int
    retransmitted: int
    received: int
    segs_out: int
    segs_in: int
    data_segs_out: int
    data_segs_in: int
    state: str
    cookie: int
    bytes_acked: int | None = None
    unacked: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """The last line of kernel.jsonl: whether the kernel reported its sockets, and how often not.

    Attributes:
        mtu: of the interface between peers of one host.
        host: whose kernel it is; "" where the run has no hosts.
        between_mtu: of the interface to the other hosts; None where there are none.
    """

    available: bool
    reason: str
    overruns: int
    cpu_s: float
    mtu: int
    host: str = ""
    between_mtu: int | None = None


Record = (
    Started
    | Connected
    | Resumed
    | CaughtUp
    | SatOut
    | DataChanged
    | Trained
    | Masked
    | MaskNoised
    | Regrown
    | Probed
    | Compared
    | Differentiated
    | Offered
    | Announced
    | Heard
    | Relayed
    | Arrivals
    | Grouped
    | Pulled
    | PullFailed
    | Rejected
    | Served
    | Aggregated
    | Evaluated
    | GuardActed
    | Turned
    | NeighborLeft
    | NeighborFenced
    | NeighborJoined
    | Connection
    | Traffic
    | Spans
    | Resources
    | TransferStopped
    | StateNotWritten
    | MemoryExceeded
    | Deployed
    | PolicyActed
    | Finished
    | RunStarted
    | Watched
    | NetworkMade
    | HostUp
    | HostClock
    | HostLost
    | HostFenced
    | NoRoom
    | HostLine
    | PeerStarted
    | AllReady
    | PeerEnded
    | PeerRefused
    | FaultApplied
    | FaultMissed
    | Settled
    | Stalled
    | MovedOn
    | GivenUp
    | FaultVerified
    | FaultHealed
    | RunEnded
    | Socket
    | Watch
)
