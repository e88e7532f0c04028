"""Viewers as processes of their own, and what a browser asks of them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from prisam_p2p.shipped import CHILD_PYTHON, child_environment

DEADLINE_S = 60.0


@dataclass
class RunningViewer:
    """A `prisam view` that answers at `address`, which holds the token."""

    process: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(urlsplit(self.address).port or 0)

    @property
    def token(self) -> str:
        """The key in the address."""
        return parse_qs(urlsplit(self.address).query)["token"][0]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Be a client that has opened the printed address, as a browser would."""
        base = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=base, timeout=DEADLINE_S) as client:
            assert client.get(self.address).status_code == 303
            yield client

    def raw(self, *lines: str) -> str:
        """Send a request as it stands, and return the whole answer."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_S) as line:
            line.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            answer = b""
            while part := line.recv(1 << 16):
                answer += part
        return answer.decode(errors="replace")


@contextmanager
def viewer(*arguments: object) -> Iterator[RunningViewer]:
    """Run `prisam view` in this block."""
    words = [*CHILD_PYTHON, "-m", "prisam_p2p", "view", *map(str, arguments)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=child_environment()
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("view: "), line
            yield RunningViewer(process, line.split()[1])
        finally:
            process.kill()


@dataclass(frozen=True)
class Event:
    """A server-sent event, or a comment, which has only `comment`."""

    name: str = ""
    mark: str = ""
    data: Any = None
    comment: str = ""


@contextmanager
def events(client: httpx.Client, path: str, **headers: str) -> Iterator[Iterator[Event]]:
    """Open a stream, and yield its events as they come."""
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _parsed(answer.iter_lines())


def _parsed(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            data = json.loads(fields["data"]) if "data" in fields else None
            event = Event(fields.get("event", ""), fields.get("id", ""), data, fields.get("", ""))
            fields = {}
            if event != Event():
                yield event
