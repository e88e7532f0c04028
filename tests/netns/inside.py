"""Helpers of tests: sockets and processes in a network's namespaces."""

import os
import select
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial

from prisam_p2p.netns import link_measurements
from prisam_p2p.system.isolated import isolated

DEADLINE_S = 30
TRIES = 5
AB, BA = ("a", "b"), ("b", "a")


def within(function, *arguments):
    """Call `function` in a child, because it enters namespaces; return what it returns."""
    return isolated(partial(function, *arguments), DEADLINE_S)


def measured(network, how, *arguments, link=AB):
    """Measure a link by `how`, a function of link_measurements."""
    return isolated(partial(how, network, *link, *arguments), 3 * DEADLINE_S)


def nearest(measure, asked, off_by):
    """Return what `measure` returns once it is as near to what was asked; else its last word.

    A busy machine adds to a delay and takes from a rate, for a while. It does not make a link keep
    what it does not keep.
    """
    for _ in range(TRIES):
        found = measure()
        if abs(found - asked) <= off_by:
            break
    return found


def datagrams(network, link, n):
    """Send n datagrams; return how many arrive."""
    return round(n * (1 - measured(network, link_measurements.loss, n, link=link)))


@contextmanager
def connection(network, link=AB):
    """Yield connected sockets of this process: the client at link[0], the server at link[1]."""
    out, listening = link_measurements.bound_sockets(network, *link, socket.SOCK_STREAM)
    with out, listening:
        listening.listen()
        out.connect(listening.getsockname())
        into, _ = listening.accept()
        into.settimeout(DEADLINE_S)
        with into:
            yield out, into


def connected_from_here(network, link=AB):
    """Return the two sockets of a connection in namespaces, while this process stays outside.

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
    """Start an interpreter that enters the peer's namespace and runs `code`."""
    entry = network.entry(peer)
    enter = f"from prisam_p2p.system.setns import enter; enter(**{entry!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", enter + code],
        pass_fds=[fd for fd in entry.values() if fd is not None],
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def watched(pids):
    """Yield a function that waits for these processes to end, and returns those that have not."""
    descriptors = {os.pidfd_open(pid): pid for pid in pids}
    ends = select.poll()
    for descriptor in descriptors:
        ends.register(descriptor, select.POLLIN)

    def wait():
        left, until = dict(descriptors), time.monotonic() + DEADLINE_S
        while left and (rest_s := until - time.monotonic()) > 0:
            for descriptor, _ in ends.poll(1000 * rest_s):
                ends.unregister(descriptor)
                del left[descriptor]
        return set(left.values())

    try:
        yield wait
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def users_of(namespaces):
    """Return the processes that are in network namespaces of these inodes or hold them open."""
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
