"""Orders to a process that reads nothing, for it is stopped, wait for it; nobody else does."""

import os
import socket

import pytest

from prisam_p2p.system.json_lines import JsonLines

N = 20_000
"""So many orders are more than a socket holds."""


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield JsonLines(ours), JsonLines(theirs)


def test_orders_to_who_reads_nothing_wait_and_come_in_order_once_it_does(ends):
    ours, theirs = ends
    for i in range(N):
        ours.send({"order": "rule", "number": i})
    got = []
    while len(got) < N:
        got += theirs.receive()
        ours.flush()
    assert [order["number"] for order in got] == [*range(N)]


def test_orders_to_who_is_gone_are_lost(ends):
    ours, theirs = ends
    for i in range(N):
        ours.send({"number": i})
    theirs.line.close()
    ours.flush()
    ours.send({"order": "exit"})
    assert ours.receive() is None


def test_descriptors_go_with_their_line_once_the_other_end_takes_it(ends):
    ours, theirs = ends
    ours.line.setblocking(False)
    for i in range(N):
        ours.send({"number": i})
    with open(os.devnull) as file:
        assert not ours.send_with({"number": "the last"}, (file.fileno(),))  # nothing is sent
        got = []
        while not ours.send_with({"number": "the last"}, (file.fileno(),)):
            got += theirs.receive()
    while len(got) <= N:
        got += theirs.receive()
        ours.flush()
    assert [order["number"] for order in got] == [*range(N), "the last"]
    (descriptor,) = theirs.descriptors
    assert os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev
    os.close(descriptor)


def test_a_long_line_with_descriptors_is_sent_in_parts(ends):
    ours, theirs = ends
    ours.line.setblocking(False)
    long = "x" * 10**6  # more than a socket holds
    with open(os.devnull) as file:
        assert ours.send_with({"text": long}, (file.fileno(),))
    got = []
    while not got:
        got += theirs.receive()
        ours.flush()
    assert (got, len(theirs.descriptors)) == ([{"text": long}], 1)
    os.close(theirs.descriptors[0])


def test_a_line_with_descriptors_to_who_is_gone_is_lost(ends):
    ours, theirs = ends
    ours.line.setblocking(False)
    theirs.line.close()
    with open(os.devnull) as file:
        assert ours.send_with({"number": 0}, (file.fileno(),))
