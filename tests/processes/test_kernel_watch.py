import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from prisam_p2p.processes.kernel_watch import KernelWatch
from prisam_p2p.processes.our_sockets import BetweenAddresses, ToRouters
from prisam_p2p.system import sock_diag

DEADLINE_S = 60
SENDER = """
import signal, socket, sys
socket.socket(fileno=int(sys.argv[1])).sendall(bytes(int(sys.argv[2])))
signal.pause()
"""
_numbers = count(1)


def unavailable():
    """Return why this system tells of no destroyed sockets, or None."""
    try:
        sock_diag.listen().close()
    except (OSError, ValueError) as error:
        return str(error)
    return None


WHY_NOT = unavailable()
needs_kernel = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture
def ends():
    """Two addresses that no other test has, nor another run of the tests."""
    number = next(_numbers)
    return [f"127.{200 + os.getpid() % 50}.{number}.{host}" for host in (1, 2)]


@contextmanager
def connection(client_address, server_address):
    with socket.create_server((server_address, 0)) as server:
        where = server.getsockname()
        with socket.create_connection(where, DEADLINE_S, source_address=(client_address, 0)) as a:
            b, _ = server.accept()
            b.settimeout(DEADLINE_S)
            with b:
                yield a, b


def entered(ends, path):
    """A watch that the test closes itself."""
    return KernelWatch(BetweenAddresses(ends), path, time.monotonic()).__enter__()


def read(one, n_bytes):
    got = b""
    while len(got) < n_bytes and (part := one.recv(n_bytes - len(got))):
        got += part
    return got


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def figures(path, source):
    """(address of the end) -> its line, of those from `source`."""
    sockets = [line for line in lines(path) if line["record"] == "socket"]
    return {line["local"].split(":")[0]: line for line in sockets if line["source"] == source}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kernel.jsonl"


@needs_kernel
def test_both_ends_of_a_connection_are_told_of_to_the_byte(path, ends):
    with KernelWatch(BetweenAddresses(ends), path, time.monotonic()) as watch:
        with connection(*ends) as (a, b):
            a.sendall(bytes(100_000))
            assert len(read(b, 100_000)) == 100_000
            b.sendall(bytes(321))
            assert len(read(a, 321)) == 321
            a_name, b_name = ("{}:{}".format(*each.getsockname()) for each in (a, b))
        assert watch.available
    *sockets, last = lines(path)
    assert len(sockets) == 2
    client, server = (figures(path, "destroyed")[address] for address in ends)
    assert (client["local"], client["remote"]) == (a_name, b_name)
    assert (server["local"], server["remote"]) == (b_name, a_name)
    assert client["sent"] - client["retransmitted"] == 100_000 == server["received"] - 1  # FIN
    assert server["sent"] - server["retransmitted"] == 321 == client["received"] - 1
    assert client["state"] == "CLOSE"
    assert client["data_segs_out"] <= client["segs_out"]
    assert 0 <= last.pop("cpu_s") < last.pop("t_s")
    assert last == {
        "record": "watch",
        "available": True,
        "reason": "",
        "overruns": 0,
        "mtu": 65536,
        "host": "",
        "between_mtu": None,
    }


@needs_kernel
def test_the_bytes_of_a_killed_process_are_there(path, ends):
    with KernelWatch(BetweenAddresses(ends), path, time.monotonic()), connection(*ends) as (a, b):
        command = [sys.executable, "-c", SENDER, str(a.fileno()), "50000"]
        with subprocess.Popen(command, pass_fds=[a.fileno()]) as sender:
            a.close()
            assert len(read(b, 50_000)) == 50_000
            sender.kill()
        assert b.recv(1) == b""
    found = figures(path, "destroyed")
    assert found[ends[0]]["sent"] - found[ends[0]]["retransmitted"] == 50_000
    assert found[ends[1]]["received"] == 50_001


@needs_kernel
def test_a_socket_that_outlives_the_watch_is_there_as_last_seen(path, ends):
    with connection(*ends) as (a, b):
        watch = entered(ends, path)
        a.sendall(bytes(70))
        read(b, 70)
        watch.dump()
        a.sendall(bytes(7))
        read(b, 7)
        watch.close(timeout_s=0.1)
    found = figures(path, "dump")
    assert (found[ends[0]]["sent"], found[ends[1]]["received"]) == (77, 77)
    assert found[ends[0]]["state"] == "ESTABLISHED"
    assert figures(path, "destroyed") == {}


@needs_kernel
def test_a_socket_that_was_seen_and_then_ended_has_one_line(path, ends):
    with (
        KernelWatch(BetweenAddresses(ends), path, time.monotonic()) as watch,
        connection(*ends) as (a, b),
    ):
        a.sendall(bytes(70))
        read(b, 70)
        watch.dump()
    assert len(figures(path, "destroyed")) == 2
    assert figures(path, "dump") == {}


@needs_kernel
def test_two_connections_of_the_same_two_addresses_are_told_apart(path, ends):
    with (
        KernelWatch(BetweenAddresses(ends), path, time.monotonic()) as watch,
        socket.create_server((ends[1], 0)) as server,
    ):
        port = 0
        for n_bytes in (10, 70):
            with socket.create_connection(
                server.getsockname(), DEADLINE_S, source_address=(ends[0], port)
            ) as a:
                _, port = a.getsockname()
                b, _ = server.accept()
                with b:
                    b.sendall(bytes(n_bytes))
                    a.recv(1)  # the others stay unread: the connection is reset, the port is free
                    watch.dump()
                    a.close()
    sockets = [line for line in lines(path) if line["record"] == "socket"]
    assert {line["source"] for line in sockets} == {"destroyed"}
    assert len({line["cookie"] for line in sockets} - {0}) == 4
    for address, counted in ((ends[0], "received"), (ends[1], "sent")):
        here = [line for line in sockets if line["local"].startswith(address)]
        assert [line[counted] for line in here] == [10, 70]
        assert len({(line["local"], line["remote"]) for line in here}) == 1


@needs_kernel
def test_a_socket_whose_end_was_not_told_is_there_as_last_seen(path, ends, monkeypatch):
    watch = entered(ends, path)
    with connection(*ends) as (a, b):
        a.sendall(bytes(70))
        read(b, 70)
        watch.dump()
        monkeypatch.setattr(sock_diag, "sockets", lambda datagram: iter(()))
    began_s = time.monotonic()
    watch.close(timeout_s=0.2)
    assert 0.2 <= time.monotonic() - began_s < DEADLINE_S
    assert set(figures(path, "dump")) == set(ends)
    assert figures(path, "destroyed") == {}


@needs_kernel
def test_strangers_and_sockets_without_a_byte_are_left_out(path, ends):
    stranger = ends[0][:-1] + "9"
    with KernelWatch(BetweenAddresses(ends), path, time.monotonic()) as watch:
        with connection(stranger, ends[1]) as (a, b):
            a.sendall(b"hello")
            read(b, 5)
            watch.dump()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((ends[1], 9), DEADLINE_S, source_address=(ends[0], 0))
    assert [line["record"] for line in lines(path)] == ["watch"]


@needs_kernel
def test_of_several_hosts_each_has_the_sockets_of_its_own_kernel_to_routers(tmp_path, ends):
    """A router of one host, a client of another, and traffic of others between the same hosts."""
    rules = [ToRouters(address) for address in ends]
    paths = [tmp_path / f"kernel-h{i}.jsonl" for i in (1, 2)]
    where = [{"host": "h1", "between_mtu": 1450}, {"host": "h2"}]
    watches = [
        KernelWatch(rule, path, time.monotonic(), **more).__enter__()
        for rule, path, more in zip(rules, paths, where, strict=True)
    ]
    with connection(*ends) as (a, b):
        b_name = b.getsockname()
        a.sendall(bytes(100))
        read(b, 100)
    with connection(*ends) as (c, d):
        c.sendall(bytes(7))
        read(d, 7)
    for rule in rules:
        rule.know([b_name])
    began_s = time.monotonic()
    for watch in watches:
        watch.close(timeout_s=DEADLINE_S)
    assert time.monotonic() - began_s < DEADLINE_S  # the other host's end is not waited for
    for path, address, moved in zip(paths, ends, ("sent", "received"), strict=True):
        (line,) = (line for line in lines(path) if line["record"] == "socket")
        assert line["local"].startswith(f"{address}:")
        assert f"{b_name[0]}:{b_name[1]}" in (line["local"], line["remote"])
        assert 100 <= line[moved] <= 101
    assert [lines(path)[-1]["host"] for path in paths] == ["h1", "h2"]
    assert [lines(path)[-1]["between_mtu"] for path in paths] == [1450, None]


@needs_kernel
def test_a_stranger_at_a_router_is_recorded(path, ends):
    rule = ToRouters(ends[1])
    with KernelWatch(rule, path, time.monotonic()), connection(ends[0], ends[1]) as (a, b):
        rule.know([b.getsockname()])
        a.sendall(b"hello")
        read(b, 5)
    (line,) = (line for line in lines(path) if line["record"] == "socket")
    assert (line["local"].split(":")[0], line["received"]) == (ends[1], 6)


@needs_kernel
def test_more_than_the_buffer_holds_is_counted(path, ends, monkeypatch):
    netlink = sock_diag.listen()
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # the kernel's least: some KiB
    monkeypatch.setattr(sock_diag, "listen", lambda: netlink)
    monkeypatch.setattr(KernelWatch, "_watch", lambda self: self._line.recv(1))  # reads too late
    watch = entered(ends, path)
    deadline = time.monotonic() + 20
    while not drops(netlink) and time.monotonic() < deadline:  # the kernel tells when it likes
        with connection(*ends) as (a, b):
            a.sendall(b"x")
            read(b, 1)
    watch.close(timeout_s=0.1)
    assert lines(path)[-1]["overruns"] > 0


def drops(netlink):
    """Return how many messages the kernel could not put into a netlink socket's buffer."""
    rows = [row.split() for row in Path("/proc/net/netlink").read_text().splitlines()]
    place, inode = rows[0].index("Drops"), os.fstat(netlink.fileno()).st_ino
    return next(int(row[place]) for row in rows[1:] if int(row[-1]) == inode)


@pytest.mark.parametrize("error", [PermissionError(1, "not permitted"), ValueError("too old")])
def test_where_the_kernel_does_not_tell_the_journal_says_why(path, ends, monkeypatch, error):
    def refuse():
        raise error

    monkeypatch.setattr(sock_diag, "listen", refuse)
    with KernelWatch(BetweenAddresses(ends), path, time.monotonic()) as watch:
        watch.dump()
        assert not watch.available
    (line,) = lines(path)
    assert (line["record"], line["available"], line["overruns"]) == ("watch", False, 0)
    assert str(error) == line["reason"]


def test_another_system_than_linux_has_a_reason(path, ends, monkeypatch):
    monkeypatch.setattr(sock_diag.sys, "platform", "darwin")
    with KernelWatch(BetweenAddresses(ends), path, time.monotonic()):
        pass
    assert lines(path)[0]["reason"] == "darwin has no sock_diag"
