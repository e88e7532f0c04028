"""A real Slurm cluster on the three hosts: slurmctld on h1, a slurmd each."""

from __future__ import annotations

import os
import shlex
import shutil

from cluster import Cluster
from secrets_search import ENVIRONMENT
from three_hosts import Host, HostedProcess, ThreeHosts
from waiting import wait_until

_PROGRAMS = ("slurmctld", "slurmd", "srun", "sbatch", "munged")
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
NODE_CPUS = 8  # what a node offers; the machine below has fewer

_CONFIGURATION = """
ClusterName=three
SlurmctldHost=h1(10.77.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=/run/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=1000
StateSaveLocation=/tmp/slurm/state
SlurmdSpoolDir=/tmp/slurm/spool
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/tmp/slurm/slurmctld.log
SlurmdLogFile=/tmp/slurm/slurmd.log
SlurmctldPort=6817
SlurmdPort=6818
SrunPortRange=60001-61000
{nodes}
PartitionName=all Nodes=h1,h2,h3 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
_CGROUPS = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"

_SUBMIT_AND_WAIT = """
job=$("$0" "$@")
while squeue --noheader --job="$job" | grep -q .; do sleep 0.3; done
cat "/tmp/job-$job.log"
exit "$(scontrol --oneliner show job "$job" | sed 's/.* ExitCode=\\([0-9]*\\):.*/\\1/')"
"""  # `sbatch --wait` looks every ten seconds


class SlurmCluster(Cluster):
    """Slurm on h1, h2 and h3."""

    name = "slurm"
    daemon = "slurmd"

    def __init__(self, hosts: ThreeHosts) -> None:
        super().__init__(hosts)
        self.environment = {"SLURM_CONF": "/tmp/slurm/slurm.conf", **ENVIRONMENT}
        self._key = os.urandom(1024)  # what munge proves to the others that it knows

    @staticmethod
    def why_not() -> str:
        """Return why there is no Slurm here, "" if there is."""
        missing = [each for each in _PROGRAMS if shutil.which(each, path=_PATH) is None]
        return f"Slurm is not installed: {', '.join(missing)}" if missing else ""

    def start(self) -> None:
        """Start the controller, then the nodes, and wait until all are idle."""
        for host in self.hosts:
            self._configure(host)
            self._start_munge(host)
        self.hosts["h1"].run("/usr/sbin/slurmctld", "-c", environment=self.environment)
        for host in self.hosts:
            host.run("/usr/sbin/slurmd", "-N", host.name, environment=self.environment)
        wait_until(lambda: set(self.nodes().values()) == {"idle"}, 60, "three idle nodes of Slurm")

    def alive(self) -> set[str]:
        """Return the hosts whose nodes can be used."""
        return {name for name, state in self.nodes().items() if state in ("idle", "alloc", "mix")}

    def nodes(self) -> dict[str, str]:
        """Return node -> its state, as sinfo tells it: idle, alloc, down, .."""
        done = self.hosts["h1"].run(
            *("sinfo", "--Node", "--noheader", "--format=%N %t"), environment=self.environment
        )
        return dict(line.split() for line in done.stdout.splitlines())

    def launcher(self, command: list[str]) -> list[str]:
        """Return what a user runs on h1 for `command` to be the batch step of an allocation.

        It ends with the job, by the job's exit code.
        """
        job = ("sbatch", "--parsable", "--nodes=3", "--exclusive", "--no-kill")
        output = (
            "--output=/tmp/job-%j.log",
            f"--wrap=exec {shlex.join([*command, '--on', self.name])}",
        )
        return ["sh", "-c", _SUBMIT_AND_WAIT, *job, *output]

    def is_of_the_engine(self, process: HostedProcess) -> bool:
        """Tell whether a process is Slurm's own: the daemons, and those that wait for a step."""
        return process.name in ("slurmd", "slurmctld", "slurmstepd", "munged")

    def hostnames(self) -> list[str]:
        """Return what `hostname` says on each node, asked through Slurm."""
        done = self.hosts["h1"].run(
            *("srun", "--nodes=3", "--ntasks-per-node=1", "hostname"), environment=self.environment
        )
        return done.stdout.split()

    def _configure(self, host: Host) -> None:
        folder = host.tmp / "slurm"
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        nodes = (
            f"NodeName={each.name} NodeAddr={each.address} CPUs={NODE_CPUS} RealMemory=4000"
            for each in self.hosts
        )
        (folder / "slurm.conf").write_text(_CONFIGURATION.format(nodes="\n".join(nodes)))
        (folder / "cgroup.conf").write_text(_CGROUPS)

    def _start_munge(self, host: Host) -> None:
        folder = host.tmp / "munge"
        folder.mkdir(0o700)
        (folder / "key").touch(0o600)
        (folder / "key").write_bytes(self._key)
        host.run(
            *("munged", "--force", "--socket=/run/munge.socket", "--pid-file=/run/munged.pid"),
            *("--key-file=/tmp/munge/key", "--seed-file=/tmp/munge/seed"),
            "--log-file=/tmp/munge/log",
        )
