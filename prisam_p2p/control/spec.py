"""What the launcher gives a new process: the peer's spec, and which process of the peer it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from prisam_p2p.algorithms import Traits
from prisam_p2p.core.participation import EVERYBODY, Participation, participants
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.learn.dataset_pools import InputType
from prisam_p2p.settings import RunSettings
from prisam_p2p.wire.keys import Keys

ENTRY = "prisam_p2p.peer.process"
"""The module whose `main(spec, incarnation, line)` plays a peer: a name, so that the launcher
does not import what peers are made of."""

BYZANTINE_ENTRY = "prisam_p2p.byzantine.process"
"""The module whose `main` plays a Byzantine peer."""

PROBE_ENTRY = "prisam_p2p.peer.probe"
"""The module whose `main` plays a peer alone, to be measured."""


Source = Literal["state", "neighbor", "fresh"]
"""Where a process gets its first weights: the peer's state file, a neighbor, or W0."""

Phase = Literal["train", "announce", "pull", "aggregate"]
"""A phase of a round; a barrier is at the beginning of one."""

Stop = tuple[int | None, float]
"""A round, None = any, and a share of the bytes of a transfer, in (0, 1]."""


class DataRows(BaseModel):
    """Which of the shared images are this peer's, and where the shared images are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fd: int
    n_images: int
    train: list[int]
    validation: list[int]
    test: list[int]


class DataChangeSpec(BaseModel):
    """The rows of the shared images that are a peer's from a round's training on.

    Attributes:
        group: the data group of most of them.
        fault: id of the fault that gives them; "" = what one took away comes back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    round: int
    group: int | None
    train: list[int]
    validation: list[int]
    test: list[int]
    fault: str = ""


class DeviceSpec(BaseModel):
    """The limits of the device that this process plays; None = no limit.

    Attributes:
        gpu: GPUs of its host that it takes, or its share of one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str
    speed: float
    threads: int
    memory_mib: int | None
    up_mbit_s: float | None
    down_mbit_s: float | None
    prune_ratio: float
    least_prune_ratio: float
    gpu: float | None = None


class AttackSpec(BaseModel):
    """What a Byzantine peer does.

    Attributes:
        fault: id of the fault; it reports its count of attacks to the launcher under this id.
        kind: kind of the fault, which names the attack.
        factor: of `scaled`; other attacks ignore it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: str
    kind: str
    factor: float = 1.0


class BoardSpec(BaseModel):
    """Where a peer shows what it is doing (control/activity.py).

    Attributes:
        fd: of the board's memory.
        n_peers: slots on it; a peer's place is its index.
        places: neighbor -> its place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fd: int
    n_peers: int
    places: dict[str, int] = {}


class ProbeSpec(BaseModel):
    """What a process plays that stands for a peer while that is measured.

    Attributes:
        donors: how many of its neighbors it takes to have similar data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    donors: int


