"""The zygote of a host agent: a program of its own, which imports torch and then forks peers.

An agent has threads of ZeroMQ, so a fork of it would not be sound. Here are both ends: the agent
starts the program with the descriptors that peers share; the program makes ready once what each of
its forks needs, says so, and is a zygote (processes/zygote_process.py) from then on. Where peers
are fresh interpreters (--start spawn), it imports none of it, and each fork becomes one.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prisam_p2p.control.spec import ENTRY, BoardSpec
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.learn.dataset_pools import InputType
from prisam_p2p.processes.sampling import Sampler
from prisam_p2p.processes.zygote import Zygote
from prisam_p2p.processes.zygote_process import ZygoteProcess
from prisam_p2p.settings import RunSettings, Start
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.json_lines import write_line
from prisam_p2p.system.process_limits import allow_many_files, die_with_parent
from prisam_p2p.system.refusals import refusal_of

_MODULE = "prisam_p2p.hosts.host_zygote"

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""A process that ran an operation in two threads cannot be forked soundly."""

_OF_THE_JOB = ("SLURM_", "SLURMD_", "PMI_", "PMIX_")
"""Variables by which libraries take a process for a task of the job that the agent is: they would
talk to its MPI, or count its tasks."""


class ZygoteInput(BaseModel):
    """What a host's zygote is told first.

    Attributes:
        clusters: whether peers cluster masks.
        n_classes, image_shape, dtype, code: as in PeerSpec.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    board: BoardSpec
    run_dir: Path
    settings: RunSettings
    clusters: bool
    n_classes: int
    image_shape: tuple[int, ...]
    dtype: InputType
    code: dict[str, CodeRecord]


def start_zygote(given: ZygoteInput, inherits: list[int], log_path: Path) -> Zygote:
    """Start the zygote; it says that it is ready some seconds later (`ZygoteEngine.is_ready`).

    To be called in the thread that lives as long as this process: the kernel kills the zygote when
    that thread ends.

    Args:
        inherits: descriptors that its forks share.
        log_path: what it prints goes there.

    Raises:
        OSError: the system refuses it.
    """
    ours, theirs = socket.socketpair()
    with theirs, log_path.open("ab") as log:
        process = subprocess.Popen(
            [*CHILD_PYTHON, "-m", _MODULE, str(theirs.fileno())],
            pass_fds=[theirs.fileno(), *inherits],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment_of_peers(child_environment()),
        )
    process.returncode = 0  # its exit is waited for by the engine, not by this object
    write_line(ours, given.model_dump(mode="json"))
    return Zygote(process.pid, ours, is_ready=False)


def environment_of_peers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what a scheduler says to the agent alone, for one thread."""
    kept = {name: value for name, value in environment.items() if not name.startswith(_OF_THE_JOB)}
    return {**kept, **dict.fromkeys(_ONE_THREAD, "1")}


def main() -> None:
    """Make ready, say so, and fork peers until the agent, its line or the lease ends."""
    die_with_parent()
    line = socket.socket(fileno=int(sys.argv[1]))
    given = ZygoteInput.model_validate_json(_first_line(line))
    os.set_inheritable(line.fileno(), False)
    allow_many_files()
    if given.settings.start is Start.ZYGOTE:
        try:
            _make_ready(given)
        except Exception as error:
            traceback.print_exc()
            write_line(line, {"failed": str(refusal_of(error) or error)})
            sys.exit(1)
    sampler = Sampler(given.board)
    gc.collect()
    gc.freeze()  # children's collections then write to no shared page
    write_line(line, {"ready": True})
    ZygoteProcess(line, sampler).run()


def _make_ready(given: ZygoteInput) -> None:
    """Import what a peer needs, and make the training step that fills torch's and our caches."""
    importlib.import_module(ENTRY)
    from prisam_p2p.extensions.loading import load_again
    from prisam_p2p.learn.malloc import return_freed_memory
    from prisam_p2p.learn.models import Architecture
    from prisam_p2p.learn.warm_up import training_step, warm_imports

    settings = given.settings
    if given.clusters:
        warm_imports(settings.grouping)
    net = load_again(given.code, given.run_dir).get("model")
    like = (given.n_classes, given.image_shape, given.dtype)
    architecture = Architecture(settings.model, settings.width, *like, net)
    training_step(architecture, settings.seed, settings.batch_size)()
    return_freed_memory()


def _first_line(line: socket.socket) -> bytes:
    """Return the first line, and leave what follows in the socket."""
    data = bytearray()
    while not data.endswith(b"\n"):
        part = line.recv(1)
        if not part:
            sys.exit(1)  # the agent has ended
        data += part
    return bytes(data)


if __name__ == "__main__":
    main()
