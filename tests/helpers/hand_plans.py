"""Plans of small networks, resolved as a launch resolves them, with other settings on request."""

from functools import lru_cache

from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.settings import RunSettings
from prisam_p2p.shipped import TOPOLOGIES


@lru_cache
def plan_of(name="clusters-12"):
    """Return the plan of a shipped topology, with its own settings."""
    topology = load_topology(TOPOLOGIES / f"{name}.toml")
    prepared = prepare(topology, resolve_settings(topology, {}))
    prepared.images.close()
    return prepared.plan


def with_settings(plan, **changes):
    """Return a plan whose settings differ; nothing that follows from them is planned anew."""
    settings = RunSettings.model_validate(plan.settings.model_dump() | changes)
    traits = settings.built_in_algorithm.traits
    return plan.model_copy(update={"settings": settings, "traits": traits})


def with_speed(plan, speed):
    """Return a plan in which all devices have this speed."""
    peers = {
        peer: each.model_copy(update={"profile": each.profile.model_copy(update={"speed": speed})})
        for peer, each in plan.peers.items()
    }
    return plan.model_copy(update={"peers": peers})
