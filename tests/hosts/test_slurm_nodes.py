"""What Slurm's commands print, as offers; and the command that runs an agent. Texts of 22.05."""

from __future__ import annotations

import pytest

from prisam_p2p.hosts.engines.slurm_nodes import (
    Allotment,
    allotments,
    environment_for_srun,
    is_lost,
    node_fields,
    offers_of,
    srun_command,
)
from prisam_p2p.plan.placement import HostOffer

_JOB = (
    "JobId=2 JobName=a ReqNodeList=(null) NodeList=n[1-3] BatchHost=n1 NumNodes=3 "
    "JOB_GRES=gpu:3   Nodes=n[1-2] CPU_IDs=0-3,8 Mem=500 GRES=   "
    "Nodes=n3 CPU_IDs=1 Mem=0 GRES=gpu:a100:2(IDX:0-1),gpu:1(IDX:3) MinCPUsNode=2"
)
_NODES = (
    "NodeName=n1 CPUTot=8 NodeAddr=10.77.0.1 OS=Linux 6.1 #1 SMP @0  RealMemory=1000 FreeMem=900 "
    "State=ALLOCATED Partitions=p\n"
    "NodeName=n2 NodeAddr=10.77.0.2 RealMemory=1000 FreeMem=900 State=DOWN*+DRAIN\n"
    "NodeName=n3 NodeAddr=10.77.0.3 RealMemory=1 FreeMem=1234 State=MIXED\n"
)
_HOST = HostOffer("h2", "n3", "10.77.0.3", cores=4, memory_mib=1000)
_ADDRESSES = {"n1": "10.77.0.1", "n2": "10.77.0.2", "n3": "10.77.0.3"}


def _expand(nodes: str) -> list[str]:
    return {"n[1-2]": ["n1", "n2"], "n3": ["n3"]}[nodes]


def test_allotments_are_what_the_job_has_of_each_node() -> None:
    assert allotments(_JOB, _expand) == {
        "n1": Allotment(cores=5, memory_mib=500, gpus=0),
        "n2": Allotment(cores=5, memory_mib=500, gpus=0),
        "n3": Allotment(cores=1, memory_mib=0, gpus=3),
    }


def test_a_job_that_has_no_node_yet_has_no_allotment() -> None:
    assert allotments("JobId=2 JobState=PENDING NodeList=(null)", _expand) == {}


def test_offers_leave_out_a_node_that_is_down() -> None:
    allotted = allotments(_JOB, _expand)
    offers = offers_of(["n1", "n2", "n3"], allotted, node_fields(_NODES), _ADDRESSES)
    assert offers == [
        HostOffer("h1", "n1", "10.77.0.1", cores=5, memory_mib=500),
        HostOffer("h2", "n3", "10.77.0.3", cores=1, memory_mib=1234, gpus=3),
    ]


@pytest.mark.parametrize(
    ("state", "lost"),
    [("down*", True), ("DOWN", True), ("fail", True), ("idle*", False), ("allocated", False)],
)
def test_a_node_is_lost_when_it_is_down_not_when_it_is_late(state: str, lost: bool) -> None:
    assert is_lost(state) == lost


def test_srun_gets_all_that_the_job_has_there_beside_other_steps() -> None:
    command = srun_command("slurm-wlm 22.05.8\n", "7", _HOST, ["python", "-m", "agent"])
    assert command[0] == "srun"
    assert command[-3:] == ["python", "-m", "agent"]
    assert {"--jobid=7", "--nodelist=n3", "--cpus-per-task=4", "--overlap"} < set(command)
    assert {"--no-kill", "--kill-on-bad-exit=0", "--wait=0"} < set(command)


@pytest.mark.parametrize(
    ("version", "overlaps"),
    [("slurm 20.02.7", False), ("slurm 20.11.0", True), ("slurm 24.05.1", True)],
)
def test_overlap_is_asked_for_where_srun_knows_it(version: str, overlaps: bool) -> None:
    assert ("--overlap" in srun_command(version, "7", _HOST, [])) == overlaps


def test_srun_reads_no_option_from_the_jobs_own_variables() -> None:
    before = {"SLURM_CONF": "/etc/s", "SLURM_NTASKS_PER_NODE": "8", "PATH": "/bin"}
    assert environment_for_srun(before) == {"SLURM_CONF": "/etc/s", "PATH": "/bin"}
