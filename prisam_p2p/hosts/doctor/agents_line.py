"""The agents that doctor starts: their reports, their clocks, and what their probes answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from prisam_p2p.errors import ControlError, LaunchError
from prisam_p2p.hosts.codec import decode_report, encode
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.hosts.messages import (
    AgentEnded,
    AgentUp,
    EndRun,
    HostOrder,
    HostReport,
    ProbeBytes,
    Refused,
    Renew,
    Renewed,
)
from prisam_p2p.plan.host_room import HostOffer
from prisam_p2p.transport.curve_line import LineServer

_TURN_S = 0.05
_UP_S = 90.0
_ANSWER_S = 90.0
_END_S = 5.0
_SENT_S = 10.0
_MEMORY_MIB = 512


class AgentsLine:
    """Starts an agent on each host, which takes one core of it, and all GPUs.

    Args:
        hosts: as the engine offers them.

    Attributes:
        up: host -> the first report of its agent.
        bounds_s: host -> within which its clock is known.

    Raises:
        LaunchError: the engine does not give the hosts, or an agent is not there in time.
    """

    def __init__(self, engine: HostEngine, hosts: Sequence[HostOffer]) -> None:
        self._engine, self._names = engine, [each.name for each in hosts]
        self.up: dict[str, AgentUp] = {}
        self.bounds_s: dict[str, float] = {}
        self._ended: set[str] = set()
        self._text = dict.fromkeys(self._names, b"")
        self._answers: dict[str, list[dict[str, Any]]] = {name: [] for name in self._names}
        address = engine.launcher_address()
        self._line = LineServer(address, self._names)
        at = f"[{address}]" if ":" in address else address
        arguments = ["--launcher", f"{at}:{self._line.port}"]
        arguments += ["--launcher-key", self._line.public_key]
        try:
            engine.start([_asked_for(each) for each in hosts], arguments)
            self._await(lambda: set(self._names) - set(self.up), _UP_S, "said no hello")
        except BaseException:
            self._line.close()
            raise

    def ask(self, orders: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
        """Send orders to the probes on some hosts; return host -> their answers, in this order.

        Raises:
            LaunchError: one did not answer in time, or ended.
        """
        for host, each in orders.items():
            text = "".join(json.dumps(order) + "\n" for order in each)
            self._send(host, ProbeBytes(), text.encode())

        def missing() -> set[str]:
            return {host for host, each in orders.items() if len(self._answers[host]) < len(each)}

        self._await(missing, _ANSWER_S, "did not answer")
        found = {host: self._answers[host] for host in orders}
        self._answers |= {host: [] for host in orders}
        return found

    def await_clocks(self) -> None:
        """Wait until the clocks of all hosts are known."""
        self._await(lambda: set(self._names) - set(self.bounds_s), _ANSWER_S, "told no clock")

    def close(self) -> None:
        """End the agents: those that can be reached in order, the others with their engine."""
        try:
            for host in self._names:
                self._send(host, EndRun())
            self._await(lambda: set(self._names) - self._ended, _END_S, "did not end")
        except LaunchError:
            pass  # the engine ends it
        finally:
            self._line.close()

    def _await(self, missing: Callable[[], Collection[str]], timeout_s: float, what: str) -> None:
        """Listen until nobody is missing.

        Raises:
            LaunchError: somebody is, after this time, or has ended.
        """
        deadline_s = time.monotonic() + timeout_s
        while hosts := missing():
            if time.monotonic() > deadline_s:
                who = ", ".join(sorted(hosts))
                raise LaunchError(f"the agent of {who}", f"it {what} within {timeout_s:g} s")
            self._turn()

    def _turn(self) -> None:
        for hello in self._engine.hellos():
            self._line.admit(hello.host, hello.public_key)
        for host, why in self._engine.lost():
            if host not in self._ended:
                raise LaunchError(f"the agent of {host}", why)
        self._line.wait(_TURN_S)
        while (received := self._line.receive()) is not None:
            host, frames = received
            try:
                self._take(host, *decode_report(frames))
            except ControlError as error:
                raise LaunchError(f"the agent of {host}", f"it sent no report: {error}") from None

    def _take(self, host: str, report: HostReport, data: bytes) -> None:
        match report:
            case AgentUp():
                self.up[host] = report
            case Renew(renewal, _, bound_s):
                self._send(host, Renewed(renewal, time.monotonic()))
                if bound_s is not None:
                    self.bounds_s[host] = bound_s
            case ProbeBytes():
                self._take_text(host, data)
            case Refused(what, reason, to_do):
                raise LaunchError(f"the agent of {host}", f"{what}: {reason}; {to_do}")
            case AgentEnded():
                self._ended.add(host)

    def _take_text(self, host: str, data: bytes) -> None:
        if not data:
            raise LaunchError(f"the probe of {host}", "it ended; its agent's log says why")
        *lines, self._text[host] = (self._text[host] + data).split(b"\n")
        self._answers[host] += [json.loads(line) for line in lines]

    def _send(self, host: str, order: HostOrder, data: bytes = b"") -> None:
        """Send an order, waiting for room where too many wait to be sent."""
        deadline_s = time.monotonic() + _SENT_S
        while not self._line.send(host, encode(order, data)):
            if time.monotonic() > deadline_s:
                raise LaunchError(f"the agent of {host}", f"it takes nothing for {_SENT_S:g} s")
            self._line.wait(_TURN_S)


def _asked_for(host: HostOffer) -> HostOffer:
    """Return what doctor asks for of a host: little, but all GPUs, which are else not seen."""
    return replace(host, cores=1, memory_mib=min(host.memory_mib, _MEMORY_MIB))
