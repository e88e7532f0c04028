"""From a plan and what was prepared for it to what each peer's process is given.

A spec is built once and never changed; what differs between the processes of one peer is an
`Incarnation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from prisam_p2p.control.spec import (
    BoardSpec,
    DataChangeSpec,
    DataRows,
    DeviceSpec,
    Incarnation,
    PeerSpec,
)
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.faults.acts.byzantine import attacks_from_the_start
from prisam_p2p.faults.barrier_plan import barriers_of, transfer_stops
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.launch.past import Past
from prisam_p2p.learn.data_in_time import DataFrom
from prisam_p2p.measure.state import MOST_EARLIER
from prisam_p2p.netns.choice import is_isolated, shapes_rates, shares_addresses
from prisam_p2p.netns.interface import Network
from prisam_p2p.plan.data_groups import DataGroups
from prisam_p2p.plan.plan import PeerPlan, Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.settings import Security
from prisam_p2p.transport.zap import make_keys
from prisam_p2p.wire.keys import Keys


@dataclass(frozen=True)
class LaunchFacts:
    """What all processes of one launch share.

    Attributes:
        epoch_s: CLOCK_MONOTONIC at the run's beginning.
        turns_fd: file whose locks are the turns on the processor cores; None = no turns.
        board: where the peers show what they are doing.
    """

    run_id: str
    run_dir: Path
    epoch_s: float
    turns_fd: int | None
    board: BoardSpec


def build_specs(
    prepared: Prepared,
    plan: Plan,
    facts: LaunchFacts,
    network: Network,
    faults: FaultPlan | None,
    past: Past,
    keys_of: Callable[[Mapping[str, list[str]]], Mapping[str, Keys]] | None = None,
) -> list[PeerSpec]:
    """Return the specs of the peers that run, in the order of the plan.

    Peers that are over (`past`) have none, and are left out of the others' neighbors.

    Args:
        keys_of: returns the keys of each peer, given its neighbors, {} where connections are plain;
            None = they are made here.
    """
    neighbors = {
        peer: [n for n in each.neighbors if n not in past.over]
        for peer, each in plan.peers.items()
        if peer not in past.over
    }
    relays = relays_masks(plan)
    keys = (keys_of or partial(_keys, plan.settings.security, network, relays))(neighbors)
    barriers = barriers_of(faults, neighbors) if faults else {}
    held = transfer_stops(faults) if faults else {}
    index = {peer: i for i, peer in enumerate(plan.peers)}
    groups = plan.data_groups() if plan.traits.knows_groups else None
    return [
        PeerSpec(
            peer_id=peer,
            index=index[peer],
            run_id=facts.run_id,
            run_dir=facts.run_dir.resolve(),
            epoch_s=facts.epoch_s,
            address=network.addresses[peer],
            shared_address=shares_addresses(network),
            network=network.entry(peer),
            neighbors=neighbors[peer],
            settings=plan.settings,
            traits=plan.traits,
            n_classes=plan.model.n_classes,
            image_shape=plan.model.image_shape,
            dtype=plan.model.dtype,
            mean=plan.model.mean,
            std=plan.model.std,
            similarity_ratio=plan.similarity_ratio,
            clusters=plan.clusters,
            fan_in=plan.fan_in,
            true_group=groups.members_at(0, peer) if groups else [],
            true_group_changes=_true_group_changes(groups, peer) if groups else [],
            everyone=[] if plan.participation().of_all else list(plan.peers),
            degrees={n: plan.degree(n) for n in plan.peers[peer].neighbors},
            degree=plan.degree(peer),
            device=_device(plan.peers[peer], paced=not shapes_rates(network)),
            data=_data(prepared, plan, peer),
            data_changes=_data_changes(prepared, plan, peer),
            turns_fd=facts.turns_fd,
            cores=plan.host.cores,
            board=facts.board.model_copy(
                update={"places": {n: index[n] for n in (neighbors if relays else neighbors[peer])}}
            ),
            keys=keys.get(peer),
            barriers=barriers.get(peer, []),
            stops=held.get(peer, []),
            code=code_of_peers(plan),
            members=list(neighbors) if relays else [],
            earlier_states=0 if plan.participation().of_all else MOST_EARLIER,
        )
        for peer in neighbors
    ]


def code_of_peers(plan: Plan) -> dict[str, CodeRecord]:
    """Return the users' code that peers run."""
    return {key: each for key, each in plan.code.items() if key != "baseline"}


