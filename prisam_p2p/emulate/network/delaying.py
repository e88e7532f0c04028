"""Hold packets back for kernels without netem: a process that reads netfilter's queues.

A rule at the receiver's input hands a link's packets to a queue, by number; here each waits for its
time and is let in. Only its number comes here, never its bytes. The process does nothing else, so
that it is on time; a packet is let in within about half a millisecond of its time, later where
the machine has no core to spare.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from prisam_p2p.emulate.lines import Lines, write_line
from prisam_p2p.emulate.network.enter import CLONE_NEWNET, setns
from prisam_p2p.emulate.network.netlink import NETFILTER
from prisam_p2p.emulate.network.queues import LARGEST_DATAGRAM, bind, let_in, packet_of

_SLACK_S = 0.0005
"""The system waits in whole milliseconds: what is due within half of one is let in."""

_AT_ONCE = 256


class _Held:
    """The packets of one link that wait, oldest first."""

    def __init__(self, netlink: socket.socket, number: int) -> None:
        self.netlink, self.number = netlink, number
        self.packets: deque[tuple[float, int]] = deque()
        self.delay_s = self.jitter_s = 0.0
        self._last_s = 0.0
        self._random = random.Random(number)

    def add(self, now_s: float, packet: int) -> None:
        """Take a packet; it leaves after those that came before."""
        varied_s = self.delay_s + self._random.uniform(-self.jitter_s, self.jitter_s)
        self._last_s = max(self._last_s, now_s + max(0.0, varied_s))
        self.packets.append((self._last_s, packet))

    def release(self, until_s: float) -> None:
        """Let in what is due by then."""
        last = None
        while self.packets and self.packets[0][0] <= until_s:
            _, last = self.packets.popleft()
        if last is not None:
            with suppress(FileNotFoundError):
                self.netlink.send(let_in(self.number, last))


class _Delayer:
    def __init__(self, net_fds: Sequence[int], line: socket.socket) -> None:
        self._line, self._orders = line, Lines(line)
        self._net_fds = net_fds
        self._netlinks: dict[int, socket.socket] = {}
        self._by_descriptor: dict[int, tuple[int, socket.socket]] = {}
        self._held: dict[tuple[int, int], _Held] = {}
        self._due: list[tuple[float, tuple[int, int]]] = []
        self._poll = select.epoll()
        self._poll.register(line.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Delay until the line closes."""
        while True:
            wait_s = -1.0
            if self._due:
                wait_s = max(0.0, self._due[0][0] - time.monotonic() - _SLACK_S)
            for descriptor, _ in self._poll.poll(wait_s):
                if descriptor == self._line.fileno():
                    if not self._obey():
                        return
                else:
                    self._take_in(*self._by_descriptor[descriptor])
            self._let_go(time.monotonic() + _SLACK_S)

    def _obey(self) -> bool:
        orders = self._orders.receive()
        for order in orders or ():
            key = (order["receiver"], order["sender"])
            try:
                held = self._held.get(key) or self._queue(*key)
                held.delay_s, held.jitter_s = order["delay_ms"] / 1000, order["jitter_ms"] / 1000
                if not (held.delay_s or held.jitter_s):
                    held.release(float("inf"))
                write_line(self._line, {"done": True})
            except OSError as error:
                write_line(self._line, {"failed": str(error)})
        return orders is not None

    def _queue(self, receiver: int, sender: int) -> _Held:
        if receiver not in self._netlinks:
            setns(self._net_fds[receiver], CLONE_NEWNET)
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
            netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            netlink.connect((0, 0))
            self._netlinks[receiver] = netlink
            self._by_descriptor[netlink.fileno()] = (receiver, netlink)
        netlink = self._netlinks[receiver]
        bind(netlink, sender)
        with suppress(ValueError, FileExistsError):
            self._poll.register(netlink.fileno(), select.EPOLLIN)
        held = self._held[receiver, sender] = _Held(netlink, sender)
        return held

    def _take_in(self, receiver: int, netlink: socket.socket) -> None:
        now_s = time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                datagram = netlink.recv(LARGEST_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:  # more came than it could keep: those are lost, as in a full queue
                continue
            packet = packet_of(datagram)
            if packet and (held := self._held.get((receiver, packet[0]))):
                held.add(now_s, packet[1])
                if len(held.packets) == 1:
                    heapq.heappush(self._due, (held.packets[0][0], (receiver, packet[0])))

    def _let_go(self, until_s: float) -> None:
        while self._due and self._due[0][0] <= until_s:
            _, key = heapq.heappop(self._due)
            held = self._held[key]
            held.release(until_s)
            if held.packets:
                heapq.heappush(self._due, (held.packets[0][0], key))


def delay(net_fds: Sequence[int], line: socket.socket) -> None:
    """Obey orders {receiver, sender, delay_ms, jitter_ms} from `line` until it closes.

    Each is answered {"done": true}, or {"failed": why}. Without delay and jitter what is held of
    that link is let in at once. `net_fds` are the receivers' namespaces; this process enters them.
    """
    _Delayer(net_fds, line).run()
