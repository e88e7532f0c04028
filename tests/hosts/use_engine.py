"""Use an engine as the launcher does, on a host; tell what it says as JSON lines.

python use_engine.py ray|slurm: start an agent on each host that is offered, and tell of losses
until /tmp/close is there; then end them all.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.hosts.engines.ray_engine import RayEngine
from prisam_p2p.hosts.engines.slurm_engine import SlurmEngine

_ENGINES: dict[str, type[RayEngine | SlurmEngine]] = {"ray": RayEngine, "slurm": SlurmEngine}
_GREET_S = 60.0
_PUBLIC_KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"  # of an example; nobody has the other half


def main(engine: HostEngine) -> None:
    """Start agents, wait for their greetings, and tell of losses."""
    try:
        offers = engine.offers()
        address = engine.launcher_address()
        tell("offers", [asdict(each) for each in offers])
        assert engine.offers() == offers  # asked again
        tell("address", address)
        # Nobody listens there: the agents try to connect, and live while the engine wants them to.
        arguments = ["--launcher", f"{address}:9", "--launcher-key", _PUBLIC_KEY]
        engine.start([replace(each, cores=1, memory_mib=500) for each in offers], arguments)
        await_hellos(engine, len(offers))
        while not Path("/tmp/close").exists():
            for lost in engine.lost():
                tell("lost", lost)
            time.sleep(0.05)
    finally:
        engine.close()
    tell("closed", True)


def await_hellos(engine: HostEngine, n_hosts: int) -> None:
    """Wait for all agents' greetings, and tell them."""
    greeted, deadline_s = 0, time.monotonic() + _GREET_S
    while greeted < n_hosts and time.monotonic() < deadline_s:
        for hello in engine.hellos():
            greeted += 1
            tell("hello", asdict(hello))
        for lost in engine.lost():
            tell("lost", lost)
        time.sleep(0.05)


def tell(what: str, value: object) -> None:
    """Print a line."""
    print(json.dumps({what: value}), flush=True)


if __name__ == "__main__":
    main(_ENGINES[sys.argv[1]]())
