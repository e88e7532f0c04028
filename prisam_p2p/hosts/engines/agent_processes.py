"""Agents as child processes of the launcher: here themselves, or the srun of each.

Their standard input stays open while they are to live, their first line is read as it comes, and
what they print on stderr is kept for the day on which they end without being asked to.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from prisam_p2p.hosts.engines.interface import AgentHello

_READ_BYTES = 1 << 16
_LAST_BYTES = 4000
_LAST_LINES = 8


def hello_of(host: str, line: str) -> AgentHello:
    """Return what an agent's first line says.

    Raises:
        ValueError: it is no such line.
    """
    try:
        return AgentHello(host, str(json.loads(line)["public_key"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"its first line is no greeting of an agent: {line[:200]!r}") from None


class AgentProcesses:
    """Starts agents, and tells of their first lines and their ends; never waits but in `end`."""

    def __init__(self) -> None:
        self._agents: dict[str, _AgentProcess] = {}
        self._lost: list[tuple[str, str]] = []

    def start(self, host: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the agent of a host.

        Raises:
            OSError: the system refused.
        """
        self._agents[host] = _AgentProcess(command, environment)

    def hellos(self) -> list[AgentHello]:
        """Return the agents that have printed their line since the last call."""
        found = []
        for host, agent in list(self._agents.items()):
            line = agent.first_line()
            if line is None:
                continue
            try:
                found.append(hello_of(host, line))
            except ValueError as error:
                self.lose(host, str(error))
        return found

    def lost(self) -> list[tuple[str, str]]:
        """Return (host, why) of the agents that have ended since the last call."""
        for host, agent in list(self._agents.items()):
            if (code := agent.exit_code()) is not None:
                self.lose(host, agent.why_it_ended(code))
        lost, self._lost = self._lost, []
        return lost

    def lose(self, host: str, why: str) -> None:
        """Give up an agent; `lost` tells it, once."""
        if agent := self._agents.pop(host, None):
            agent.end_at(time.monotonic())
            self._lost.append((host, why))

    def end(self, timeout_s: float) -> None:
        """End all agents by the end of their input; kill what is left after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        for agent in self._agents.values():
            agent.close_input()
        for agent in self._agents.values():
            agent.end_at(deadline_s)
        self._agents.clear()


class _AgentProcess:
    """One child, its pipes, and what it prints on stderr."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._errors = _unnamed_file()
        self._heard: bytes | None = b""
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # the launcher handles Ctrl-C
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    def first_line(self) -> str | None:
        """Return its first line when that is there, once; what follows is not kept."""
        with suppress(BlockingIOError):
            while data := os.read(self._output.fileno(), _READ_BYTES):
                if self._heard is not None:
                    self._heard += data
        if self._heard is None or b"\n" not in self._heard:
            return None
        line, self._heard = self._heard.partition(b"\n")[0], None
        return line.decode(errors="replace")

    def exit_code(self) -> int | None:
        """Return its exit code, or minus the signal that ended it; None while it runs."""
        return self._process.poll()

    def why_it_ended(self, code: int) -> str:
        """Say how it ended, with its last lines."""
        size = self._errors.seek(0, os.SEEK_END)
        text = os.pread(self._errors.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES))
        lines = text.decode(errors="replace").splitlines()[-_LAST_LINES:]
        why = f"the agent ended with exit code {code}"
        return ": ".join([why, *(["\n".join(lines)] if lines else [])])

    def close_input(self) -> None:
        """Close its standard input, which ends it."""
        with suppress(OSError):
            self._input.close()

    def end_at(self, deadline_s: float) -> None:
        """Wait for its end until `deadline_s`, then kill it."""
        self.close_input()
        try:
            self._process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._errors.close()


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="prisam-agent-")
