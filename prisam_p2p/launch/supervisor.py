"""Start the peers, watch them, end them: the launcher's part of a run.

Masks and weights pass between the peers only; here pass orders and reports (control/messages.py).
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from prisam_p2p.control.messages import (
    AtBarrier,
    AttackActed,
    ConnectionsSettled,
    Exit,
    Fenced,
    PeerDone,
    ProcessUp,
    Ready,
    Report,
    ResourceLost,
    RoundDone,
    RoundsBegun,
    RuleRemoved,
    SettleConnections,
    StartRounds,
    StateLost,
    TrainedOnNewData,
    TransferHeld,
)
from prisam_p2p.errors import LaunchError
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.injector import Injector
from prisam_p2p.launch.lost_hosts import LostHosts
from prisam_p2p.launch.lost_resources import peer_refused
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.peer_process import PeerProcess
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.progress import ProgressDisplay, ProgressView, ShownHosts, view_of
from prisam_p2p.launch.stalls import DYING_S, Stalls
from prisam_p2p.launch.time_left import TimeLeft
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.interface import Network, NetworkError
from prisam_p2p.processes.helper_process import NetworkWatch
from prisam_p2p.processes.watched_time import WatchedTime

STOP_TIMEOUT_S = 8.0
"""Peers that were told to stop, or to exit, are killed after this time."""

SETTLE_TIMEOUT_S = 10.0
"""At the end of a run with faults. Some heartbeats pass until a connection is known to be lost, and
a second until it is back."""

_LOOK_EVERY_S, _LOOK_FOR_FAULTS_S = 0.2, 0.02

_LEAST_SHOW_EVERY_S, _SHOW_EVERY_S_PER_PEER, _MOST_SHOW_EVERY_S = 0.2, 0.002, 2.0
"""A view of the run takes a look at every peer: with many peers it is drawn less often, so that it
takes the same share of the time."""


class Interrupted(Exception):
    """The launcher was asked to stop."""


@dataclass(frozen=True)
class Surroundings:
    """What a supervisor reports to and asks, besides the peers.

    Attributes:
        journal: of the launcher.
        display: shows the progress.
        stopping: tells whether the run is to be stopped; asked several times a second.
        before_exit: called when all peers are done, just before they are told to exit.
        network: between the peers.
        hosts: makes what looks after the loss of hosts, given what is told each peer that starts
            again elsewhere; None = the peers are on the launcher's host.
        at_once: tells whether peers that are stopping are to be killed.
    """

    journal: Journal
    display: ProgressDisplay
    stopping: Callable[[], bool]
    before_exit: Callable[[], object]
    network: Network
    hosts: Callable[[Callable[[str], None]], LostHosts] | None = None
    at_once: Callable[[], bool] = lambda: False


class Supervisor:
    """Supervises the peers of one run, from their first process to their last.

    Args:
        injector: applies `faults`; the peers wait for it at the barriers of their specs.
        past: the run's earlier launches.
    """

    def __init__(
        self,
        processes: PeerProcesses,
        injector: Injector,
        surroundings: Surroundings,
        faults: FaultPlan | None,
        past: Past,
    ) -> None:
        self._processes, self._injector, self._past = processes, injector, past
        self._journal, self._display = surroundings.journal, surroundings.display
        self._stopping, self._before_exit = surroundings.stopping, surroundings.before_exit
        self._at_once = surroundings.at_once
        occurrences = faults.occurrences if faults else ()
        self._has_faults = bool(occurrences)
        self._hosts = surroundings.hosts(self._on_restart_elsewhere) if surroundings.hosts else None
        self._absent = {p for each in occurrences if each.traits.starts_absent for p in each.peers}
        self._phase = "starting"
        self._shown: tuple[str, float] = "", -math.inf
        self._show_every_s = _show_every_s(len(processes.specs))
        self._runner = ""
        self._began_s = time.monotonic()
        self._settings = processes.specs[0].settings
        timeout_s = self._settings.stall_timeout_s
        network = NetworkWatch(surroundings.network, timeout_s)
        self._stalls = Stalls(processes, self._journal, injector.firings, timeout_s, network)
        processes.while_starting(self._look_at_wait)
        surroundings.network.on_wait = self._look_at_wait
        self._time_left = TimeLeft(self._settings.rounds)
        self._rounds_began_s: float | None = None

    def run(self) -> None:
        """Supervise the whole run.

        Raises:
            LaunchError: a peer did not come up, or sent what is no report.
            ResourceError: the system refused a peer what it needs to come up.
            Interrupted: `stopping` said so; the peers were given time to stop and have ended.
        """
        try:
            self._start()
            self._connect()
            self._watch_rounds()
            self._injector.heal_all(time.monotonic())
            if self._has_faults or self._someone_left() or self._a_host_was_lost():
                self._settle()
            self._before_exit()
            self._processes.order_all(Exit())
            self._await_exits()
        except Interrupted:
            self._phase = "stopping"
            self._processes.terminate_all()
            # The run was interrupted, whatever a peer or the network says now.
            with suppress(LaunchError, NetworkError):
                self._await_exits()
            raise
        finally:
            self._display.show(self._view())
            self._display.end()
            if self._hosts:
                self._hosts.end(time.monotonic())
            # Of a zygote or a network that has ended: it was raised before.
            with suppress(LaunchError, NetworkError):
                self._note_exits()
            self._processes.close()

    def final_states(self) -> dict[str, str]:
        """Return the final state of each peer that had a process."""
        return {each.peer: each.fate() + self._as_planned(each.peer) for each in self._processes}

    # -- phases --------------------------------------------------------------------------

    def _start(self) -> None:
        for spec in self._processes.specs:
            if spec.peer_id not in self._absent:
                self._processes.start(spec.peer_id)
                self._injector.on_start(spec.peer_id, time.monotonic())
                self._look(0)
        patience_s = self._settings.ready_timeout_s
        self._wait("starting", lambda process: process.port is not None, patience_s)

    def _connect(self) -> None:
        """Send all peers the roster; start the rounds when each has connected to its neighbors."""
        for process in self._processes:
            self._send_roster(process)
        # A peer gives a missing neighbor up after the same time, and begins without it.
        patience_s = self._settings.ready_timeout_s + STOP_TIMEOUT_S
        self._wait("connecting", lambda process: process.ready, patience_s)
        self._journal.write(self._processes.start_cost(self._began_s))
        self._rounds_began_s = time.monotonic()
        for fault, peer in self._past.open_faults:  # it ended with the processes of that launch
            self._journal.write(records.FaultHealed(fault, peer))
        self._injector.begin(self._rounds_began_s - self._past.elapsed_s)
        self._processes.order_all(StartRounds())

    def _watch_rounds(self) -> None:
        self._phase = "running"
        every_s = _LOOK_FOR_FAULTS_S if self._has_faults else _LOOK_EVERY_S
        while self._someone_runs() or self._someone_waits():
            self._look(every_s)
            self._injector.tick(time.monotonic())
            if not self._someone_runs() and self._someone_waits():  # for others, and there are none
                self._injector.heal_waiting(time.monotonic())

    def _someone_runs(self) -> bool:
        """Tell whether a peer has rounds left, and waits for no other to reach a round.

        While the one that was found last does, no other is looked at.
        """
        if not self._runs(self._runner):
            self._runner = next(filter(self._runs, self._processes.here), "")
        return bool(self._runner)

    def _runs(self, peer: str) -> bool:
        if not peer or self._is_over(peer):
            return False
        return not self._injector.firings.waits_for_others(peer)

    def _someone_waits(self) -> bool:
        """Tell whether a peer has rounds left."""
        return not all(map(self._is_over, self._processes.here))

    def _someone_left(self) -> bool:
        """Tell whether a peer stopped before its last round: its goodbyes may be on their way."""
        n_rounds = self._settings.rounds
        return any(each.done and each.rounds_done < n_rounds for each in self._processes)

    def _a_host_was_lost(self) -> bool:
        """Tell whether connections to peers that started elsewhere may still be opened."""
        return self._hosts is not None and self._hosts.any_lost

    def _settle(self) -> None:
        """Let connections that faults broke come back, and messages on their way arrive."""
        self._phase = "settling"
        there = [process for process in self._processes if process.exit_code is None]
        honest = tuple(process.peer for process in there if not process.incarnation.attack)
        self._processes.order_all(SettleConnections(honest, SETTLE_TIMEOUT_S))
        began_s = time.monotonic()
        self._look_until(
            lambda: all(map(self._is_settled, there)) and not self._awaits_evidence(),
            SETTLE_TIMEOUT_S + STOP_TIMEOUT_S,
            _LOOK_FOR_FAULTS_S,
        )
        late = [process.peer for process in there if not process.settled]
        self._journal.write(records.Settled(round(time.monotonic() - began_s, 3), late))

    def _is_settled(self, process: PeerProcess) -> bool:
        """Tell whether nothing more is to be expected of a process that was told to settle."""
        over = process.exit_code is not None or process.settled is not None
        return over or self._stalls.stands_still(process.peer)

    def _awaits_evidence(self) -> bool:
        """Tell whether another host is still to tell of a fault that is healed."""
        return self._injector.firings.take_late_evidence(time.monotonic())

    def _await_exits(self) -> None:
        """Wait until all processes have ended; end those that have not in time."""

        def all_ended() -> bool:
            return not self._processes.n_running

        def enough() -> bool:
            return all_ended() or self._at_once()

        self._look_until(enough, STOP_TIMEOUT_S, stoppable=False)
        if self._at_once():
            self._processes.kill_all()
            self._look_until(all_ended, DYING_S, stoppable=False)
            return
        left = self._processes.running
        if left and not self._processes.trouble():  # else nobody tells of exits
            told = f"told to end {STOP_TIMEOUT_S:g} s ago"
            reasons = {peer: self._stalls.words(peer) or told for peer in left}
            self._stalls.give_up(reasons, STOP_TIMEOUT_S, time.monotonic())
            self._look_until(all_ended, 2 * DYING_S, stoppable=False)

    def _wait(self, phase: str, done: Callable[[PeerProcess], bool], timeout_s: float) -> None:
        """Wait until all peers are `done`; before the rounds a process that ends is fatal."""
        self._phase = phase
        waited, left = WatchedTime(time.monotonic()), [*self._processes]
        while _drop_last(left, done):
            self._look(_LOOK_EVERY_S)
            for process in self._processes.fallen:
                if process.refusal:
                    raise peer_refused(process.peer, process.refusal)
                if process.lost_host:
                    because = self._hosts.why_lost(process.lost_host) if self._hosts else ""
                    reason = f"its host {process.lost_host} was lost while {phase}: {because}"
                    raise LaunchError(f"peer {process.peer}", reason)
                reason = f"ended with {process.exit_code} while {phase}"
                reason = f"{process.given_up}: ended" if process.given_up else reason
                raise LaunchError(f"peer {process.peer}", reason, process.last_lines())
            if waited.look(time.monotonic()) > timeout_s:
                late = sorted(each.peer for each in self._processes if not done(each))
                why = [f"; {each}: {self._stalls.words(each)}" for each in late[:5]]
                still = "".join(each for each in why if not each.endswith(": "))
                reason = f"not done with {phase} within {timeout_s:g} s{still}"
                raise LaunchError(f"peers {', '.join(late[:5])}", reason)

    def _send_roster(self, process: PeerProcess) -> None:
        """Tell a process where its neighbors are, except those that will not come back."""
        gone = [n for n in process.spec.neighbors if self._is_gone(n)]
        self._processes.send_roster(process, leave_out=gone)

    def _is_over(self, peer: str) -> bool:
        """Tell whether a peer is done, or gone for good."""
        process = self._processes.get(peer)
        if self._processes.is_down(peer):
            return self._is_gone(peer)
        return bool(process and (process.done or process.given_up))

    def _is_gone(self, peer: str) -> bool:
        """Tell whether a peer has no process, and will not have another."""
        if not self._processes.is_down(peer):
            return False
        elsewhere = self._hosts is not None and self._hosts.expects_back(peer)
        return not (elsewhere or self._injector.firings.expects_back(peer))

    def _as_planned(self, peer: str) -> str:
        return records.AS_PLANNED if self._injector.firings.explains_end(peer) else ""

    # -- watching ------------------------------------------------------------------------

    def _look_until(
        self,
        enough: Callable[[], bool],
        timeout_s: float,
        every_s: float = _LOOK_EVERY_S,
        stoppable: bool = True,
    ) -> None:
        """Look until `enough`, for `timeout_s` at most."""
        waited = WatchedTime(time.monotonic())
        while not enough() and waited.look(time.monotonic()) < timeout_s:
            self._look(every_s, stoppable)

    def _look(self, timeout_s: float, stoppable: bool = True) -> None:
        """Take in reports and exits; wait for something at most `timeout_s`."""
        for process, report in self._processes.hear(timeout_s):
            self._take_in(process, report)
        self._note_exits()
        self._note_lost_hosts()
        self._stalls.look(time.monotonic())
        self._show(stoppable)

    def _look_at_wait(self) -> None:
        """Look while the launcher waits for what starts processes, or for the network."""
        self._stalls.look(time.monotonic())
        self._show(self._phase != "stopping")

    def _show(self, stoppable: bool) -> None:
        """Show the progress, at once where another phase begins.

        Raises:
            Interrupted: the run is to be stopped.
        """
        phase, at_s = self._shown
        if phase != self._phase or time.monotonic() - at_s >= self._show_every_s:
            self._shown = self._phase, time.monotonic()
            self._display.show(self._view())
        if stoppable and self._stopping():
            raise Interrupted

    def _take_in(self, process: PeerProcess, report: Report) -> None:
        peer, now_s = process.peer, time.monotonic()
        match report:
            case ProcessUp(port):
                self._on_up(process, port)
            case Fenced():
                if self._hosts:
                    self._hosts.on_fenced(peer, report)
            case Ready():
                process.ready = True
                if self._rounds_began_s is not None:
                    process.send(StartRounds())
                    self._injector.on_ready(peer, now_s)
            case RoundsBegun(round_index):
                process.rounds_done = round_index
                self._time_left.begins(peer, round_index, now_s)
            case AtBarrier(round_index, phase):
                self._injector.at_barrier(peer, (round_index, phase), now_s)
            case TransferHeld(stop):
                self._injector.at_stop(peer, stop, now_s)
            case RoundDone(round_index, accuracy, bytes_out):
                process.rounds_done = round_index + 1
                process.accuracy, process.n_bytes = accuracy, bytes_out
                self._time_left.finishes_round(peer, round_index + 1, now_s)
            case ConnectionsSettled(complete):
                process.settled = complete
            case ResourceLost():
                self._processes.note_refusal(process, report)
                self._injector.on_report(peer, report, now_s)
            case PeerDone():
                process.result = report
                self._injector.on_report(peer, report, now_s)
            case StateLost() | RuleRemoved() | AttackActed() | TrainedOnNewData():
                self._injector.on_report(peer, report, now_s)
            case _:
                assert_never(report)

    def _on_up(self, process: PeerProcess, port: int) -> None:
        """Take note of a process that listens; while the rounds run, introduce it at once."""
        self._processes.note_port(process, port)
        self._injector.on_up(process.peer)
        if self._hosts:
            self._hosts.on_up(process)
        if self._rounds_began_s is not None:
            # The neighbors first: they turn a key away, and count it, that they do not know yet.
            if process.has_moved:
                self._processes.send_update(process)
            self._send_roster(process)

    def _note_lost_hosts(self) -> None:
        """Take the loss of hosts in: the processes there count as ended.

        Raises:
            LaunchError: no host is left.
        """
        if self._hosts:
            now_s = time.monotonic()
            for peer in self._hosts.look(now_s, may_restart=self._phase == "running"):
                self._injector.on_exit(peer, -signal.SIGKILL, now_s)
            if self._phase == "running":  # later all are: they end
                fallen = [process.peer for process in self._processes.fallen]
                self._hosts.go_on_without({*self._past.over, *filter(self._is_gone, fallen)})

    def _on_restart_elsewhere(self, peer: str) -> None:
        self._injector.on_restart(peer, time.monotonic())

    def _note_exits(self) -> None:
        for peer, code in self._processes.exits():
            self._injector.on_exit(peer, code, time.monotonic())
            if not self._injector.firings.explains_end(peer):
                self._processes.note_abort(peer)

    def _view(self) -> ProgressView:
        gone = [peer for peer in self._processes.here if self._is_gone(peer)]
        running = [p.peer for p in self._processes if p.exit_code is None and not p.done]
        left_s = self._time_left.left_s(time.monotonic(), running)
        waiting = [self._stalls.waiting, self._hosts.waiting if self._hosts else ""]
        return view_of(
            self._processes.specs,
            [*self._processes],
            gone,
            self._phase,
            left_s,
            "; ".join(filter(None, waiting)),
            self._hosts.known if self._hosts else ShownHosts(),
        )


def _show_every_s(n_peers: int) -> float:
    return min(max(_LEAST_SHOW_EVERY_S, n_peers * _SHOW_EVERY_S_PER_PEER), _MOST_SHOW_EVERY_S)


def _drop_last(left: list[PeerProcess], done: Callable[[PeerProcess], bool]) -> bool:
    """Take those at the end of a list that are done out of it; tell whether any are left.

    What is done stays so: over all calls, each is looked at once, but for the last.
    """
    while left and done(left[-1]):
        left.pop()
    return bool(left)
