"""One peer's start data: everything that a process needs to become that peer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prisam_p2p.settings import RunSettings
from prisam_p2p.wire.keys import Keys

ENTRY = "prisam_p2p.peer.process"
"""The module whose `main(spec, control)` plays a peer: a name, so that who starts peers need
not import what they are made of."""

BYZANTINE_ENTRY = "prisam_p2p.byzantine.process"
"""The module whose `main` plays a Byzantine peer."""


Source = Literal["state", "neighbor", "fresh"]
"""Where a peer's first weights are from: what it left, a neighbor's, or W0."""


Phase = Literal["train", "announce", "pull", "aggregate"]
"""A phase of a round: a barrier is at the beginning of one."""

Stop = tuple[int | None, float]
"""A round, None = any, and a share of the bytes of a transfer, in (0, 1]."""


class DataSpec(BaseModel):
    """Which of the shared images are this peer's, and where the shared images are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fd: int
    n_images: int
    train: list[int]
    validation: list[int]
    test: list[int]


class DeviceSpec(BaseModel):
    """The limits of the device that this process plays; None = no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str
    speed: float
    threads: int
    memory_mib: int | None
    up_mbit_s: float | None
    down_mbit_s: float | None
    prune_ratio: float
    least_prune_ratio: float


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


class PeerSpec(BaseModel):
    """A peer of a run.

    Attributes:
        network: arguments of `enter` for a network namespace of its own; None = the launcher's.
        late: the others are at it already when it starts.
        port: of its ROUTER, where its neighbors know it from before; 0 = any.
        fan_in: peers that a baseline averages with in a round.
        true_group: peers with similar data, itself included, for who is told.
        degrees: neighbor -> how many neighbors it has.
        source: what it begins with: "neighbor", the weights of the freshest one; "state", what its
            last process left; "fresh", W0. The next one where this is not to be had.
        first_round: it begins there at the earliest, and if it is not late, just there.
        keys: None = connections are plain.
        barriers: (round, phase) at whose beginning it waits for the launcher.
        attack: what this peer does as a Byzantine peer; None = it is honest.
        stops: (round, None = any, and share) of transfers at which it, as a donor, waits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    peer_id: str
    index: int
    incarnation: int
    run_id: str
    run_dir: Path
    epoch_s: float
    address: str
    neighbors: list[str]
    settings: RunSettings
    n_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    similarity_ratio: float
    clusters: int
    device: DeviceSpec
    data: DataSpec
    turns_fd: int | None
    cores: int
    network: dict[str, int | None] | None = None
    late: bool = False
    port: int = 0
    fan_in: int = 1
    true_group: list[str] = []
    degrees: dict[str, int] = {}
    source: Source = "fresh"
    first_round: int = 0
    keys: Keys | None = None
    barriers: list[tuple[int, Phase]] = []
    stops: list[tuple[int | None, float]] = []
    attack: AttackSpec | None = None

    @property
    def entry(self) -> str:
        """The module whose `main` plays this peer."""
        return ENTRY if self.attack is None else BYZANTINE_ENTRY

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
