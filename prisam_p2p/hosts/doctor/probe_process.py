"""Examines a host, and the way to others: a process that the agent starts for `prisam doctor`.

    python -m prisam_p2p.hosts.doctor.probe_process DESCRIPTOR

Orders come as JSON lines over DESCRIPTOR, which the agent passes through from the launcher:

    {"examine": true}                 -> {"examined": {..}}: before all others, as it forks
    {"listen": ADDRESS}               -> {"listening": PORT}
    {"reach": [HOST, ADDRESS, PORT]}  -> {"reached": HOST, "why_not": "", "rtt_ms": [..]}
    {"rate": [HOST, ADDRESS, PORT]}   -> {"rated": HOST, "why_not": "", "mbit_s": 900.0}

It ends with the line. Who connects to its port says with a byte whether what follows is to be
echoed or counted.
"""

from __future__ import annotations

import errno
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from prisam_p2p.netns import capabilities
from prisam_p2p.system.host import git_commit, package_versions
from prisam_p2p.system.isolated import error_text
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.listening_ports import some_ports
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.side_thread import SideThread

ECHO, COUNT = b"e", b"c"

_CONNECT_S = 3.0
_ECHOES = 20
_RATE_S = 1.0
_ANSWER_S = 10.0
_PART = bytes(1 << 18)
_BYTE_BITS = 8


def main(line: socket.socket) -> None:
    """Obey orders, one after the other, until the line is closed."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = JsonLines(line)
    while (received := orders.receive()) is not None:
        for order in received:
            write_line(line, _obey(order))


def _obey(order: dict[str, Any]) -> dict[str, Any]:
    match order:
        case {"examine": _}:
            return {"examined": examine()}
        case {"listen": address}:
            return {"listening": _listen(address)}
        case {"reach": [host, address, port]}:
            return {"reached": host, **_tried(lambda: {"rtt_ms": _echo(address, port)})}
        case {"rate": [host, address, port]}:
            return {"rated": host, **_tried(lambda: {"mbit_s": _rate(address, port)})}
    raise ValueError(f"no such order: {order}")


def examine() -> dict[str, Any]:
    """Return what this host is and can do, as JSON values.

    The caller should have one thread, because this forks.
    """
    return {
        "python": platform.python_version(),
        "versions": package_versions(),
        "commit": git_commit() or "",
        "system": platform.platform(),
        "is_root": os.geteuid() == 0,
        "probes": [asdict(each) for each in capabilities.probe().values()],
    }


def _tried(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"why_not": "", **measure()}
    except (OSError, ValueError) as error:
        return {"why_not": error_text(error)}


def _listen(address: str) -> int:
    """Serve connections to a port of this address, such as peers have; return the port."""
    server = _server(address)
    SideThread(lambda: _accept(server), "accept").start()
    return int(server.getsockname()[1])


def _server(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in some_ports():
        try:
            return socket.create_server((address, port), family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return socket.create_server((address, 0), family=family)


def _accept(server: socket.socket) -> None:
    while True:
        with suppress(OSError):
            there, _ = server.accept()
            SideThread(lambda there=there: _serve(there), "serve").start()  # type: ignore[misc]


def _serve(there: socket.socket) -> None:
    """Echo what comes, or count it and answer with the number of bytes at its end."""
    with there, suppress(OSError):
        there.settimeout(_ANSWER_S)
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if there.recv(1) == ECHO:
            while data := there.recv(1):
                there.sendall(data)
            return
        buffer, n_bytes = bytearray(len(_PART)), 0
        while n_read := there.recv_into(buffer):
            n_bytes += n_read
        there.sendall(str(n_bytes).encode())


def _connect(address: str, port: int) -> socket.socket:
    there = socket.create_connection((address, port), _CONNECT_S)
    there.settimeout(_ANSWER_S)
    there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return there


def _echo(address: str, port: int) -> list[float]:
    """Return the times of some round trips of a byte, in ms, after one that is not counted."""
    times_ms = []
    with _connect(address, port) as there:
        there.sendall(ECHO)
        for _ in range(_ECHOES + 1):
            began_s = time.perf_counter()
            there.sendall(b".")
            if not there.recv(1):
                raise OSError("the connection was closed")
            times_ms.append((time.perf_counter() - began_s) * 1000)
    return times_ms[1:]


def _rate(address: str, port: int) -> float:
    """Return how many Mbit/s arrive of what is sent for a second over one connection."""
    with _connect(address, port) as there:
        there.sendall(COUNT)
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < _RATE_S:
            there.sendall(_PART)
        there.shutdown(socket.SHUT_WR)
        n_bytes = int(there.recv(64))
        return n_bytes * _BYTE_BITS / (time.perf_counter() - began_s) / 1e6


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
