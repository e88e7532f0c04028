"""Facts about this machine, on which a run's figures depend."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

_PACKAGES = (
    "prisam-p2p",
    "torch",
    "torchvision",
    "torch-pruning",
    "numpy",
    "scikit-learn",
    "networkx",
    "pyzmq",
    "msgpack",
    "pydantic",
)
_STEPS = 5


class HostFacts(BaseModel):
    """The machine and the software of a run, for which its figures hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    processor: str
    cores: int
    memory_mib: int
    python: str
    versions: dict[str, str]
    git_commit: str | None
    reference_step_ms: float
    """CPU time of one training step of the dense model on one core; it defines speed 1.0."""


def host_facts(step: Callable[[], None]) -> HostFacts:
    """Describe this machine.

    Args:
        step: makes one training step of the dense model; it is timed.
    """
    return HostFacts(
        system=platform.platform(),
        processor=_processor(),
        cores=usable_cores(),
        memory_mib=psutil.virtual_memory().total // 2**20,
        python=platform.python_version(),
        versions=package_versions(),
        git_commit=git_commit(),
        reference_step_ms=_reference_step_ms(step),
    )


def package_versions() -> dict[str, str]:
    """Return package -> version, of those on which results depend."""
    return {name: version(name) for name in _PACKAGES}


def _reference_step_ms(step: Callable[[], None]) -> float:
    """Return the median CPU time of a step, after one warm-up step."""
    step()
    times_s = []
    for _ in range(_STEPS):
        began = time.thread_time()
        step()
        times_s.append(time.thread_time() - began)
    return round(statistics.median(times_s) * 1000, 3)


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def git_commit() -> str | None:
    """Return the commit of this package's checkout, with -dirty if files were changed."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
