"""Delay packets in a process of ours, for kernels without netem.

A firewall rule at the receiver's input hands a link's packets to an NFQUEUE, numbered by the
sender. The delay process holds back their verdicts: it learns a packet's number, never its bytes,
and accepts the packet when its delay has passed. It does nothing else, so that it is on time: to
half a millisecond, or later where no core is free.

Three parts, top down: `DelayProcess` is the holder's handle, which starts the process and orders
delays; `_Delayer` is the loop of that process; `DelayQueue` is the pure queue of one link.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from prisam_p2p.netns.nfqueue import LARGEST_DATAGRAM, accept_up_to, open_queues, packet_of
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.setns import CLONE_NEWNET, setns

_SLACK_S = 0.0005
"""epoll waits in whole milliseconds, so packets due within half of one are released."""

_DATAGRAMS_PER_TURN = 256

_Link = tuple[int, int]  # receiver, sender


class DelayProcess:
    """The holder's end of the delay process, which starts with the first link that has a delay.

    Args:
        net_fds: descriptors of the network namespaces of the peers on this host, by index.
        n_peers: of the whole network.

    Attributes:
        pid: of the delay process; None before it starts.
    """

    def __init__(self, net_fds: Mapping[int, int], n_peers: int) -> None:
        self._net_fds, self._n_peers = net_fds, n_peers
        self.pid: int | None = None
        self._answers: JsonLines | None = None

    def set(self, sender: int, receiver: int, state: LinkState) -> None:
        """Give a link the delay and jitter of `state`; without both, release what is held.

        Raises:
            OSError: the kernel refused.
        """
        self._answers = self._answers or self._start()
        times = {"delay_ms": state.delay_ms, "jitter_ms": state.jitter_ms}
        write_line(self._answers.line, {"sender": sender, "receiver": receiver, **times})
        (answer,) = self._answers.receive() or [{"failed": "the delay process ended"}]
        if "failed" in answer:
            raise OSError(answer["failed"])

    def _start(self) -> JsonLines:
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ours.close()
                die_with_parent()
                _Delayer(self._net_fds, self._n_peers, theirs).run()
            finally:
                os._exit(0)
        theirs.close()
        return JsonLines(ours)


class _Delayer:
    """The loop of the delay process; it enters the receivers' namespaces.

    It obeys the orders {receiver, sender, delay_ms, jitter_ms} of `line` until that closes, and
    answers each by {"done": true} or {"failed": why}.
    """

    def __init__(self, net_fds: Mapping[int, int], n_peers: int, line: socket.socket) -> None:
        self._line, self._orders = line, JsonLines(line)
        self._net_fds, self._n_peers = net_fds, n_peers
        self._netlinks: dict[int, socket.socket] = {}
        self._receivers: dict[int, int] = {}  # by descriptor
        self._queues: dict[_Link, DelayQueue] = {}
        self._due: list[tuple[float, _Link]] = []  # a heap: one entry per queue with packets
        self._poll = select.epoll()
        self._poll.register(line.fileno(), select.EPOLLIN)

    def run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll(self._timeout_s()):
                if descriptor in self._receivers:
                    self._queue_packets(self._receivers[descriptor])
                elif not self._obey():
                    return
            self._release_due(time.monotonic() + _SLACK_S)

    def _timeout_s(self) -> float:
        """Return the time until the first packet is due; negative, to wait forever, without one."""
        return max(0.0, self._due[0][0] - time.monotonic() - _SLACK_S) if self._due else -1.0

    def _obey(self) -> bool:
        orders = self._orders.receive()
        for order in orders or ():
            link = (order["receiver"], order["sender"])
            try:
                self._set(link, order["delay_ms"] / 1000, order["jitter_ms"] / 1000)
                write_line(self._line, {"done": True})
            except OSError as error:
                write_line(self._line, {"failed": str(error)})
        return orders is not None

    def _set(self, link: _Link, delay_s: float, jitter_s: float) -> None:
        receiver, sender = link
        self._open(receiver)
        queue = self._queues.setdefault(link, DelayQueue(seed=sender))
        queue.delay_s, queue.jitter_s = delay_s, jitter_s
        if not (delay_s or jitter_s):
            self._release(link, float("inf"))

    def _open(self, receiver: int) -> None:
        if receiver in self._netlinks:
            return
        setns(self._net_fds[receiver], CLONE_NEWNET)
        netlink = open_queues([i for i in range(self._n_peers) if i != receiver])
        self._netlinks[receiver] = netlink
        self._receivers[netlink.fileno()] = receiver
        self._poll.register(netlink.fileno(), select.EPOLLIN)

    def _queue_packets(self, receiver: int) -> None:
        netlink, now_s = self._netlinks[receiver], time.monotonic()
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                datagram = netlink.recv(LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: the socket's buffer overflowed and the kernel dropped some
                continue
            if packet := packet_of(datagram):
                sender, number = packet
                queue = self._queues[receiver, sender]
                was_empty = queue.next_s is None
                queue.add(now_s, number)
                if was_empty:
                    heapq.heappush(self._due, (queue.next_s or now_s, (receiver, sender)))

    def _release_due(self, until_s: float) -> None:
        while self._due and self._due[0][0] <= until_s:
            _, link = heapq.heappop(self._due)
            self._release(link, until_s)
            if (next_s := self._queues[link].next_s) is not None:
                heapq.heappush(self._due, (next_s, link))

    def _release(self, link: _Link, until_s: float) -> None:
        receiver, sender = link
        last = self._queues[link].release(until_s)
        if last is not None:
            with suppress(OSError):  # the namespace's interface is gone, and its packets with it
                self._netlinks[receiver].send(accept_up_to(sender, last))


class DelayQueue:
    """The packets of one link that are held back, by number, oldest first.

    Packets never overtake each other, whatever the jitter.

    Args:
        seed: of the jitter.

    Attributes:
        delay_s, jitter_s: of the packets added from now on; the jitter is uniform to both sides.
    """

    def __init__(self, seed: int) -> None:
        self.delay_s = self.jitter_s = 0.0
        self._packets: deque[tuple[float, int]] = deque()
        self._last_s = 0.0
        self._random = random.Random(seed)

    @property
    def next_s(self) -> float | None:
        """When the oldest packet is due, on the clock of `add`; None without packets."""
        return self._packets[0][0] if self._packets else None

    def add(self, now_s: float, packet: int) -> None:
        """Add a packet that arrived now."""
        varied_s = self.delay_s + self._random.uniform(-self.jitter_s, self.jitter_s)
        self._last_s = max(self._last_s, now_s + max(0.0, varied_s))
        self._packets.append((self._last_s, packet))

    def release(self, until_s: float) -> int | None:
        """Remove the packets due by `until_s`; return the last one's number, None if none is."""
        last = None
        while self._packets and self._packets[0][0] <= until_s:
            _, last = self._packets.popleft()
        if not self._packets:
            self._last_s = 0.0
        return last
