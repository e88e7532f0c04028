"""Which engine `--on` names. An engine is imported only where it is used."""

from __future__ import annotations

from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.settings import EngineName


def engine_of(name: EngineName, hosts: int | None) -> HostEngine | None:
    """Return the engine of this name; None = peers live here, without agents.

    Args:
        hosts: how many are asked for, which only `local` needs to know; None = not given.

    Raises:
        ConfigError: the engine is not installed, or this is no place where it can be used.
    """
    if name is EngineName.RAY:
        from prisam_p2p.hosts.engines.ray_engine import RayEngine

        return RayEngine()
    if name is EngineName.SLURM:
        from prisam_p2p.hosts.engines.slurm_engine import SlurmEngine

        return SlurmEngine()
    if name is EngineName.LOCAL:
        from prisam_p2p.hosts.engines.local import LocalEngine

        return LocalEngine(hosts)
    return None
