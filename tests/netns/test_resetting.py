"""Resetter destroys connections and nothing else."""

import socket

from prisam_p2p.netns.probes import namespace_with_loopback
from prisam_p2p.netns.resetting import Resetter
from prisam_p2p.system.isolated import isolated

ONE = "127.0.0.1"
DEADLINE_S = 60


def the_listener_is_not_taken_for_a_connection_that_ended():
    """Let the connection end between the kernel's list and the order to destroy it."""
    namespace_with_loopback()
    resetter = Resetter()
    with socket.create_server((ONE, 0)) as server:
        gone = socket.create_connection(server.getsockname(), DEADLINE_S)
        there, _ = server.accept()
        listed = resetter._connections(ONE)
        for end in (gone, there):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0] + [0] * 4))
            end.close()
        resetter._connections = lambda _: listed
        destroyed = resetter.destroy(ONE)
        with socket.create_connection(server.getsockname(), DEADLINE_S):
            server.settimeout(DEADLINE_S)
            server.accept()[0].close()
        return len(listed), destroyed


def test_the_listener_is_not_taken_for_a_connection_that_ended(namespaces_work):
    assert isolated(the_listener_is_not_taken_for_a_connection_that_ended, DEADLINE_S) == [2, 0]
