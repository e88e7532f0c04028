"""Every message between the launcher and a host agent. They are encoded and decoded in codec.py.

An *order* goes from the launcher to an agent, a *report* from an agent to the launcher. Some carry
bytes in a frame of their own: where they do, their docstring says so. What launcher and peers say
to each other (control/messages.py) passes through as bytes.

A process of a peer is named by a `number` that the launcher gives and never gives anew: pids of two
hosts may be equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field

from prisam_p2p.learn.dataset_pools import InputType
from prisam_p2p.netns.interface import Counts
from prisam_p2p.plan.link_properties import LinkState

Number: TypeAlias = Annotated[int, Field(ge=1)]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]
Count: TypeAlias = Annotated[int, Field(ge=0)]

ActName: TypeAlias = Literal[
    "limit-memory", "lift-memory-limit", "throttle", "end-throttle", "refuse-state", "accept-state"
]
"""What a fault does to a process besides signals (processes/process_acts.py)."""

DATA = "data"
"""In place of a path: the images of the run, in the format of learn/shared_data.py."""


class _HostMessage:
    """How codec.py checks the fields of a message: exact types, no unknown field."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )


# -- orders --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeginRun(_HostMessage):
    """Make the run's folder on this host, and what its processes share. The first order.

    Attributes:
        host: the agent's, h1, h2, ..
        address: of this host; its peers listen there.
        n_peers: of the whole run; a peer's place on the board is its index in the plan.
        epoch_s: the run's beginning on the launcher's CLOCK_MONOTONIC; the agent translates it.
        settings: of the run (RunSettings as JSON).
        clusters: whether peers cluster masks; what that needs is then imported before the forks.
        n_classes, image_shape, dtype, code: as in PeerSpec; what a training step needs is made
            ready before the forks, too.
        cores: that this run may use here.
        lease_s: the agent ends its peers when it has not heard from the launcher for this long.
    """

    run_id: str
    host: str
    address: str
    n_peers: Count
    epoch_s: float
    settings: dict[str, Any]
    clusters: bool
    n_classes: Count
    image_shape: tuple[int, ...]
    dtype: InputType
    code: dict[str, dict[str, str]]
    cores: Count
    lease_s: Seconds


@dataclass(frozen=True, slots=True)
class MakeNetwork(_HostMessage):
    """Make a network namespace for each peer of this host; `HostPrepared` tells how. Takes root.

    It comes before `Prepare`, and only in a run with --network namespaces.

    Attributes:
        peers: of all hosts, in the order of the plan.
        rates: peer of this host -> its rates up and down in Mbit/s; None = no limit.
        number, remotes: see Tunnel (netns/interface.py); the local address is the host's.
    """

    peers: tuple[str, ...]
    rates: dict[str, tuple[float | None, float | None]]
    number: Count
    remotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetLinks(_HostMessage):
    """Set the state of all links; the answer is `LinksSet`. Each host does its end of a link.

    Attributes:
        asked: counts up, and stands in the answer.
        states: sender, receiver and state of the links that are not clear.
    """

    asked: Number
    states: tuple[tuple[str, str, LinkState], ...]


@dataclass(frozen=True, slots=True)
class CountLink(_HostMessage):
    """Count what happened to a link to a peer of this host; the answer is `LinkCounted`."""

    asked: Number
    sender: str
    receiver: str


@dataclass(frozen=True, slots=True)
class FileForHost(_HostMessage):
    """A part of a file; its bytes follow. The last part ends at `n_bytes`.

    Attributes:
        path: relative to the run's folder, such as state/p01.safetensors, or DATA.
    """

    path: str
    offset: Count
    n_bytes: Count


@dataclass(frozen=True, slots=True)
class Prepare(_HostMessage):
    """All files are there: start what forks the peers, and answer with `HostPrepared`."""


@dataclass(frozen=True, slots=True)
class MakeKeys(_HostMessage):
    """Make a new pair of keys for each of these peers, and answer with `KeysMade`.

    The secret keys stay in the agent. A later pair of a peer replaces the one before.

    Attributes:
        sign: the peers sign what is relayed of them (wire/signatures.py).
    """

    peers: tuple[str, ...]
    sign: bool = False


@dataclass(frozen=True, slots=True)
class StartProcess(_HostMessage):
    """Start a process; the answer is `ProcessStarted` or `StartRefused`.

    Attributes:
        spec, incarnation: JSON of PeerSpec and Incarnation. What is of this host (descriptors,
            folder, epoch, cores, secret key) is filled in by the agent.
        gpu: what CUDA_VISIBLE_DEVICES is to be; None = the device is to see no GPU.
    """

    number: Number
    spec: str
    incarnation: str
    gpu: str | None = None


@dataclass(frozen=True, slots=True)
class LineBytes(_HostMessage):
    """Bytes of a process's control line, which follow. An order and a report."""

    number: Number


@dataclass(frozen=True, slots=True)
class LineClosed(_HostMessage):
    """The control line of a process has come to its end. An order and a report."""

    number: Number


@dataclass(frozen=True, slots=True)
class ProbeBytes(_HostMessage):
    """Bytes to or from the process that examines the host, which follow. An order and a report.

    The first order starts it (hosts/doctor/probe_child.py); a report without bytes: it has ended.
    """


@dataclass(frozen=True, slots=True)
class SignalProcess(_HostMessage):
    """Signal a process; nothing happens if it has ended."""

    number: Number
    signal: Count


@dataclass(frozen=True, slots=True)
class ActOn(_HostMessage):
    """Do, or undo, what a fault does to a process. Evidence comes as `ActDone`.

    Attributes:
        value: MiB for limit-memory, the factor for throttle; else 0.
    """

    number: Number
    act: ActName
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class RoutersKnown(_HostMessage):
    """Where peers listen, "address:port": the kernel's figures of connections to these count."""

    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DumpSockets(_HostMessage):
    """Remember the kernel's figures of the open connections (KernelWatch.dump)."""


