"""Processes of peers on several hosts: an engine (processes/engine.py) over the hosts' agents.

docs/decisions/0043-one-engine-for-all-hosts.md.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import assert_never

from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.errors import ControlError, LaunchError
from prisam_p2p.hosts import messages
from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.hosts.collection import CollectedFiles
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.hosts.files_for_hosts import code_files, data_parts, file_parts, state_files
from prisam_p2p.hosts.host_lines import HostLines
from prisam_p2p.hosts.lease import RENEWALS
from prisam_p2p.hosts.messages import HostReport
from prisam_p2p.hosts.remote_acts import RemoteProcessActs
from prisam_p2p.hosts.remote_lines import RemoteLines
from prisam_p2p.hosts.remote_links import RemoteLinks
from prisam_p2p.hosts.remote_samples import RemoteSamples
from prisam_p2p.measure import records
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.processes.engine import (
    HostGone,
    HostLoss,
    ProcessExit,
    StartedProcess,
    Trouble,
)
from prisam_p2p.processes.sampling import Sample
from prisam_p2p.processes.watched_time import WatchedTime

_UP_S, _PREPARED_S = 60.0, 180.0
"""A host imports torch from a cold disk, or from one that many hosts share."""

_ANSWER_S = 30.0
_LOOK_EVERY_S = 0.1
_SILENT_RENEWALS = 2
_ENDING_S = 60.0
"""At the end of a run, a host that sends no file for so long is given up."""


class RemoteEngine:
    """Starts agents on hosts, and processes by them. See Engine.

    Args:
        engine: gives the hosts of `plan`.
        files: takes in what the hosts send.

    Attributes:
        on_wait: see Engine.
        acts: see Engine.
        clocks: host -> what is known of its clock, as its agent said last.
        links: of a run whose peers have namespaces on the hosts.
        waiting: which hosts are waited for, in words; "" = none.
    """

    def __init__(
        self,
        engine: HostEngine,
        plan: HostsPlan,
        run_dir: Path,
        files: CollectedFiles,
        stall_timeout_s: float,
    ) -> None:
        now_s = time.monotonic()
        self._run_dir = run_dir
        self._plan, self._files, self._stall_timeout_s = plan, files, stall_timeout_s
        self._lines = HostLines(engine, [*plan.reserved().values()], plan.lease_s, self._take_in)
        self.clocks: Mapping[str, ClockOffset] = self._lines.clocks
        self._placement, self._gpus = dict(plan.placement), dict(plan.gpus)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._lines.fileno(), selectors.EVENT_READ, None)
        self._watched_by = self._selector.fileno()
        self._far = RemoteLines(self._selector, self._send_bytes)
        self._hosts: dict[int, str] = {}  # of processes that have not ended
        self._started: dict[int, int | OSError] = {}
        self._exits: list[ProcessExit] = []
        self._samples = RemoteSamples(now_s)
        self._troubles: dict[str, Trouble] = {}
        self._prepared: dict[str, messages.HostPrepared] = {}
        self._keys: dict[str, str] = {}
        self._numbers = 0
        self._losses: list[HostLoss] = []
        self._closed = False
        self.waiting = ""
        self.on_wait: Callable[[], object] = lambda: None
        self.acts = RemoteProcessActs(self._tell_host_of)
        self.links = RemoteLinks(
            plan.placement,
            self._lines.tell,
            self._lines.is_lost,
            lambda what, missing: self._wait_for(what, missing, stall_timeout_s),
        )
        for peer, host in self._placement.items():
            files.expect(host, [peer])

    # -- before the first process ----------------------------------------------------------

    def start_agents(self) -> list[records.HostUp]:
        """Start the agents; return what they found.

        Raises:
            LaunchError: an agent did not come up.
            ResourceError: the system refused one what it needs.
        """
        self._lines.start()
        hosts = set(self._plan.hosts)
        self._wait_for("report", lambda: hosts - self._lines.up.keys(), _UP_S)
        return self._lines.up_records()

    def prepare(
        self,
        begin: Callable[[str, int], messages.BeginRun],
        data: int,
        network: Callable[[str], messages.MakeNetwork | None] = lambda _host: None,
    ) -> list[messages.HostPrepared]:
        """Begin the run on all hosts, and return what they say once they can start processes.

        Args:
            begin: returns the first order, given a host and its cores.
            data: descriptor of the images of the run.
            network: returns the order by which a host makes namespaces; None = it makes none.

        Raises:
            LaunchError: a host was lost, or did not make ready in time.
        """
        self._lines.begin_leases()
        for host, reserved in self._plan.reserved().items():
            self._lines.tell(host, begin(host, reserved.cores))
            if order := network(host):
                self._lines.tell(host, order)
            self._lines.tell_all_of(host, data_parts(data))
            for name in [
                *code_files(self._run_dir),
                *state_files(self._run_dir, self._plan.peers_of(host)),
            ]:
                self._lines.tell_all_of(host, file_parts(self._run_dir, name))
            self._lines.tell(host, messages.Prepare())
        hosts = set(self._plan.hosts)
        self._wait_for("make ready", lambda: hosts - self._prepared.keys(), _PREPARED_S)
        return list(self._prepared.values())

    def make_keys(self, peers: Iterable[str]) -> dict[str, str]:
        """Have each peer's host make it a new pair of keys; return the public ones.

        Raises:
            LaunchError: a host was lost, or did not answer in time.
        """
        asked = list(peers)
        for peer in asked:
            self._keys.pop(peer, None)
        for host in self._plan.hosts:
            if theirs := tuple(peer for peer in asked if self._placement[peer] == host):
                self._lines.tell(host, messages.MakeKeys(theirs))
        self._wait_for(
            "make keys",
            lambda: {self._placement[peer] for peer in asked if peer not in self._keys},
            _ANSWER_S,
        )
        return {peer: self._keys[peer] for peer in asked}

    def address(self, peer: str) -> str:
        """Return the address of the host that a peer lives on."""
        return self._plan.hosts[self._placement[peer]].address

    # -- Engine ----------------------------------------------------------------------------

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> StartedProcess:
        """See Engine: it waits for the host's answer."""
        host = self._placement[spec.peer_id]
        self._check_there(host)
        self._numbers += 1
        number, line = self._numbers, self._far.open(self._numbers)
        try:
            self._hosts[number] = host
            texts = spec.model_dump_json(), incarnation.model_dump_json()
            self._lines.tell(
                host, messages.StartProcess(number, *texts, self._visible_gpus(spec.peer_id, host))
            )
            waited = WatchedTime(time.monotonic())
            while (answer := self._started.pop(number, None)) is None:
                if waited.look(time.monotonic()) > self._stall_timeout_s:
                    reason = f"did not start {spec.peer_id} within {self._stall_timeout_s:g} s"
                    raise LaunchError(f"agent of {host}", f"{reason} (--stall-timeout-s)")
                self._wait_once()
                self._check_there(host)
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
        """See Engine: what an agent tells, or an agent that is not heard."""
        told = next(iter(self._troubles.values()), None)
        silence_s = {host: self._lines.silent_s(host) for host in self._lines.left}
        host = max(silence_s, key=lambda each: silence_s[each], default="")
        patience_s = self._plan.lease_s / RENEWALS * _SILENT_RENEWALS
        if host and silence_s[host] > patience_s:
            return Trouble(f"agent of {host}", "without an answer", silence_s[host])
        return told

    def signal(self, number: int, signum: int) -> None:
        """See Engine."""
        if host := self._hosts.get(number):
            self._lines.tell(host, messages.SignalProcess(number, int(signum)))

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
            self._end_run()
        finally:
            self._lines.close()
            self._selector.close()

    # -- hosts -------------------------------------------------------------------------------

    def losses(self) -> list[HostLoss]:
        """Return the hosts that were lost since the last call; never waits."""
        new, self._losses = self._losses, []
        return new

    def end_host(self, host: str) -> None:
        """Have a host go down: its agent and its peers end at once, and say nothing."""
        self._lines.tell(host, messages.Die())

    def move(self, peer: str, host: str, gpus: tuple[int, ...]) -> tuple[str, str | None]:
        """Have the next processes of a peer start on another host, from the state collected here.

        Return its address there, and the public key of the pair that was made there, None where
        connections are plain.

        Raises:
            HostGone: the host is lost, too.
        """
        self._check_there(host)
        self._placement[peer], self._gpus[peer] = host, gpus
        self._files.expect(host, [peer])
        for name in state_files(self._run_dir, [peer]):
            self._lines.tell_all_of(host, file_parts(self._run_dir, name))
        public = None
        if peer in self._keys:
            try:
                public = self.make_keys([peer])[peer]
            except LaunchError as error:
                raise HostGone(error.child, error.reason) from None
        return self.address(peer), public

    def know_router(self, address: str, port: int) -> None:
        """Tell all hosts where a peer listens: the kernel's figures of its connections count."""
        self._tell_all(messages.RoutersKnown((f"{address}:{port}",)))

    def dump_sockets(self) -> None:
        """Have all hosts remember the kernel's figures of the open connections."""
        self._tell_all(messages.DumpSockets())

    def line_records(self) -> list[records.HostLine]:
        """Return how many bytes the messages of each line had, for the journal."""
        return self._lines.line_records()

    def stranger_records(self) -> list[records.Turned]:
        """Return who was refused at the lines, and how often, for the journal."""
        return self._lines.stranger_records()

    # ------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take in what agents and peers have said, and pass it on.

        Raises:
            LaunchError: an agent said what is no report.
        """
        self._far.pump()
        self._lines.look()
        self._far.flush()
        for loss in self._lines.take_losses():
            self._losses.append(loss)
            self._troubles.pop(loss.host, None)
            for number in [n for n, host in self._hosts.items() if host == loss.host]:
                self._forget(number)

    def _wait_once(self) -> None:
        """Wait a moment for the agents."""
        self._lines.rest(_LOOK_EVERY_S)
        self._look()
        self.on_wait()

    def _wait_for(self, what: str, missing: Callable[[], set[str]], timeout_s: float) -> None:
        """Wait until no host is missing.

        Raises:
            HostGone: one that is was lost.
            LaunchError: one is after `timeout_s`; it is named.
        """
        waited = WatchedTime(time.monotonic())
        while late := missing():
            for host in late:
                self._check_there(host)
            if waited.look(time.monotonic()) > timeout_s:
                names = ", ".join(sorted(late))
                raise LaunchError(f"agents of {names}", f"did not {what} within {timeout_s:g} s")
            self.waiting = f"waiting for {', '.join(sorted(late))} to {what}"
            self._wait_once()
        self.waiting = ""

    def _check_there(self, host: str) -> None:
        if self._lines.is_lost(host):
            reasons = [loss.reason for loss in self._losses if loss.host == host]
            raise HostGone(f"host {host}", *(reasons or ["it is lost"]))

    def _end_run(self) -> None:
        """Have the agents send what is left, and end."""
        if not self._lines.have_begun:
            return
        for host in self._lines.left:
            self._lines.tell(host, messages.EndRun())
        n_bytes, waited = -1, WatchedTime(time.monotonic())
        while left := self._lines.left:
            if n_bytes != self._files.n_bytes:
                n_bytes, waited = self._files.n_bytes, WatchedTime(time.monotonic())
            if waited.look(time.monotonic()) > _ENDING_S:
                for host in left:
                    self._lines.lose(host, f"it did not send its files within {_ENDING_S:g} s")
            self._lines.rest(_LOOK_EVERY_S)
            self._look()

    def _take_in(self, host: str, report: HostReport, data: bytes) -> None:
        match report:
            case messages.HostPrepared():
                self._prepared[host] = report
            case messages.LinksSet() | messages.LinkCounted():
                self.links.note(host, report)
            case messages.KeysMade(public):
                theirs = {p: key for p, key in public.items() if self._placement.get(p) == host}
                self._keys |= theirs
            case messages.Samples(rows):
                self._samples.add(host, [row for row in rows if self._hosts.get(row[0]) == host])
            case messages.AgentTrouble(name, reason, since_s):
                self._troubles.pop(host, None)
                if name:
                    self._troubles[host] = Trouble(f"{name} of {host}", reason, since_s)
            case messages.FileAppended() | messages.FileFromHost() | messages.FileKept():
                self._files.take_in(host, report, data)
            case messages.AgentEnded():
                self._lines.note_end(host)
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
            self._lines.tell(host, order, data)

    def _tell_host_of(self, order: messages.ActOn) -> None:
        if host := self._hosts.get(order.number):
            self._lines.tell(host, order)

    def _tell_all(self, order: messages.HostOrder) -> None:
        for host in self._plan.hosts:
            self._lines.tell(host, order)

    def _forget(self, number: int) -> None:
        self._hosts.pop(number, None)
        self._started.pop(number, None)
        self._far.close(number)
        self.acts.note_exit(number)

    def _visible_gpus(self, peer: str, host: str) -> str | None:
        """Return what CUDA_VISIBLE_DEVICES is to be for a peer; None = it has no GPU."""
        seen = self._lines.up[host].gpus
        numbers = self._gpus.get(peer, ())
        return ",".join(seen[number] for number in numbers) if numbers else None


OfProcess = (
    messages.ProcessStarted
    | messages.StartRefused
    | messages.LineBytes
    | messages.LineClosed
    | messages.ProcessExited
    | messages.ProcessStopped
    | messages.ActDone
)
