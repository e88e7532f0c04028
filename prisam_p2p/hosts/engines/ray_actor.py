"""The Ray actor on each host: it starts the agent there, and keeps its standard input open.

Ray carries this class to the hosts as code (`register_pickle_by_value` in ray_driver.py): it uses
the standard library alone, so that a host without prisam-p2p can say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

_LAST_BYTES = 4000
_LAST_LINES = 8


class AgentKeeper:
    """Starts an agent as a fresh process. The agent ends when this process does, by its stdin."""

    def __init__(self) -> None:
        self._agent: subprocess.Popen[bytes] | None = None
        self._errors = _unnamed_file()

    def start(self, arguments: Sequence[str], code_root: str, n_gpus: int) -> str:
        """Start `python -P -m ARGUMENTS` and return the first line that it prints, "" for none.

        What Ray sets for this actor is inherited, CUDA_VISIBLE_DEVICES above all.

        Args:
            arguments: the module and what it is given; nothing secret.
            code_root: the folder that the launcher imports prisam_p2p from. It goes before the
                host's own packages if the host has it: a checkout on a shared disk, say.
            n_gpus: how many are reserved. Of none Ray says nothing, and the agent would see all.
        """
        self._agent = subprocess.Popen(
            [sys.executable, "-P", "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(code_root, n_gpus),
        )
        assert self._agent.stdout
        return self._agent.stdout.readline().decode(errors="replace").strip()

    def wait(self, leave_after_s: float | None = None) -> tuple[int, str]:
        """Wait until the agent has ended; return its exit code and its last lines on stderr.

        Args:
            leave_after_s: this process then ends itself after so long. On a host that is parted
                from the others, Ray would keep it.
        """
        assert self._agent
        assert self._agent.stdout
        for _ in self._agent.stdout:
            pass  # so that it never waits for a reader
        code = self._agent.wait()
        if leave_after_s is not None:
            leaving = threading.Timer(leave_after_s, os._exit, [0])
            leaving.daemon = True
            leaving.start()
        return code, self._last_lines()

    def end(self, timeout_s: float) -> None:
        """Close the agent's standard input, which ends it; kill it if it is there afterwards."""
        if self._agent is None:
            return
        assert self._agent.stdin
        with suppress(OSError):
            self._agent.stdin.close()
        try:
            self._agent.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            self._agent.wait()

    def _last_lines(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_BYTES))
        lines = self._errors.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="prisam-agent-")


def _environment(code_root: str, n_gpus: int) -> dict[str, str]:
    environment = dict(os.environ)
    if os.path.isdir(os.path.join(code_root, "prisam_p2p")):
        path = (code_root, environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    if n_gpus == 0:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment
