"""Orders to a process that reads nothing, for it is stopped, wait for it; nobody else does."""

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
