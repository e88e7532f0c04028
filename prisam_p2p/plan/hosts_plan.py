"""The hosts of a run and which peer lives where, as plan.json holds them."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from pydantic import BaseModel, ConfigDict

from prisam_p2p.plan.host_room import HostOffer, HostRoom, PeerNeeds
from prisam_p2p.plan.placement import Lack, lacks_of
from prisam_p2p.settings import EngineName, OnHostLoss, Placement

_SPARE_MEMORY = 1.25
"""Times what was measured of a peer on the launcher's host; others differ a little."""


class HostsPlan(BaseModel):
    """The hosts of a run, and what was placed on them: `place` of the fields gives `placement`.

    Attributes:
        engine: what gives the hosts.
        lease_s, on_host_loss: as the settings of these names.
        names: host -> node, as the topology's [hosts] names them.
        base_mib: memory that a host needs before its first peer.
        hosts: name -> the host, in the engine's order.
        needs: peer -> what it needs of its host.
        pins: peer -> hosts that it may live on; of the others, any.
        placement: peer -> name of its host.
        gpus: peer -> numbers of the GPUs of its host that it may see; the others see none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: EngineName
    policy: Placement
    lease_s: float
    on_host_loss: OnHostLoss
    names: dict[str, str] = {}
    base_mib: int = 0
    hosts: dict[str, HostOffer]
    needs: dict[str, PeerNeeds]
    pins: dict[str, tuple[str, ...]] = {}
    placement: dict[str, str]
    gpus: dict[str, tuple[int, ...]] = {}

    @property
    def addresses(self) -> dict[str, str]:
        """Peer -> the address of its host."""
        return {peer: self.hosts[host].address for peer, host in self.placement.items()}

    def peers_of(self, host: str) -> list[str]:
        """Return the peers that live on a host, in the order of the plan."""
        return [peer for peer, its_host in self.placement.items() if its_host == host]

    def reserved(self) -> dict[str, HostOffer]:
        """Return host -> what the engine is asked for: as much as its peers need of what it offers.

        All of it where peers of lost hosts may start there too; GPUs only where peers see some.
        """
        return {name: self._reserved_of(name) for name in self.hosts}

    def _reserved_of(self, name: str) -> HostOffer:
        offer, needs = self.hosts[name], [self.needs[peer] for peer in self.peers_of(name)]
        gpus = offer.gpus if any(each.gpu is not None for each in self.needs.values()) else 0
        if self.on_host_loss is OnHostLoss.RESTART:
            return replace(offer, gpus=gpus)
        room = HostRoom(offer, self.base_mib)
        for each in needs:
            room.take(replace(each, gpu=None))
        cores = min(offer.cores, max(1, ceil(room.cores)))
        memory = min(offer.memory_mib, ceil(_SPARE_MEMORY * room.used_mib))
        return replace(offer, cores=cores, memory_mib=memory, gpus=gpus)

    def lacks(self) -> list[Lack]:
        """Return the cores and the memory that it takes beyond what the hosts offer."""
        pins = self.pins if self.policy is Placement.PIN else {}
        offers = list(self.hosts.values())
        return lacks_of(self.placement, self.needs, offers, pins, self.base_mib)
