"""Hold packets back for kernels without netem: a process that reads netfilter's queues.

A rule at the receiver's input hands a link's packets to a queue, numbered by the sender; here each
waits for its time and is let in. Only its number comes here, never its bytes. The process does
nothing else, so that it is on time: within half a millisecond, or later where no core is free.
"""

from __future__ import annotations

import heapq
import os
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress

from prisam_p2p.netns.holder_line import Held
from prisam_p2p.netns.nfqueue import LARGEST_DATAGRAM, let_in, open_queues, packet_of
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.setns import CLONE_NEWNET, setns

_SLACK_S = 0.0005
"""epoll waits in whole milliseconds: what is due within half of one is let in."""

_AT_ONCE = 256

_Key = tuple[int, int]  # receiver, sender


def delay(net_fds: Sequence[int], line: socket.socket) -> None:
    """Obey orders {receiver, sender, delay_ms, jitter_ms} from `line` until it closes.

    Each is answered {"done": true}, or {"failed": why}. Without delay and jitter, what is held of
    that link is let in at once. `net_fds` are the receivers' namespaces; this process enters them.
    """
    _Delayer(net_fds, line).run()


class _Delayer:
    def __init__(self, net_fds: Sequence[int], line: socket.socket) -> None:
        self._line, self._orders, self._net_fds = line, JsonLines(line), net_fds
        self._netlinks: dict[int, socket.socket] = {}
        self._receivers: dict[int, int] = {}  # by descriptor
        self._held: dict[_Key, Held] = {}
        self._due: list[tuple[float, _Key]] = []  # a heap: one entry for each that holds packets
        self._poll = select.epoll()
        self._poll.register(line.fileno(), select.EPOLLIN)

    def run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll(self._wait_s()):
                if descriptor in self._receivers:
                    self._take_in(self._receivers[descriptor])
                elif not self._obey():
                    return
            self._let_in(time.monotonic() + _SLACK_S)

    def _wait_s(self) -> float:
        """Return how long nothing is due; below 0: forever."""
        return max(0.0, self._due[0][0] - time.monotonic() - _SLACK_S) if self._due else -1.0

    def _obey(self) -> bool:
        orders = self._orders.receive()
        for order in orders or ():
            key = (order["receiver"], order["sender"])
            try:
                self._set(key, order["delay_ms"] / 1000, order["jitter_ms"] / 1000)
                write_line(self._line, {"done": True})
            except OSError as error:
                write_line(self._line, {"failed": str(error)})
        return orders is not None

    def _set(self, key: _Key, delay_s: float, jitter_s: float) -> None:
        self._open(key[0])
        held = self._held.setdefault(key, Held(key[1]))
        held.delay_s, held.jitter_s = delay_s, jitter_s
        if not (delay_s or jitter_s):
            self._release(key, float("inf"))

    def _open(self, receiver: int) -> None:
        if receiver in self._netlinks:
            return
        setns(self._net_fds[receiver], CLONE_NEWNET)
        netlink = open_queues([i for i in range(len(self._net_fds)) if i != receiver])
        self._netlinks[receiver] = netlink
        self._receivers[netlink.fileno()] = receiver
        self._poll.register(netlink.fileno(), select.EPOLLIN)

    def _take_in(self, receiver: int) -> None:
        netlink, now_s = self._netlinks[receiver], time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                datagram = netlink.recv(LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # more came than it keeps: the kernel dropped them
                continue
            if packet := packet_of(datagram):
                sender, number = packet
                held = self._held[receiver, sender]
                if held.next_s is None:
                    held.add(now_s, number)
                    heapq.heappush(self._due, (held.next_s or now_s, (receiver, sender)))
                else:
                    held.add(now_s, number)

    def _let_in(self, until_s: float) -> None:
        while self._due and self._due[0][0] <= until_s:
            _, key = heapq.heappop(self._due)
            self._release(key, until_s)
            if (next_s := self._held[key].next_s) is not None:
                heapq.heappush(self._due, (next_s, key))

    def _release(self, key: _Key, until_s: float) -> None:
        last = self._held[key].release(until_s)
        if last is not None:
            with suppress(OSError):  # the namespace's interface went, and its packets with it
                self._netlinks[key[0]].send(let_in(key[1], last))


class Delayer:
    """That process, from the first link that has a delay on; `net_fds` are the receivers'."""

    def __init__(self, net_fds: Sequence[int]) -> None:
        self._net_fds = net_fds
        self._answers: JsonLines | None = None

    def set(self, sender: int, receiver: int, state: LinkState) -> None:
        """Hold packets of this link's queue back as `state` says; none means: let all in.

        Raises:
            OSError: the kernel refused.
        """
        self._answers = self._answers or self._start()
        times = {"delay_ms": state.delay_ms, "jitter_ms": state.jitter_ms}
        write_line(self._answers.line, {"sender": sender, "receiver": receiver, **times})
        (answer,) = self._answers.receive() or [{"failed": "the process that delays ended"}]
        if "failed" in answer:
            raise OSError(answer["failed"])

    def _start(self) -> JsonLines:
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            try:
                ours.close()
                die_with_parent()
                delay(self._net_fds, theirs)
            finally:
                os._exit(0)
        theirs.close()
        return JsonLines(ours)
