"""The launcher's lines with all agents of a run: who is up, what is sent, and who is lost.

Nothing here runs by itself: `look` is called as long as the agents live, so that the requests for
their leases are answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from prisam_p2p.errors import ControlError, LaunchError, ResourceError
from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.hosts.codec import decode_report, encode
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.hosts.lease import HostLeases
from prisam_p2p.hosts.messages import AgentUp, HostOrder, HostReport, Refused, Renew, Renewed
from prisam_p2p.hosts.outbox import Frames, Outbox
from prisam_p2p.measure import records
from prisam_p2p.plan.placement import HostOffer
from prisam_p2p.processes.engine import HostLoss
from prisam_p2p.processes.watched_time import WatchedTime
from prisam_p2p.transport.curve_line import LineServer

_ASK_ENGINE_EVERY_S = 0.2

TakeIn = Callable[[str, HostReport, bytes], None]
"""Called with a host, what its agent reports, and the bytes that follow."""


class HostLines:
    """Starts agents, and talks with them.

    Args:
        take_in: gets every report but those that are answered here.

    Attributes:
        up: host -> what its agent has found there.
        clocks: host -> what is known of its clock, as its agent said last.
    """

    def __init__(
        self, engine: HostEngine, hosts: Sequence[HostOffer], lease_s: float, take_in: TakeIn
    ) -> None:
        now_s = time.monotonic()
        self._engine, self._take_in = engine, take_in
        self._offers = {host.name: host for host in hosts}
        self._server = LineServer(engine.launcher_address(), list(self._offers))
        self._outboxes = {name: Outbox() for name in self._offers}
        self._leases, self._begun = HostLeases(lease_s, now_s), set[str]()
        self._time = WatchedTime(now_s)
        self._heard_s: dict[str, float] = {}
        self._asked_engine_s = 0.0
        self._ended: set[str] = set()
        self.up: dict[str, AgentUp] = {}
        self.clocks: dict[str, ClockOffset] = {}
        self._losses: list[HostLoss] = []

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when an agent has said something."""
        return self._server.fileno()

    @property
    def have_begun(self) -> bool:
        """Whether the leases have begun."""
        return bool(self._begun)

    @property
    def left(self) -> list[str]:
        """The hosts whose agents have neither ended nor been lost."""
        return [h for h in self._offers if not (h in self._ended or self._leases.is_lost(h))]

    def is_lost(self, host: str) -> bool:
        """Tell whether a host is counted as lost."""
        return self._leases.is_lost(host)

    def silent_s(self, host: str) -> float:
        """Return for how long nothing was heard of a host, in watched time."""
        return self._time.passed_s - self._heard_s.get(host, 0.0)

    def start(self) -> None:
        """Start the agents; `up` tells which have reported.

        Raises:
            LaunchError: the engine does not give these hosts.
        """
        address = f"{self._engine.launcher_address()}:{self._server.port}"
        arguments = ["--launcher", address, "--launcher-key", self._server.public_key]
        self._engine.start(list(self._offers.values()), arguments)

    def begin_leases(self) -> None:
        """From now on a host that is not heard for a lease is lost, and does not end the run."""
        for host in self._offers:
            self._begun.add(host)
            self._leases.begin(host, time.monotonic())

    def tell(self, host: str, order: HostOrder, data: bytes = b"") -> None:
        """Send an order, now or when the line takes it; to a host that is lost, nothing."""
        self.tell_all_of(host, iter([encode(order, data)]))

    def tell_all_of(self, host: str, messages: Iterator[Frames]) -> None:
        """Send messages one after the other, each read when the one before was taken."""
        if not self._leases.is_lost(host):
            self._outboxes[host].add(messages)
            self._flush()

    def look(self) -> None:
        """Take in what the agents have reported, and send what waits; never waits.

        Raises:
            LaunchError: an agent said what is no report, or ended before the leases began.
            ResourceError: the system refused an agent something before they did.
        """
        while True:
            self._flush()  # the last one before `receive` finds nothing, so that `fileno` tells
            heard = self._server.receive()
            if heard is None:
                break
            self._hear(*heard)
        now_s = time.monotonic()
        self._time.look(now_s)
        self._ask_engine(now_s)
        for loss in self._leases.look(now_s):
            self._server.shut_out(loss.host)
            self._outboxes[loss.host].clear()
            self._losses.append(loss)

    def rest(self, timeout_s: float) -> None:
        """Wait until an agent says something, at most `timeout_s`."""
        self._server.wait(timeout_s)

    def lose(self, host: str, reason: str) -> None:
        """Count a host as lost."""
        if host in self._begun:
            self._leases.lose(host, reason, time.monotonic())
        else:
            raise LaunchError(f"agent of {self._named(host)}", reason)

    def take_losses(self) -> list[HostLoss]:
        """Return the hosts that were lost since the last call."""
        new, self._losses = self._losses, []
        return new

    def note_end(self, host: str) -> None:
        """An agent has done all that it was to do; its end is no loss."""
        self._ended.add(host)

    def up_records(self) -> list[records.HostUp]:
        """Return what the agents have found, for the journal."""
        return [
            records.HostUp(
                host, up.node, offer.address, up.pid, up.cores, up.memory_mib,
                list(up.gpus), up.mtu, up.kernel, up.facts,
            )
            for host, offer in self._offers.items()
            if (up := self.up.get(host))
        ]  # fmt: skip

    def line_records(self) -> list[records.HostLine]:
        """Return how many bytes the messages of each line had, for the journal."""
        return [
            records.HostLine(host, each.sent, each.received)
            for host, each in self._server.bytes.items()
        ]

    def stranger_records(self) -> list[records.Turned]:
        """Return who was refused at the lines, and how often, for the journal."""
        return [
            records.Turned(each.address, each.verdict, each.reason, count)
            for each, count in self._server.strangers.items()
        ]

    def close(self) -> None:
        """Close the lines, and end the agents that are left."""
        try:
            self._server.close()
        finally:
            self._engine.close()

    # ------------------------------------------------------------------------------------

    def _flush(self) -> None:
        for host, outbox in self._outboxes.items():
            if outbox:
                outbox.send(lambda frames, host=host: self._server.send(host, frames))  # type: ignore[misc]

    def _hear(self, host: str, frames: Frames) -> None:
        heard_s = time.monotonic()
        if self._leases.is_lost(host):
            return
        self._heard_s[host] = self._time.look(heard_s)
        try:
            report, data = decode_report(frames)
            match report:
                case Renew():
                    self._renew(host, report, heard_s)
                case AgentUp():
                    self.up.setdefault(host, report)
                case Refused(what, reason, to_do):
                    self._refuse(host, ResourceError(f"{host}: {what}", reason, to_do))
                case _:
                    self._take_in(host, report, data)
        except ControlError as error:
            raise LaunchError(f"agent of {host}", f"it sent a wrong message: {error}") from None

    def _renew(self, host: str, asked: Renew, heard_s: float) -> None:
        """Answer; before its lease has begun, an agent learns of the clock alone."""
        if asked.offset_s is not None and asked.bound_s is not None:
            self.clocks[host] = ClockOffset(asked.offset_s, asked.bound_s)
        if host not in self._begun or self._leases.renew(host, heard_s, asked.bound_s):
            self._outboxes[host].add_urgent(encode(Renewed(asked.renewal, heard_s)))

    def _refuse(self, host: str, error: ResourceError) -> None:
        if host not in self._begun:
            raise error
        self._leases.lose(host, str(error), time.monotonic())

    def _ask_engine(self, now_s: float) -> None:
        """Let agents in whose keys are known by now, and lose those that have ended."""
        if now_s - self._asked_engine_s < _ASK_ENGINE_EVERY_S and self.up.keys() == {*self._offers}:
            return
        self._asked_engine_s = now_s
        for hello in self._engine.hellos():
            if hello.host in self._offers:
                self._server.admit(hello.host, hello.public_key)
        for host, why in self._engine.lost():
            if host in self._offers and host not in self._ended:
                self.lose(host, why)

    def _named(self, host: str) -> str:
        return f"{host} ({self._offers[host].node})"
