"""Records what the kernel counted of a run's TCP connections, also of peers that were killed.

The launcher, or the agent of a host, listens to the kernel (sock_diag); the peers do nothing for
it. Where the kernel does not report, the journal says why, and nothing fails.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.measure.tcp_info import DiagSocket, Ends, TcpInfo
from prisam_p2p.netns.interface import Network, NetworkError
from prisam_p2p.processes.our_sockets import OurSockets
from prisam_p2p.system import sock_diag
from prisam_p2p.wire import ethernet

_QUIET_S = 0.02
_MOST_UNJUDGED = 10_000
"""Destroyed sockets of which it is not known yet whether they are ours. What else runs on a host
may end many; a peer's ROUTER is known within a second or so."""
_FIGURES = [field.name for field in fields(TcpInfo)]


class KernelWatch:
    """Writes the figures of every TCP socket of a run to a journal, its own kernel's only.

    A context: enter it before the first peer is started, leave it when the last one has ended.
    In between it has a thread, so a process that must have only one thread is forked before.

    Args:
        ours: tells which sockets belong to the run.
        mtu: of the interface between peers of one host; between_mtu: to those of others.
        on_failure: told why the journal cannot be written, if it cannot (`Journal`).

    Attributes:
        available: whether the kernel reports; if not, `reason` says why.
        overruns: how often the kernel's buffer was full and reports were lost.
    """

    def __init__(
        self,
        ours: OurSockets,
        journal_path: Path,
        epoch_s: float,
        network: Network | None = None,
        mtu: int = ethernet.LOOPBACK_MTU,
        on_failure: Callable[[OSError], object] | None = None,
        host: str = "",
        between_mtu: int | None = None,
    ) -> None:
        self.available, self.reason, self.overruns = False, "never entered", 0
        self._ours, self._network = ours, network
        self._mtu, self._host, self._between_mtu = mtu, host, between_mtu
        self._netlinks: list[socket.socket] = []
        self._journal = Journal(journal_path, epoch_s, on_failure)
        self._cpu_s = 0.0
        self._told: set[int] = set()  # cookies
        self._n_told: Counter[Ends] = Counter()
        self._seen: dict[int, DiagSocket] = {}  # by cookie
        self._unjudged: deque[DiagSocket] = deque(maxlen=_MOST_UNJUDGED)
        self._version = ours.version
        self._thread = threading.Thread(target=self._watch, name="kernel-watch", daemon=True)
        self._held = ExitStack()

    def __enter__(self) -> Self:
        try:
            if self._network:
                self._netlinks = self._network.watch_sockets()
            else:
                self._netlinks = [self._held.enter_context(sock_diag.listen())]
            self._end, self._line = map(self._held.enter_context, socket.socketpair())
        except (OSError, ValueError, NetworkError) as error:
            self.reason = str(error)
        else:
            self.available, self.reason = True, ""
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def dump(self) -> None:
        """Remember the figures of the open sockets, in case their final ones do not come."""
        if self.available:
            with suppress(OSError):  # the final figures come anyway
                insides = self._network.dump_sockets() if self._network else []
                for inside in insides or (None,):
                    for each in sock_diag.dump(inside):
                        if _has_carried(each) and self._ours.is_ours(each.ends):
                            self._seen[each.cookie] = each

    def close(self, timeout_s: float = 2.0) -> None:
        """Wait for the last final figures, and write what is known of the other sockets.

        Args:
            timeout_s: the longest wait.

        Raises:
            OSError: the journal cannot be written, and nobody is told by `on_failure`.
        """
        with self._held, self._journal:
            if self._thread.is_alive():
                self._end.send(b"x")
                self._thread.join()
            began_s = time.thread_time()
            if self.available:
                self.dump()
                self._drain(time.monotonic() + timeout_s)
                self._judge_again()
                for cookie in self._seen.keys() - self._told:
                    self._write(self._seen[cookie], "dump")
            cpu_s = round(self._cpu_s + time.thread_time() - began_s, 6)
            self._journal.write(
                records.Watch(
                    self.available,
                    self.reason,
                    self.overruns,
                    cpu_s,
                    self._mtu,
                    self._host,
                    self._between_mtu,
                )
            )

    def _watch(self) -> None:
        """Write what the kernel reports, until `close` writes to the line."""
        poll = _poll(*self._netlinks, self._line)
        try:
            while self._line.fileno() not in dict(poll.poll()):
                self._take_in()
        except OSError as error:
            self.available, self.reason = False, f"it ended early: {error}"
        finally:
            self._cpu_s = time.thread_time()

    def _drain(self, deadline: float) -> None:
        """Write reports until none is expected, and none of ours came for a while."""
        poll, quiet_s = _poll(*self._netlinks), time.monotonic() + _QUIET_S
        while (now := time.monotonic()) < deadline and (self._expected() or now < quiet_s):
            poll.poll(1000 * _QUIET_S)
            if self._take_in():
                quiet_s = time.monotonic() + _QUIET_S

    def _expected(self) -> bool:
        """Tell whether final figures are to come: of one seen open, or whose other end has them.

        Only where this kernel tells. Sockets are counted: a pair of addresses may be used again.
        """
        if self._seen.keys() - self._told:
            return True
        others = (((there, here), n) for (here, there), n in self._n_told.items())
        return any(n > self._n_told[ends] and self._ours.is_here(ends) for ends, n in others)

    def _take_in(self) -> bool:
        """Write what the kernel has reported by now; return whether any of it was ours."""
        self._judge_again()
        taken = [self._take_from(netlink) for netlink in self._netlinks]
        return any(taken)

    def _judge_again(self) -> None:
        """Write the sockets of which it is known by now that they are ours."""
        if self._version != self._ours.version:
            self._version = self._ours.version
            waiting = [*self._unjudged]
            self._unjudged.clear()
            for each in waiting:
                self._judge(each)

    def _take_from(self, netlink: socket.socket) -> bool:
        ours = False
        while True:
            try:
                datagram = netlink.recv(sock_diag.LARGEST_DATAGRAM)
            except BlockingIOError:
                return ours
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                continue
            for each in filter(_has_carried, sock_diag.sockets(datagram)):
                ours |= self._judge(each)

    def _judge(self, each: DiagSocket) -> bool:
        """Write a socket that was destroyed if it is ours; keep it as long as that is not known."""
        is_ours = self._ours.is_ours(each.ends)
        if is_ours:
            self._told.add(each.cookie)
            self._n_told[each.ends] += 1
            self._write(each, "destroyed")
        elif is_ours is None:
            self._unjudged.append(each)
        return bool(is_ours)

    def _write(self, each: DiagSocket, source: str) -> None:
        local, remote = (f"{address}:{port}" for address, port in each.ends)
        figures = {name: getattr(each.info, name) for name in _FIGURES}
        cookie, unacked = each.cookie, each.unacked
        self._journal.write(
            records.Socket(local, remote, source, **figures, cookie=cookie, unacked=unacked)
        )


def _has_carried(each: DiagSocket) -> bool:
    """Tell whether a socket carried a byte."""
    return each.info.sent + each.info.received > 0


def _poll(*sockets: socket.socket) -> select.poll:
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    return poll