@dataclass(frozen=True, slots=True)
class Renewed(_HostMessage):
    """The answer to `Renew`: the lease runs from the moment in which that was sent.

    Attributes:
        heard_s: when it was heard, on the launcher's CLOCK_MONOTONIC.
    """

    renewal: Count
    heard_s: float


@dataclass(frozen=True, slots=True)
class EndRun(_HostMessage):
    """Kill the processes that are left, send all files to their ends, answer with `AgentEnded`."""


@dataclass(frozen=True, slots=True)
class Die(_HostMessage):
    """Be a host that goes down: kill all processes and yourself at once, and send nothing."""


HostOrder: TypeAlias = (
    BeginRun | MakeNetwork | FileForHost | Prepare | MakeKeys | StartProcess | LineBytes
    | LineClosed | SetLinks | CountLink | ProbeBytes | SignalProcess | ActOn | RoutersKnown
    | DumpSockets | Renewed | EndRun | Die
)  # fmt: skip


# -- reports -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentUp(_HostMessage):
    """The first report of an agent: what it found on its host.

    Attributes:
        node: the host's own name.
        gpus: what CUDA_VISIBLE_DEVICES can be for one GPU each.
        mtu: of the interface that the launcher is reached by.
        kernel: why the kernel does not report sockets' figures, "" if it does.
        facts: for the journal: kernel release, Python, versions, boot id.
    """

    host: str
    node: str
    pid: Count
    cores: Count
    memory_mib: Count
    gpus: tuple[str, ...]
    mtu: Count
    kernel: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Renew(_HostMessage):
    """The agent asks for its lease to be renewed, some times a lease.

    Attributes:
        renewal: counts up.
        offset_s: what has to be added to this host's CLOCK_MONOTONIC for the launcher's, by the
            best exchange so far; None before the first.
        bound_s: the offset is right within this.
    """

    renewal: Count
    offset_s: float | None
    bound_s: float | None


@dataclass(frozen=True, slots=True)
class HostPrepared(_HostMessage):
    """The answer to `Prepare`: processes can be started.

    Attributes:
        congestion, delay_by: of the namespaces made here (netns/namespaces.py); "" without any.
    """

    congestion: str = ""
    delay_by: str = ""


@dataclass(frozen=True, slots=True)
class LinksSet(_HostMessage):
    """The answer to `SetLinks`.

    Attributes:
        failed: why the kernel refused; "" = it did not.
    """

    asked: Number
    failed: str = ""


@dataclass(frozen=True, slots=True)
class LinkCounted(_HostMessage):
    """The answer to `CountLink`.

    Attributes:
        counts: since the namespaces were made; None = they are not known.
        failed: why not.
    """

    asked: Number
    counts: Counts | None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Refused(_HostMessage):
    """The system refused the agent what it needs; it ends.

    Attributes:
        what, reason, to_do: as in ResourceError.
    """

    what: str
    reason: str
    to_do: str


@dataclass(frozen=True, slots=True)
class KeysMade(_HostMessage):
    """The answer to `MakeKeys`.

    Attributes:
        public: peer -> its public key, Z85 text.
        signing: peer -> the key that its signatures are checked by; {} where none is to sign.
    """

    public: dict[str, str]
    signing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessStarted(_HostMessage):
    """The answer to `StartProcess`.

    Attributes:
        pid: on this host.
    """

    number: Number
    pid: Count


@dataclass(frozen=True, slots=True)
class StartRefused(_HostMessage):
    """The answer to `StartProcess` where the system refused it."""

    number: Number
    errno: Count


@dataclass(frozen=True, slots=True)
class ProcessExited(_HostMessage):
    """A process has ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
    """

    number: Number
    code: int


@dataclass(frozen=True, slots=True)
class Samples(_HostMessage):
    """What was seen of each process, as rows of processes/sampling.py with numbers, not pids."""

    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class ProcessStopped(_HostMessage):
    """A SIGSTOP has taken effect on a process, or a SIGCONT after it."""

    number: Number
    stopped: bool


@dataclass(frozen=True, slots=True)
class ActDone(_HostMessage):
    """What came of `ActOn`.

    Attributes:
        evidence: name -> figure, as processes/process_acts.py has them.
    """

    number: Number
    act: ActName
    evidence: dict[str, float]


@dataclass(frozen=True, slots=True)
class AgentTrouble(_HostMessage):
    """What the agent needs besides the peers stands still (processes/engine.py); "" = no more."""

    name: str
    reason: str
    since_s: Seconds


@dataclass(frozen=True, slots=True)
class FileAppended(_HostMessage):
    """A file that only grows has grown; its new bytes follow.

    Attributes:
        path: relative to the run's folder, such as journal/p01.jsonl.
        offset: where they begin in this host's file.
    """

    path: str
    offset: Count


@dataclass(frozen=True, slots=True)
class FileFromHost(_HostMessage):
    """A part of a file that was written whole; its bytes follow. The last ends at `n_bytes`."""

    path: str
    offset: Count
    n_bytes: Count


@dataclass(frozen=True, slots=True)
class AgentEnded(_HostMessage):
    """The answer to `EndRun`: no process is left, and all files were sent. The agent ends."""


HostReport: TypeAlias = (
    AgentUp | Renew | HostPrepared | Refused | KeysMade | ProcessStarted | StartRefused | LineBytes
    | LineClosed | LinksSet | LinkCounted | ProcessExited | Samples | ProcessStopped | ActDone
    | AgentTrouble | ProbeBytes | FileAppended | FileFromHost | AgentEnded
)  # fmt: skip
