"""A host for tests of tunnels: a network namespace of its own, and one peer's namespace on it.

    python tunnel_host.py PEER NUMBER LOCAL REMOTE

It prints "up" once it has left the caller's network; after a line on its input it builds its part
of the network of the peers a and b. It then obeys lines: `listen`, `connect ADDRESS` (prints the
seconds until it had 100,000 bytes, or the error), `apply JSON`, `counts`.
"""

import json
import os
import socket
import sys
import time

from prisam_p2p.netns.interface import NetworkError, Tunnel
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.system.setns import CLONE_NEWNET, setns, unshare

PEERS, PORT, DATA = ["a", "b"], 7000, b"x" * 100_000
LINK = ("a", "b")


def serve():
    """Answer each connection with DATA, for ever, in the namespace that this process is in."""
    with socket.create_server(("", PORT)) as server:
        print("listening", flush=True)
        while True:
            one, _ = server.accept()
            one.sendall(DATA)
            one.close()


def fetch(address):
    began = time.monotonic()
    try:
        with socket.create_connection((address, PORT), 2) as one, one.makefile("rb") as lines:
            assert lines.read() == DATA
    except OSError as error:
        return type(error).__name__
    return time.monotonic() - began


def in_namespace(net_fd, do):
    """Do something in a peer's namespace, in a fork."""
    if (pid := os.fork()) == 0:
        setns(net_fd, CLONE_NEWNET)
        do()
        sys.stdout.flush()
        os._exit(0)
    return pid


def counted(network):
    """Return the packets of LINK that were cut, or why they are not known here."""
    try:
        return network.counts(LINK).cut
    except NetworkError as error:
        return error


def main(peer, number, local, remote):
    unshare(CLONE_NEWNET)
    print("up", flush=True)
    sys.stdin.readline()
    network = Namespaces(PEERS, here=[peer], tunnel=Tunnel(int(number), local, (remote,)))
    net_fd, children = network.entry(peer)["net_fd"], []
    print("built", flush=True)
    for line in sys.stdin:
        order, _, rest = line.strip().partition(" ")
        if order == "listen":
            children.append(in_namespace(net_fd, serve))
        elif order == "connect":
            pid = in_namespace(net_fd, lambda: print(fetch(rest)))  # noqa: B023 - done at once
            os.waitpid(pid, 0)
        elif order == "apply":
            network.apply({LINK: LinkState(**json.loads(rest))})
            print("applied", flush=True)
        elif order == "counts":
            print(counted(network), flush=True)
    for pid in children:
        os.kill(pid, 9)
    network.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
