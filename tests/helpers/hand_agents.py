"""Agents that a test plays by hand, over the real line: they start no process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from prisam_p2p.hosts import messages
from prisam_p2p.hosts.codec import decode_order, encode
from prisam_p2p.hosts.engines.interface import AgentHello
from prisam_p2p.hosts.messages import HostOrder, HostReport
from prisam_p2p.plan.placement import HostOffer
from prisam_p2p.transport.curve_line import LineClient


class HandAgent:
    """An agent.

    Attributes:
        told: orders that it was given, but for parts of files and answers to `Renew`.
        files: path -> the bytes that it was sent.
        answers: order -> what it reports at once; nothing for orders that are absent.
        is_mute: whether it takes no order and asks for no lease.
    """

    def __init__(self, host: str) -> None:
        self.host, self.line = host, LineClient()
        self.told: list[HostOrder] = []
        self.files: dict[str, bytes] = {}
        self.answers = {
            messages.Prepare: lambda _: [messages.HostPrepared()],
            messages.MakeKeys: lambda order: [
                messages.KeysMade({peer: f"key of {peer} at {host}" for peer in order.peers})
            ],
            messages.StartProcess: lambda order: [
                messages.ProcessStarted(order.number, 1000 + order.number)
            ],
            messages.EndRun: lambda _: [messages.AgentEnded()],
        }
        self.is_mute = self.is_connected = False
        self._renewals = self._answered = 0

    def report(self, report: HostReport, data: bytes = b"") -> None:
        """Send a report."""
        assert self.line.send(encode(report, data))

    def turn(self) -> None:
        """Obey what has come, and ask for the lease."""
        if self.is_mute or not self.is_connected:
            return
        if self._renewals == self._answered:
            self._renewals += 1
            self.report(messages.Renew(self._renewals, 0.25, 0.001))
        while (frames := self.line.receive()) is not None:
            order, data = decode_order(frames)
            if isinstance(order, messages.FileForHost):
                self.files[order.path] = self.files.get(order.path, b"") + data
                continue
            if isinstance(order, messages.Renewed):
                self._answered = order.renewal
                continue
            self.told.append(order)
            for answer in self.answers.get(type(order), lambda _: [])(order):
                self.report(answer)

    def of_kind(self, kind: type[HostOrder]) -> list[HostOrder]:
        """Return the orders of a kind that it was given."""
        return [order for order in self.told if type(order) is kind]


class HandHostEngine:
    """An engine of hosts (HostEngine) whose agents are played by hand.

    Attributes:
        gone: (host, why) that it tells next.
        silent: hosts whose agents never say hello.
        closed: whether it was closed.
    """

    name = "by hand"

    def __init__(self, hosts: Sequence[str]) -> None:
        self.agents = {host: HandAgent(host) for host in hosts}
        self.gone: list[tuple[str, str]] = []
        self.silent: set[str] = set()
        self.closed = False
        self._hellos: list[AgentHello] = []

    def offers(self) -> list[HostOffer]:
        """See HostEngine."""
        return [
            HostOffer(host, f"node-{host}", f"127.77.9.{index}", 2, 1000)
            for index, host in enumerate(self.agents, 1)
        ]

    def launcher_address(self) -> str:
        """See HostEngine."""
        return "127.0.0.1"

    def start(self, hosts: Sequence[HostOffer], arguments: Sequence[str]) -> None:
        """See HostEngine."""
        given = dict(zip(arguments[::2], arguments[1::2], strict=True))
        address, port = given["--launcher"].split(":")
        for host in hosts:
            if host.name in self.silent:
                continue
            line = self.agents[host.name].line
            self._hellos.append(AgentHello(host.name, line.public_key))
            line.connect(address, int(port), given["--launcher-key"])
            self.agents[host.name].is_connected = True
            self.agents[host.name].report(
                messages.AgentUp(host.name, host.node, 7, 2, 1000, ("0", "1"), 1500, "", {})
            )

    def hellos(self) -> list[AgentHello]:
        """See HostEngine."""
        new, self._hellos = self._hellos, []
        return new

    def lost(self) -> list[tuple[str, str]]:
        """See HostEngine."""
        gone, self.gone = self.gone, []
        return gone

    def turn(self) -> None:
        """Let all agents do what is due."""
        for agent in self.agents.values():
            agent.turn()

    def close(self) -> None:
        """See HostEngine."""
        self.closed = True
        for agent in self.agents.values():
            with suppress(Exception):
                agent.line.close()