def first_incarnations(
    peers: Iterable[str], faults: FaultPlan | None, past: Past
) -> dict[str, Incarnation]:
    """Return the first process of each peer in this launch; after earlier ones it continues."""
    attacks = attacks_from_the_start(faults.occurrences) if faults else {}
    if not past.launches:
        return {peer: Incarnation(attack=attacks.get(peer)) for peer in peers}
    return {
        peer: Incarnation(
            number=past.incarnations.get(peer, 0),
            source="state",
            first_round=past.rounds[peer],
            attack=attacks.get(peer),
        )
        for peer in peers
    }


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


def relays_masks(plan: Plan) -> bool:
    """Tell whether masks travel beyond direct neighbors."""
    return plan.settings.mask_hops > 1 and plan.traits.masks == "similarity"


def _keys(
    asked: Security, network: Network, sign: bool, neighbors: Mapping[str, list[str]]
) -> Mapping[str, Keys]:
    """Return new keys of each peer; {} where connections are plain."""
    if not is_secured(asked, network.addresses.values(), is_isolated(network)):
        return {}
    return make_keys(neighbors, sign)


def _device(peer: PeerPlan, paced: bool) -> DeviceSpec:
    """Return a peer's limits; its rates only where the peers pace themselves."""
    profile = peer.profile
    return DeviceSpec(
        profile=profile.name,
        speed=profile.speed,
        threads=profile.threads,
        memory_mib=profile.memory_mib,
        up_mbit_s=profile.up_mbit_s if paced else None,
        down_mbit_s=profile.down_mbit_s if paced else None,
        prune_ratio=peer.prune_ratio,
        least_prune_ratio=peer.least_prune_ratio,
        gpu=profile.gpu,
    )


def _data(prepared: Prepared, plan: Plan, peer: str) -> DataRows:
    """Return the data of a peer at its beginning.

    A newcomer's are those of its place, until it gets its own before it trains for the first time:
    so it reports how many of them its predecessor did not have.
    """
    arrival = plan.peers[peer].arrival
    rows = prepared.rows[arrival.replaces if arrival else peer]
    return DataRows(
        fd=prepared.images.fd,
        n_images=prepared.images.n_images,
        train=rows.train.tolist(),
        validation=rows.validation.tolist(),
        test=rows.test.tolist(),
    )


def _data_changes(prepared: Prepared, plan: Plan, peer: str) -> list[DataChangeSpec]:
    """Return the later data of a peer; a control run and a baseline have no such in their plans."""
    own = []
    if arrival := plan.peers[peer].arrival:
        own = [DataFrom(arrival.round, prepared.rows[peer], arrival.fault)]
    if not plan.peers[peer].data_changes:
        later: Sequence[DataFrom] = own
    else:
        later = [*own, *prepared.changes[peer]]
    return [
        DataChangeSpec(
            round=each.round,
            group=each.data.group,
            train=each.data.train.tolist(),
            validation=each.data.validation.tolist(),
            test=each.data.test.tolist(),
            fault=each.fault,
        )
        for each in later
    ]


def _true_group_changes(groups: DataGroups, peer: str) -> list[tuple[int, list[str]]]:
    """Return (round, peers of the same data group from then on), where these change."""
    found, last = [], groups.members_at(0, peer)
    for t in groups.moments():
        members = groups.members_at(t, peer)
        if members != last:
            found.append((t, members))
            last = members
    return found
