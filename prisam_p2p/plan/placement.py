"""Which host each peer of a run lives on: a pure function of plan and hosts.

Equal arguments give equal placements, whatever the order in which they are given: peers are taken
by their ids, hosts by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from prisam_p2p.errors import DoesNotFit
from prisam_p2p.plan.host_room import HostOffer, HostRoom, PeerNeeds
from prisam_p2p.settings import Placement

__all__ = [
    "HostOffer",
    "Lack",
    "Placed",
    "lacks_of",
    "place",
    "place_elsewhere",
    "placed_as_before",
]


@dataclass(frozen=True)
class Lack:
    """A resource of which a placement takes more than there is.

    Attributes:
        resource: cores or memory.
        needed, offered: of memory, MiB of all peers and of all hosts; of cores, those of the peer
            and of the host with the most.
        over: host -> (needed, offered), of the hosts that have too little.
        hosts: about how many hosts like these would do; 0 = none of them has room for a peer.
        peers: how many of the peers, in their order, do fit.
    """

    resource: str
    needed: float
    offered: float
    over: Mapping[str, tuple[float, float]]
    hosts: int
    peers: int


@dataclass(frozen=True)
class Placed:
    """Where the peers live.

    Attributes:
        hosts: peer -> host, in the order of the peers.
        gpus: peer -> numbers of the GPUs of its host that it may see; the others see none.
    """

    hosts: dict[str, str]
    gpus: dict[str, tuple[int, ...]]


def place(
    needs: Mapping[str, PeerNeeds],
    hosts: Sequence[HostOffer],
    policy: Placement,
    pins: Mapping[str, Sequence[str]] | None = None,
    base_mib: int = 0,
) -> Placed:
    """Place every peer on a host.

    Policies: `spread` takes the peers in their order, and each goes to the host of which the least
    is taken then: by the resource that is taken most of it. `group` first places each group of
    peers with similar data as a whole where it fits; one that fits nowhere is spread. `pin` places
    the pinned peers first, and spreads the others.

    Where memory is too little, or cores for one peer, the placement exceeds them; `lacks_of` tells
    by how much.

    Args:
        pins: peer -> names of the hosts that it may live on; used by `pin` alone.
        base_mib: memory that a host needs before its first peer.

    Raises:
        DoesNotFit: there are too few GPUs.
        ValueError: there is no host, or a pin names none of the hosts.
    """
    if not hosts:
        raise ValueError("no host to place peers on")
    pinned = dict(pins or {}) if policy is Placement.PIN else {}
    peers = sorted(needs)
    by_size = sorted(peers, key=lambda peer: (-_size(needs[peer], hosts), peer))
    for order, limited in ((peers, True), (by_size, True), (peers, False), (by_size, False)):
        attempt = _Attempt(needs, _in_order(hosts), pinned, base_mib, limited)
        if attempt.place_all(order, policy):
            return attempt.placed(peers)
    raise DoesNotFit(_too_few_gpus(needs, hosts))


def placed_as_before(
    before: Mapping[str, str],
    needs: Mapping[str, PeerNeeds],
    hosts: Sequence[HostOffer],
    base_mib: int = 0,
) -> Placed | None:
    """Return the placement of an earlier run, on the same hosts; None = it does not fit now.

    Args:
        before: peer -> host, for all peers.
    """
    pins = {peer: (host,) for peer, host in before.items()}
    attempt = _Attempt(needs, _in_order(hosts), pins, base_mib, limited=True)
    peers = sorted(needs)
    return attempt.placed(peers) if attempt.place_all(peers, Placement.PIN) else None


def place_elsewhere(
    moving: Iterable[str],
    staying: Mapping[str, str],
    needs: Mapping[str, PeerNeeds],
    hosts: Sequence[HostOffer],
    pins: Mapping[str, Sequence[str]] | None = None,
    base_mib: int = 0,
) -> Placed:
    """Place the peers of lost hosts on the hosts that are left, beside those that live there.

    Each goes where the least is taken, to one of the hosts that it is pinned to, or to any where
    none of these is left. A peer that fits nowhere is absent. Only where the peers that stay take
    more than is offered already, as a launch may be forced to, cores and memory are no limit.

    Args:
        staying: peer -> its host, for all others with a host that is left.
    """
    left, moving = {host.name for host in hosts}, sorted(moving)
    allowed = {peer: tuple(left.intersection((pins or {}).get(peer, ()))) for peer in moving}
    kept: dict[str, tuple[str, ...]] = {peer: (host,) for peer, host in staying.items()}
    kept |= {peer: names for peer, names in allowed.items() if names}
    for limited in (True, False):
        attempt = _Attempt(needs, _in_order(hosts), kept, base_mib, limited)
        if attempt.place_all(sorted(staying), Placement.PIN):
            found = [peer for peer in moving if attempt.place_all([peer], Placement.PIN)]
            return attempt.placed(found)
    return Placed({}, {})


class _Attempt:
    """One way to place the peers.

    Args:
        limited: whether a host gets no more peers than it has cores and memory for.
    """

    def __init__(
        self,
        needs: Mapping[str, PeerNeeds],
        hosts: Sequence[HostOffer],
        pins: Mapping[str, Sequence[str]],
        base_mib: int,
        limited: bool,
    ) -> None:
        self._needs, self._pins, self._limited = needs, pins, limited
        self._rooms = [HostRoom(host, base_mib) for host in hosts]
        self._hosts: dict[str, str] = {}
        self._gpus: dict[str, tuple[int, ...]] = {}

    def place_all(self, order: Sequence[str], policy: Placement) -> bool:
        """Place the peers; return False where one fits nowhere."""
        pinned = [peer for peer in order if peer in self._pins]
        if not all(map(self._place_one, pinned)):
            return False
        if policy is Placement.GROUP:
            self._place_groups()
        rest = [peer for peer in order if peer not in self._hosts]
        return all(map(self._place_one, rest))

    def placed(self, peers: Iterable[str]) -> Placed:
        """Return what came of it, the peers in the order given."""
        hosts = {peer: self._hosts[peer] for peer in peers}
        gpus = {peer: self._gpus[peer] for peer in peers if self._gpus[peer]}
        return Placed(hosts, gpus)

    def place_first(self, peers: Sequence[str]) -> int:
        """Place peers until one fits nowhere; return how many were placed."""
        for count, peer in enumerate(peers):
            if peer not in self._hosts and not self._place_one(peer):
                return count
        return len(peers)

    def _place_groups(self) -> None:
        """Place each group of the data as a whole, the largest first, where it fits."""
        groups: dict[int, list[str]] = {}
        for peer in sorted(self._needs):
            if (group := self._needs[peer].group) is not None:
                groups.setdefault(group, []).append(peer)
        for _, members in sorted(groups.items(), key=lambda each: (-len(each[1]), each[0])):
            tried = [(room, self._with_all(room, members)) for room in self._rooms]
            fits = [(room, full) for room, full in tried if full is not None]
            if fits:
                room, _ = min(fits, key=lambda each: each[1].share_with(_NOTHING))
                for peer in members:
                    self._put(peer, room)

    def _with_all(self, room: HostRoom, members: Sequence[str]) -> HostRoom | None:
        """Return the room with all members in it; None = they do not fit."""
        full = room.copy()
        for peer in members:
            if full.lacks(self._needs[peer]):
                return None
            full.take(self._needs[peer])
        return full

    def _place_one(self, peer: str) -> bool:
        """Put a peer where the least is taken; return False where it fits nowhere."""
        needs, allowed = self._needs[peer], self._pins.get(peer)
        rooms = [room for room in self._rooms if not allowed or room.offer.name in allowed]
        if not rooms:
            raise ValueError(f"{peer} is pinned to none of the hosts")
        hard = {"cores", "memory", "GPUs"} if self._limited else {"GPUs"}
        fits = [room for room in rooms if not room.lacks(needs) & hard]
        if not fits:
            return False
        self._put(peer, min(fits, key=lambda room: room.share_with(needs)))
        return True

    def _put(self, peer: str, room: HostRoom) -> None:
        self._gpus[peer] = room.take(self._needs[peer])
        self._hosts[peer] = room.offer.name


def lacks_of(
    placement: Mapping[str, str],
    needs: Mapping[str, PeerNeeds],
    hosts: Sequence[HostOffer],
    pins: Mapping[str, Sequence[str]],
    base_mib: int,
) -> list[Lack]:
    """Return the cores and the memory that a placement takes beyond what is offered.

    Args:
        pins: peer -> hosts that it may live on, where it is not free.
    """
    rooms = {host.name: HostRoom(host, base_mib) for host in hosts}
    largest = dict.fromkeys(rooms, 0.0)
    for peer, host in placement.items():
        rooms[host].take(replace(needs[peer], gpu=None))
        largest[host] = max(largest[host], needs[peer].cores)
    fitting = _Attempt(needs, _in_order(hosts), pins, base_mib, limited=True)
    most, found = fitting.place_first(sorted(needs)), list[Lack]()
    wide = {h.name: (largest[h.name], float(h.cores)) for h in hosts if largest[h.name] > h.cores}
    if wide:
        cores = float(max(host.cores for host in hosts))
        found.append(Lack("cores", max(largest.values()), cores, wide, 0, most))
    full = {h.name: (rooms[h.name].used_mib, float(h.memory_mib)) for h in hosts}
    over = {name: (used, has) for name, (used, has) in full.items() if used > has + 1e-6}
    if over:
        used, has = (sum(each[i] for each in full.values()) for i in (0, 1))
        enough = -(-len(needs) * len(hosts) // most) if most else 0
        found.append(Lack("memory", used, has, over, enough, most))
    return found


_NOTHING = PeerNeeds(cores=0.0)


def _in_order(hosts: Sequence[HostOffer]) -> list[HostOffer]:
    """Return the hosts by their names, h2 before h10."""

    def key(host: HostOffer) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", host.name)
        return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    return sorted(hosts, key=key)


def _size(needs: PeerNeeds, hosts: Sequence[HostOffer]) -> float:
    """Return the largest share that a peer takes of all hosts together."""
    gpus = sum(host.gpus for host in hosts)
    memory = needs.memory_mib / max(1, sum(host.memory_mib for host in hosts))
    cores = needs.cores / max(1, sum(host.cores for host in hosts))
    return round(max(cores, memory, (needs.gpu or 0.0) / gpus if gpus else 0.0), 12)


def _too_few_gpus(needs: Mapping[str, PeerNeeds], hosts: Sequence[HostOffer]) -> str:
    """Return the words for GPUs that are too few, or in too small parts."""
    wanting = [each.gpu for each in needs.values() if each.gpu is not None]
    offered = ", ".join(f"{host.name} {host.gpus} ({host.node})" for host in _in_order(hosts))
    return (
        f"{len(wanting):,} peers need {sum(wanting):g} GPUs, up to {max(wanting):g} each on one "
        f"host, and the hosts offer {offered}: more hosts with GPUs, or a smaller `gpu` in the "
        "device profiles, or --device cpu"
    )
