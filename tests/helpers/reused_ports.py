"""Launch peers in a network namespace of few ports, each of which was used before a pull uses it.

    python reused_ports.py RUN_FOLDER LAUNCHER_ARGUMENT ..

To be run in a new network namespace of its own, as root there. While the peers train, every free
port of each is connected to every other peer's ROUTER, and given up once that has sent the first
bytes of a handshake: they stay unread, so the connection is reset, and the port is free at once.
This is what ZeroMQ does where a busy machine lets its connect time out, though the kernel has
connected. The connections for pulls come later, from ports that were used.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import zmq
from launching import ROOT, journal, wait_for

PORTS = range(40_000, 40_024)
PEERS = ("p00", "p01", "p02")
DEADLINE_S = 60.0


def main(run: Path, arguments: list[str]) -> int:
    """Return the launcher's exit code."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    ports = Path("/proc/sys/net/ipv4/ip_local_port_range")
    ports.write_text(f"{PORTS[0]} {PORTS[-1]}")
    with subprocess.Popen([sys.executable, str(ROOT / "launch.py"), *arguments]) as launcher:
        try:
            wait_for("peers that listen", lambda: all(map(routers(run).get, PEERS)), DEADLINE_S)
            for (here, _), there in permutations(routers(run).values(), 2):
                use_and_give_up(here, there)
            return launcher.wait(DEADLINE_S)
        finally:
            launcher.terminate()


def routers(run: Path) -> dict[str, tuple[str, int]]:
    """Return peer -> (address, port) of its ROUTER, of those that are up."""
    first = {peer: journal(run, peer)[:1] for peer in PEERS}
    return {peer: (x["address"], x["port"]) for peer, lines in first.items() for x in lines}


def use_and_give_up(here: str, there: tuple[str, int]) -> None:
    """Connect from every free port, and reset the connections once the peer has seen them."""
    with contextlib.ExitStack() as stack:
        for port in PORTS:
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # a peer has the port
                client.bind((here, port))
                client.connect(there)
                assert select.select([client], [], [], DEADLINE_S)[0], f"{there} says nothing"
        await_answer(there)


def await_answer(there: tuple[str, int]) -> None:
    """Wait until a peer refused a stranger: it has seen all connections from before."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.connect("tcp://127.0.0.1:0;{}:{}".format(*there))
        stranger.send(b"no message")
        assert stranger.poll(1000 * DEADLINE_S), f"{there} refuses nobody"
        stranger.recv_multipart()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
