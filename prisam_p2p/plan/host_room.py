"""A host that an engine offers, what a peer needs of one, and how full a host is. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

_WHOLE = 1.0 - 1e-9
"""A GPU with this share left is whole: shares such as 0.1 do not add up exactly."""


@dataclass(frozen=True)
class HostOffer:
    """A host that an engine can give.

    Attributes:
        name: h1, h2, .. in the engine's order, or the name that the topology's [hosts] gives.
        node: the engine's name for it.
        address: IP address under which the other hosts reach it.
        cores, memory_mib, gpus: what the engine can give of it now.
        threads, process_files: how many threads may be added there, and descriptors of one process;
            None = the engine does not tell.
    """

    name: str
    node: str
    address: str
    cores: int
    memory_mib: int
    gpus: int = 0
    threads: int | None = None
    process_files: int | None = None


@dataclass(frozen=True)
class PeerNeeds:
    """What a peer needs of its host.

    Attributes:
        cores: speed x threads of its profile: how much of the cores it takes while it trains.
            Peers wait for each other and take turns, so any number of them fits on a host that has
            as many cores as the one that takes the most.
        memory_mib: what it holds at all times.
        training_mib: what training takes in addition, of as many peers at a time as there are
            cores.
        gpu: share of a GPU, or a number of GPUs; 0 = it sees one and has no share; None = it sees
            none.
        profile: name of its device profile.
        group: of its data; None where the split has no groups.
    """

    cores: float
    memory_mib: float = 0.0
    training_mib: float = 0.0
    gpu: float | None = None
    profile: str = ""
    group: int | None = None


@dataclass
class HostRoom:
    """What is taken of a host, and what is left.

    Attributes:
        base_mib: memory that the host needs before its first peer.
        cores: sum of what its peers take while they train.
        memory_mib: what its peers take, without what training takes in addition.
    """

    offer: HostOffer
    base_mib: int
    cores: float = 0.0
    memory_mib: float = 0.0
    _training: list[float] = field(default_factory=list)  # a heap of the largest, one a core
    _gpu_left: list[float] = field(default_factory=list)
    _gpu_peers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._gpu_left = [1.0] * self.offer.gpus
        self._gpu_peers = [0] * self.offer.gpus

    def copy(self) -> HostRoom:
        """Return the same room, which changes on its own."""
        taken = HostRoom(self.offer, self.base_mib, self.cores, self.memory_mib)
        taken._training = list(self._training)
        taken._gpu_left, taken._gpu_peers = list(self._gpu_left), list(self._gpu_peers)
        return taken

    @property
    def used_mib(self) -> float:
        """Memory that is taken, with what training takes in addition."""
        return self.base_mib + self.memory_mib + sum(self._training)

    def lacks(self, needs: PeerNeeds) -> set[str]:
        """Return the resources of which too little is left for one more peer."""
        short = set[str]()
        if needs.cores > self.offer.cores + 1e-9:
            short.add("cores")
        if self._mib_with(needs) > self.offer.memory_mib:
            short.add("memory")
        if needs.gpu is not None and self._gpus_for(needs.gpu) is None:
            short.add("GPUs")
        return short

    def share_with(self, needs: PeerNeeds) -> float:
        """Return the largest share of a resource that peers take with one more, rounded."""
        cores = (self.cores + needs.cores) / max(1, self.offer.cores)
        for_peers = max(1, self.offer.memory_mib - self.base_mib)
        memory = (self._mib_with(needs) - self.base_mib) / for_peers
        gpus = 0.0
        if needs.gpu is not None and self.offer.gpus:
            gpus = (self.offer.gpus - sum(self._gpu_left) + needs.gpu) / self.offer.gpus
        return round(max(cores, memory, gpus), 9)

    def take(self, needs: PeerNeeds) -> tuple[int, ...]:
        """Take room for a peer; return the numbers of the GPUs that it may see.

        Raises:
            ValueError: no GPU is left for it.
        """
        gpus = self._gpus_for(needs.gpu) if needs.gpu is not None else ()
        if gpus is None:
            raise ValueError(f"{self.offer.name} has no GPU left")
        for gpu in gpus:
            self._gpu_left[gpu] -= min(needs.gpu or 0.0, 1.0)
            self._gpu_peers[gpu] += 1
        self.cores += needs.cores
        self.memory_mib += needs.memory_mib
        heapq.heappush(self._training, needs.training_mib)
        if len(self._training) > max(1, self.offer.cores):
            heapq.heappop(self._training)
        return gpus

    def _mib_with(self, needs: PeerNeeds) -> float:
        most = max(1, self.offer.cores)
        least = self._training[0] if len(self._training) >= most else 0.0
        more = max(0.0, needs.training_mib - least)
        return self.used_mib + needs.memory_mib + more

    def _gpus_for(self, share: float) -> tuple[int, ...] | None:
        """Return the GPUs for a share, the emptiest first; None = too little is left."""
        emptiest = sorted(
            range(self.offer.gpus), key=lambda i: (-self._gpu_left[i], self._gpu_peers[i], i)
        )
        if share <= 1.0:
            fits = [i for i in emptiest if self._gpu_left[i] >= share - 1e-9]
            return (fits[0],) if fits else None
        whole = [i for i in emptiest if self._gpu_left[i] >= _WHOLE]
        return tuple(sorted(whole[: round(share)])) if len(whole) >= round(share) else None
