"""A process that has no descriptor left for a neighbor's connection says so."""

import errno
import resource
import socket
from contextlib import contextmanager

import pytest
import zmq

from prisam_p2p.transport.sockets import SocketLimits, bind_router, news, watch_router

LIMITS = SocketLimits(1000, 1000, 1000)


@contextmanager
def no_more_descriptors():
    """Forbid new descriptors in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as next_one:
        lowest = next_one.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_that_cannot_be_accepted_is_an_error_with_its_number():
    with zmq.Context() as context, socket.socket() as neighbor:
        router, port = bind_router(context, "127.1.9.1", 0, LIMITS, None)
        monitor = watch_router(router, failures=False)
        try:
            with no_more_descriptors():
                neighbor.connect(("127.1.9.1", port))
                assert monitor.poll(10_000)
                with pytest.raises(OSError, match="Too many open files") as caught:
                    list(news(monitor))
            assert caught.value.errno == errno.EMFILE
        finally:
            router.disable_monitor()
            monitor.close(linger=0)
            router.close(linger=0)
