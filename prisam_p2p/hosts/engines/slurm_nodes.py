"""What Slurm's figures mean for us: the nodes of an allocation as offers, and their states.

Pure: the commands are run in slurm_engine.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prisam_p2p.plan.placement import HostOffer

_OF_NODES = re.compile(r"\bNodes=(\S+) CPU_IDs=(\S+) Mem=(\d+)(?: GRES=(\S*))?")
_GPUS = re.compile(r"\bgpu(?::[^:(,]+)?:(\d+)")
_VERSION = re.compile(r"(\d+)\.(\d+)")
_OVERLAP_SINCE = (20, 11)
_UNUSABLE = ("down", "fail")

ENVIRONMENT_KEPT = ("SLURM_CONF",)
"""All other SLURM_ variables are options that srun reads, of the job that the launcher runs in."""


@dataclass(frozen=True)
class Allotment:
    """What a job has of one of its nodes; `memory_mib` 0 = not counted by this cluster."""

    cores: int
    memory_mib: int
    gpus: int


def allotments(job: str, expand: Callable[[str], Sequence[str]]) -> dict[str, Allotment]:
    """Return node -> what the job has of it, in the order of `scontrol show job -d -o`.

    Args:
        job: what that prints.
        expand: the nodes of a list, n[1-3].
    """
    found = {}
    for nodes, cpus, memory, gres in _OF_NODES.findall(job):
        gpus = sum(map(int, _GPUS.findall(gres)))
        for node in expand(nodes):
            found[node] = Allotment(_n_of(cpus), int(memory), gpus)
    return found


def node_fields(text: str) -> dict[str, dict[str, str]]:
    """Return node -> field -> value, from what `scontrol show node -o` prints."""
    lines = [dict(each.split("=", 1) for each in line.split() if "=" in each)
             for line in text.splitlines()]  # fmt: skip
    return {each["NodeName"]: each for each in lines if "NodeName" in each}


def offers_of(
    nodes: Sequence[str],
    allotted: Mapping[str, Allotment],
    fields: Mapping[str, Mapping[str, str]],
    addresses: Mapping[str, str],
) -> list[HostOffer]:
    """Return the nodes of an allocation that can be used, in their order.

    Args:
        nodes: their names.
        fields: as `node_fields` returns them.
        addresses: node -> IP address.
    """
    usable = [n for n in nodes if n in allotted and not is_lost(fields[n].get("State", ""))]
    return [
        HostOffer(
            name=f"h{index}",
            node=node,
            address=addresses[node],
            cores=allotted[node].cores,
            memory_mib=allotted[node].memory_mib or _memory_mib(fields[node]),
            gpus=allotted[node].gpus,
        )
        for index, node in enumerate(usable, start=1)
    ]


def is_lost(state: str) -> bool:
    """Tell whether a node in this state runs nothing: down, fail; not idle* (late to answer)."""
    return state.lower().startswith(_UNUSABLE)


def srun_command(version: str, job: str, host: HostOffer, agent: Sequence[str]) -> list[str]:
    """Return the command that runs an agent on a node of a job.

    It takes all that the job has there, beside other steps, and outlives theirs.

    Args:
        version: what `srun --version` prints.
        agent: the agent's own command.
    """
    found = _VERSION.search(version)
    number = tuple(map(int, found.groups())) if found else _OVERLAP_SINCE
    return [
        "srun",
        f"--jobid={job}",
        f"--nodelist={host.node}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={host.cores}",
        "--cpu-bind=none",
        *(["--overlap"] if number >= _OVERLAP_SINCE else []),
        "--export=ALL",
        "--kill-on-bad-exit=0",
        "--no-kill",
        "--wait=0",
        "--quiet",
        "--mpi=none",
        *agent,
    ]


def environment_for_srun(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what would be options of the job to srun."""
    return {
        name: value
        for name, value in environment.items()
        if name in ENVIRONMENT_KEPT or not name.startswith("SLURM_")
    }


def _n_of(ids: str) -> int:
    """Return how many there are in 0-3,8."""
    ends = [each.partition("-") for each in ids.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)


def _memory_mib(fields: Mapping[str, str]) -> int:
    """Return a node's memory as configured; 1 is Slurm's default, and then what was free counts."""
    configured = int(fields.get("RealMemory", "0"))
    free = fields.get("FreeMem", "")
    return configured if configured > 1 or not free.isdigit() else int(free)
