"""The processes of peers on a host, for a launcher on another: orders in, reports out.

The launcher names a process by a number of its own, and says with what it is to be started; what
is of this host (descriptors, folder, epoch, cores, secret key) is filled in here. Its control line
ends here, too: what comes on it is passed on as bytes, unread.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.hosts.gpus import VISIBLE
from prisam_p2p.hosts.messages import (
    ActDone,
    ActOn,
    AgentTrouble,
    HostReport,
    KeysMade,
    LineBytes,
    LineClosed,
    ProcessExited,
    ProcessStarted,
    ProcessStopped,
    Samples,
    SignalProcess,
    StartProcess,
    StartRefused,
)
from prisam_p2p.processes.engine import Trouble
from prisam_p2p.processes.zygote import ZygoteEngine
from prisam_p2p.system.json_lines import LineSocket
from prisam_p2p.transport.zap import make_pair
from prisam_p2p.wire.signatures import public_key_of

_READ_BYTES = 1 << 16

Send = Callable[[HostReport, bytes], object]
"""Sends a report, and the bytes that follow it."""


@dataclass
class _HostProcess:
    """A process.

    Attributes:
        number: the launcher's.
        mine: the engine's.
        line: None = one of the two ends was closed.
        held: the last of SIGSTOP and SIGCONT that was sent to it was the first.
        stopped: what the launcher was told last.
    """

    number: int
    mine: int
    pid: int
    state_path: Path
    line: LineSocket | None
    held: bool = False
    stopped: bool = False


class HostProcesses:
    """Obeys orders about processes, and reports what becomes of them.

    Args:
        engine: forks them; it is ready.
        localized: returns a spec with what is of this host.
        send: sends reports.
    """

    def __init__(
        self,
        engine: ZygoteEngine,
        localized: Callable[[PeerSpec], PeerSpec],
        send: Send,
    ) -> None:
        self._engine, self._localized, self._send = engine, localized, send
        self._there: dict[int, _HostProcess] = {}
        self._by_mine: dict[int, _HostProcess] = {}
        self._slow: dict[int, _HostProcess] = {}  # that have not taken all that was written to them
        self._told_of: dict[int, _HostProcess] = {}  # the launcher is told whether it is stopped
        self._secrets: dict[str, SecretStr] = {}
        self._trouble = AgentTrouble("", "", 0.0)

    @property
    def acts_go_on(self) -> bool:
        """Whether something that was begun has to be looked at many times a second."""
        waits = any(each.stopped != each.held for each in self._told_of.values())
        return waits or self._engine.acts.goes_on

    def make_keys(self, peers: Sequence[str], sign: bool = False) -> None:
        """Make a new pair for each peer, and report the public keys.

        Args:
            sign: also report the keys that the peers' signatures are checked by.
        """
        pairs = {peer: make_pair() for peer in peers}
        secrets = {peer: secret for peer, (_, secret) in pairs.items()}
        self._secrets |= secrets
        public = {peer: own for peer, (own, _) in pairs.items()}
        signing = {
            peer: public_key_of(secret.get_secret_value())
            for peer, secret in (secrets.items() if sign else ())
        }
        self._send(KeysMade(public, signing), b"")

    def start(self, order: StartProcess, selector: selectors.BaseSelector) -> None:
        """Start a process, and have its line watched.

        Raises:
            LaunchError: what forks has ended, or stood still for too long.
        """
        spec = self._with_secret(self._localized(PeerSpec.model_validate_json(order.spec)))
        incarnation = Incarnation.model_validate_json(order.incarnation)
        environment = {VISIBLE: order.gpu or ""}  # before CUDA starts, as forks have none
        try:
            started = self._engine.start(spec, incarnation, environment)
        except OSError as error:
            self._send(StartRefused(order.number, error.errno or 0), b"")
            return
        started.line.line.setblocking(False)
        process = _HostProcess(
            order.number, started.number, started.pid, spec.state_path, started.line
        )
        self._there[order.number] = self._by_mine[started.number] = process
        selector.register(started.line.line, selectors.EVENT_READ, process)
        self._send(ProcessStarted(order.number, started.pid), b"")

    def pump(self, process: object, selector: selectors.BaseSelector) -> None:
        """Pass on what a process has written on its control line."""
        assert isinstance(process, _HostProcess)
        while process.line:
            try:
                data = process.line.line.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if data:
                self._send(LineBytes(process.number), data)
            else:
                self._close_line(process, selector)
                self._send(LineClosed(process.number), b"")

    def write(self, number: int, data: bytes) -> None:
        """Write to the control line of a process, now or once it takes it."""
        if (process := self._there.get(number)) and process.line:
            process.line.send_line(data)
            self._slow[number] = process

    def close_line(self, number: int, selector: selectors.BaseSelector) -> None:
        """Close the control line of a process, which ends it."""
        if process := self._there.get(number):
            self._close_line(process, selector)

    def signal(self, order: SignalProcess) -> None:
        """Signal a process."""
        if process := self._there.get(order.number):
            if order.signal in (signal.SIGSTOP, signal.SIGCONT):
                process.held = order.signal == signal.SIGSTOP
                self._told_of[order.number] = process
            self._engine.signal(process.mine, order.signal)

    def act(self, order: ActOn) -> None:
        """Do, or undo, what a fault does to a process."""
        process = self._there.get(order.number)
        if process is None:
            return
        acts, mine, evidence = self._engine.acts, process.mine, {}
        match order.act:
            case "limit-memory":
                acts.limit_memory(mine, order.value)
                if (limit_mib := acts.memory_limit(mine)) is not None:
                    evidence = {"limit_mib": limit_mib}
            case "lift-memory-limit":
                acts.lift_memory_limit(mine)
            case "throttle":
                acts.throttle(mine, order.value)
            case "end-throttle":
                self._tell_throttled(process)
                return
            case "refuse-state":
                acts.refuse_state(mine, process.state_path)
            case "accept-state":
                acts.accept_state(mine)
        self._send(ActDone(order.number, order.act, evidence), b"")

    def look(self, now_s: float, selector: selectors.BaseSelector) -> None:
        """Report what has happened to the processes since the last look.

        Raises:
            LaunchError: what forks has ended, or stood still for too long.
        """
        self._engine.acts.look(now_s)
        for process in list(self._slow.values()):
            self._flush(process)
        for process in self._told_of.values():
            self._tell_stopped(process)
        for gone in self._engine.exits():
            process = self._by_mine.pop(gone.number)
            self.pump(process, selector)  # its last reports come before its end
            self._told_of.pop(process.number, None)
            self._tell_throttled(process)  # its end may be what ends the fault
            self._send(ProcessExited(process.number, gone.code), b"")
        self._tell_samples()
        self._tell_trouble()

    def pids(self) -> list[int]:
        """Return the pids of the processes that are there."""
        return [process.pid for process in self._by_mine.values()]

    def kill(self) -> None:
        """Send SIGKILL to all, waiting for nothing."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _with_secret(self, spec: PeerSpec) -> PeerSpec:
        if spec.keys is None:
            return spec
        keys = spec.keys.model_copy(update={"secret": self._secrets[spec.peer_id]})
        return spec.model_copy(update={"keys": keys})

    def _close_line(self, process: _HostProcess, selector: selectors.BaseSelector) -> None:
        if process.line:
            selector.unregister(process.line.line)
            process.line.line.close()
            process.line = None

    def _flush(self, process: _HostProcess) -> None:
        if process.line:
            process.line.flush()
        if not (process.line and process.line.has_unsent):
            del self._slow[process.number]

    def _tell_stopped(self, process: _HostProcess) -> None:
        stopped = self._engine.acts.is_stopped(process.mine)
        if stopped != process.stopped:
            process.stopped = stopped
            self._send(ProcessStopped(process.number, stopped), b"")

    def _tell_throttled(self, process: _HostProcess) -> None:
        """End the throttle of a process, if it has one; report for how long that suspended it."""
        acts = self._engine.acts
        acts.end_throttle(process.mine)
        if found := acts.throttled(process.mine):
            evidence = {"watched_s": found.watched_s, "suspended_s": found.suspended_s}
            self._send(ActDone(process.number, "end-throttle", evidence), b"")

    def _tell_samples(self) -> None:
        samples = self._engine.samples()
        if samples is None:
            return
        known = [each for each in samples if each.number in self._by_mine]
        rows = [(self._by_mine[each.number].number, *each.row()[1:]) for each in known]
        self._send(Samples(tuple(rows)), b"")

    def _tell_trouble(self) -> None:
        found = self._engine.trouble() or Trouble("", "", 0.0)
        told = AgentTrouble(found.name, found.reason, float(int(found.since_s)))
        if told != self._trouble:  # a new one every second
            self._trouble = told
            self._send(told, b"")
