"""Processes of peers on several hosts: an engine (processes/engine.py) over the hosts' agents.

docs/decisions/0043-one-engine-for-all-hosts.md.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from typing import assert_never

from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.errors import ControlError, LaunchError
from prisam_p2p.hosts import messages
from prisam_p2p.hosts.agents_of_run import AgentsOfRun
from prisam_p2p.hosts.messages import HostReport
from prisam_p2p.hosts.remote_acts import RemoteProcessActs
from prisam_p2p.hosts.remote_lines import RemoteLines
from prisam_p2p.hosts.remote_samples import RemoteSamples
from prisam_p2p.processes.engine import ProcessExit, StartedProcess, Trouble
from prisam_p2p.processes.sampling import Sample
from prisam_p2p.processes.watched_time import WatchedTime

OfProcess = (
    messages.ProcessStarted
    | messages.StartRefused
    | messages.LineBytes
    | messages.LineClosed
    | messages.ProcessExited
    | messages.ProcessStopped
    | messages.ActDone
)


class RemoteEngine:
    """Starts processes by agents. See Engine.

    Args:
        agents: of the hosts; `close` ends the run there.
        stall_timeout_s: an agent that does not answer an order to start for this long ends the run.

    Attributes:
        acts: see Engine.
    """

    def __init__(self, agents: AgentsOfRun, stall_timeout_s: float) -> None:
        self._agents, self._stall_timeout_s = agents, stall_timeout_s
        self._selector = selectors.DefaultSelector()
        self._selector.register(agents.fileno(), selectors.EVENT_READ, None)
        self._watched_by = self._selector.fileno()
        self._far = RemoteLines(self._selector, self._send_bytes)
        self._hosts: dict[int, str] = {}  # of processes that have not ended
        self._started: dict[int, int | OSError] = {}
        self._exits: list[ProcessExit] = []
        self._samples = RemoteSamples(time.monotonic())
        self._numbers = 0
        self._closed = False
        self.acts = RemoteProcessActs(self._tell_host_of)
        agents.look, agents.take_in, agents.on_loss = self._look, self._take_in, self._lose

    @property
    def on_wait(self) -> Callable[[], object]:
        """See Engine."""
        return self._agents.on_wait

    @on_wait.setter
    def on_wait(self, look: Callable[[], object]) -> None:
        self._agents.on_wait = look

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> StartedProcess:
        """See Engine: it waits for the host's answer."""
        host = self._agents.host_of(spec.peer_id)
        self._numbers += 1
        number, line = self._numbers, self._far.open(self._numbers)
        try:
            self._hosts[number] = host
            texts = spec.model_dump_json(), incarnation.model_dump_json()
            gpu = self._agents.visible_gpus(spec.peer_id)
            self._agents.tell(host, messages.StartProcess(number, *texts, gpu))
            waited = WatchedTime(time.monotonic())
            while (answer := self._started.pop(number, None)) is None:
                if waited.look(time.monotonic()) > self._stall_timeout_s:
                    reason = f"did not start {spec.peer_id} within {self._stall_timeout_s:g} s"
                    raise LaunchError(f"agent of {host}", f"{reason} (--stall-timeout-s)")
                self._agents.wait_once()
                self._agents.check_there(host)
            if isinstance(answer, OSError):
                raise answer
        except BaseException:
            self._forget(number)
            line.line.close()
            raise
        return StartedProcess(number, answer, line, host)

    def exits(self) -> list[ProcessExit]:
        """See Engine."""
        self._look()
        ended, self._exits = self._exits, []
        return ended

    def samples(self) -> list[Sample] | None:
        """See Engine."""
        return self._samples.take(self._hosts.values(), time.monotonic())

    def trouble(self) -> Trouble | None:
        """See Engine."""
        return self._agents.trouble()

    def signal(self, number: int, signum: int) -> None:
        """See Engine."""
        if host := self._hosts.get(number):
            self._agents.tell(host, messages.SignalProcess(number, int(signum)))

    def watch(self, selector: selectors.BaseSelector) -> None:
        """See Engine."""
        selector.register(self._watched_by, selectors.EVENT_READ, None)

    def close(self) -> None:
        """See Engine: end the run on all hosts, take in what they still send, free the hosts."""
        if self._closed:
            return
        self._closed = True
        try:
            self._far.close_all()
            self._agents.end_run()
        finally:
            self._agents.close()
            self._selector.close()

    # ------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take in what agents and peers have said, and pass it on."""
        self._far.pump()
        self._agents.look_at_lines()
        self._far.flush()

    def _lose(self, host: str) -> None:
        for number in [n for n, its_host in self._hosts.items() if its_host == host]:
            self._forget(number)

    def _take_in(self, host: str, report: HostReport, data: bytes) -> None:
        match report:
            case messages.Samples(rows):
                self._samples.add(host, [row for row in rows if self._hosts.get(row[0]) == host])
            case (
                messages.ProcessStarted()
                | messages.StartRefused()
                | messages.LineBytes()
                | messages.LineClosed()
                | messages.ProcessExited()
                | messages.ProcessStopped()
                | messages.ActDone()
            ):
                if self._hosts.get(report.number) == host:  # else it was given up
                    self._take_in_of(report, data)
            case _:
                raise ControlError(f"{type(report).__name__}: not expected in a run")

    def _take_in_of(self, report: OfProcess, data: bytes) -> None:
        number = report.number
        match report:
            case messages.ProcessStarted(_, pid):
                self._started[number] = pid
            case messages.StartRefused(_, errno):
                self._started[number] = OSError(errno, os.strerror(errno))
            case messages.LineBytes():
                self._far.write(number, data)
            case messages.LineClosed():
                self._far.end(number)
            case messages.ProcessExited(_, code):
                self._exits.append(ProcessExit(number, code))
                self._far.end(number)
                self.acts.note_exit(number)
                del self._hosts[number]
            case messages.ProcessStopped():
                self.acts.note_stopped(report)
            case messages.ActDone():
                self.acts.note_done(report)
            case _:
                assert_never(report)

    def _send_bytes(self, number: int, data: bytes) -> None:
        if host := self._hosts.get(number):
            order = messages.LineBytes(number) if data else messages.LineClosed(number)
            self._agents.tell(host, order, data)

    def _tell_host_of(self, order: messages.ActOn) -> None:
        if host := self._hosts.get(order.number):
            self._agents.tell(host, order)

    def _forget(self, number: int) -> None:
        self._hosts.pop(number, None)
        self._started.pop(number, None)
        self._far.close(number)
        self.acts.note_exit(number)
