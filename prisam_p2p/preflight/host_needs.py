"""What each peer needs of the host that it lives on, as placement takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from prisam_p2p.plan.host_room import PeerNeeds
from prisam_p2p.plan.plan import Plan
from prisam_p2p.preflight.counts import RunCounts
from prisam_p2p.preflight.needs import MIB, memory_of_peer
from prisam_p2p.preflight.peer_cost import PeerCosts
from prisam_p2p.settings import Device


def peer_needs(plan: Plan, counts: RunCounts, costs: PeerCosts | None) -> dict[str, PeerNeeds]:
    """Return what each peer of a run needs.

    A peer whose profile names no share of a GPU sees one all the same where `--device cuda` trains.

    Args:
        costs: of a peer, as the probe measured them; None = not known, and the memory of the
            profile stands in for it where there is one.
    """
    on_gpu = plan.settings.device is Device.CUDA
    found = {}
    for peer, each in plan.peers.items():
        profile = each.profile
        held = float(profile.memory_mib or 0) * MIB, 0.0
        memory, training = memory_of_peer(plan, peer, counts, costs) if costs else held
        found[peer] = PeerNeeds(
            cores=profile.speed * profile.threads,
            memory_mib=round(memory / MIB, 1),
            training_mib=round(training / MIB, 1),
            gpu=0.0 if profile.gpu is None and on_gpu else profile.gpu,
            profile=profile.name,
            group=each.group,
        )
    return found


def largest_needs(runs: Sequence[Mapping[str, PeerNeeds]]) -> dict[str, PeerNeeds]:
    """Return what each peer needs at most in runs that are done one after the other."""
    return {
        peer: replace(
            each,
            memory_mib=max(run[peer].memory_mib for run in runs),
            training_mib=max(run[peer].training_mib for run in runs),
        )
        for peer, each in runs[0].items()
    }