class PeerSpec(BaseModel):
    """A peer of a run: the same for all processes that play it. Complete when it is built.

    Attributes:
        index: the peer's place in the plan, from 0; random draws depend on it.
        epoch_s: CLOCK_MONOTONIC at the run's beginning.
        address: IP address, of its ROUTER and of its connections.
        shared_address: other peers have the same address, and ports of their own.
        n_classes, image_shape, dtype, mean, std: of the data set.
        similarity_ratio: ratio of the similarity masks.
        clusters: number of groups that masks are clustered into.
        turns_fd: file whose locks are the turns on the processor cores; None = no turns.
        cores: of the machine.
        board: where it shows what it is doing; None = nobody looks.
        network: arguments of `enter` for a network namespace of its own; None = the launcher's.
        fan_in: peers that a baseline averages with in a round.
        true_group: peers with similar data, itself included; [] for algorithms that must not know.
        true_group_changes: (round, those peers from then on), by round ascending.
        data_changes: what replaces `data`, by round ascending.
        degrees: neighbor -> how many neighbors it has at a time.
        degree: how many it has itself at a time, those that are over included; None = as many as
            there are in `neighbors`.
        everyone: all peers of the run, of which each round's are drawn; [] = all take part.
        keys: None = connections are plain. Without the secret key no process can be started.
        barriers: (round, phase) before which it waits for the launcher.
        stops: (round, None = any, and share) of transfers at which it, as a donor, waits.
        traits: of the algorithm.
        code: setting -> the users' code that it names.
        earlier_states: how many states before its last two it keeps.
        sparse_states: how many before those it keeps, with growing gaps, for an agent to collect.
        members: all peers of the run, where masks are relayed beyond neighbors; [] where not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    peer_id: str
    index: int
    run_id: str
    run_dir: Path
    epoch_s: float
    address: str
    neighbors: list[str]
    settings: RunSettings
    traits: Traits
    n_classes: int
    image_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    similarity_ratio: float
    clusters: int
    device: DeviceSpec
    data: DataRows
    turns_fd: int | None
    cores: int
    board: BoardSpec | None = None
    shared_address: bool = False
    network: dict[str, int | None] | None = None
    fan_in: int = 1
    true_group: list[str] = []
    true_group_changes: list[tuple[int, list[str]]] = []
    data_changes: list[DataChangeSpec] = []
    degrees: dict[str, int] = {}
    degree: int | None = None
    everyone: list[str] = []
    keys: Keys | None = None
    barriers: list[tuple[int, Phase]] = []
    stops: list[Stop] = []
    code: dict[str, CodeRecord] = {}
    dtype: InputType = "float32"
    earlier_states: int = 0
    sparse_states: int = 0
    members: list[str] = []

    def participation(self) -> Participation:
        """Return who takes part in which round."""
        if not self.everyone:
            return EVERYBODY
        s = self.settings
        n = participants(s.participation, len(self.everyone))
        return Participation(self.everyone, n, s.seed, s.rounds)

    @property
    def journal_path(self) -> Path:
        """The file of this peer's records."""
        return self.run_dir / "journal" / f"{self.peer_id}.jsonl"

    @property
    def state_path(self) -> Path:
        """The file that a later process of this peer goes on from."""
        return self.run_dir / "state" / f"{self.peer_id}.safetensors"

    @property
    def log_path(self) -> Path:
        """The file of what this peer's process prints."""
        return self.run_dir / "logs" / f"{self.peer_id}.log"

    @property
    def model_path(self) -> Path:
        """The file of this peer's personalized model."""
        return self.run_dir / "models" / f"{self.peer_id}.safetensors"


class Incarnation(BaseModel):
    """One process of a peer: what differs from the processes before and after it.

    Attributes:
        number: 0 for the peer's first process, then counting up.
        port: of its ROUTER, where its neighbors know the peer from before; 0 = any.
        late: it starts while the others run their rounds.
        source: what it begins with: "neighbor", the weights of the freshest one; "state", what its
            last process left; "fresh", W0. The next one where this is not to be had.
        first_round: the earliest round to begin with; exactly this one if it is not late.
        attack: what it does as a Byzantine peer; None = it is honest.
        probe: it runs alone, and no run counts it; None = it is a peer of a run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = 0
    port: int = 0
    late: bool = False
    source: Source = "fresh"
    first_round: int = 0
    attack: AttackSpec | None = None
    probe: ProbeSpec | None = None

    @property
    def entry(self) -> str:
        """The module whose `main` plays this process."""
        if self.probe is not None:
            return PROBE_ENTRY
        return ENTRY if self.attack is None else BYZANTINE_ENTRY


class ProcessInput(BaseModel):
    """All that a new process is given, as JSON, before its control line carries orders."""

    # It holds a secret key, which an error of validation would print into a log.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    spec: PeerSpec
    incarnation: Incarnation

    @model_validator(mode="after")
    def _has_its_secret(self) -> Self:
        if self.spec.keys:
            self.spec.keys.own_secret()  # a process without it could only be refused by all others
        return self
