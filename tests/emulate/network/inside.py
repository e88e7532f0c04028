"""Sockets and processes in a network's namespaces."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial

from prisam_p2p.emulate.network import fidelity
from prisam_p2p.emulate.network.isolated import isolated

DEADLINE_S = 10
AB, BA = ("a", "b"), ("b", "a")


def within(function, *arguments):
    """Call it in a child, for it enters namespaces; return what it returns."""
    return isolated(partial(function, *arguments), DEADLINE_S)


def measured(network, how, *arguments, link=AB):
    return isolated(partial(how, network, *link, *arguments), 3 * DEADLINE_S)


def datagrams(network, link, n):
    """How many of n datagrams come."""
    return round(n * (1 - measured(network, fidelity.loss, n, link=link)))


@contextmanager
def connection(network, link=AB):
    """A connected pair of sockets of this process: the client at link[0], the server at link[1]."""
    out, listening = fidelity.pair(network, *link, socket.SOCK_STREAM)
    with out, listening:
        listening.listen()
        out.connect(listening.getsockname())
        into, _ = listening.accept()
        into.settimeout(DEADLINE_S)
        with into:
            yield out, into


def connected_from_here(network, link=AB):
    """The two sockets of a connection in namespaces, of this process, which stays outside.

    A child makes them and hands them over.
    """
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            with connection(network, link) as pair:
                socket.send_fds(theirs, [b"x"], [one.fileno() for one in pair])
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        ours.settimeout(DEADLINE_S)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 2)
    os.wait()
    made = [socket.socket(fileno=each) for each in descriptors]
    for each in made:
        each.settimeout(DEADLINE_S)
    return made


def process(network, peer, code):
    """A fresh interpreter that enters the peer's namespace and runs `code`."""
    entry = network.entry(peer)
    enter = f"from prisam_p2p.peer.enter import enter; enter(**{entry!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", enter + code],
        pass_fds=[fd for fd in entry.values() if fd is not None],
        stdout=subprocess.PIPE,
        text=True,
    )


def gone(pid):
    """Whether there is no such process, or only its remains that nobody waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def users_of(namespaces):
    """The processes that are in network namespaces of these inode numbers, or hold them open."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = [f"/proc/{pid}/ns/net", *(f.path for f in os.scandir(f"/proc/{pid}/fd"))]
            inside = {os.readlink(link) for link in links}
        except OSError:
            continue
        if inside & {f"net:[{number}]" for number in namespaces}:
            found.add(int(pid))
    return found
