"""Start the peers, watch them, end them: the launcher's part of a run, and no more.

Peers talk to each other only; what passes here is addresses, starts and reports.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import assert_never

from prisam_p2p.control.messages import (
    AtBarrier,
    AttackActed,
    ConnectionsSettled,
    Exit,
    PeerDone,
    ProcessUp,
    Ready,
    Report,
    RoundDone,
    RoundsBegun,
    RuleRemoved,
    SettleConnections,
    StartRounds,
    StateLost,
    TransferHeld,
)
from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.errors import LaunchError
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.loopback_link_faults import LoopbackLinkFaults
from prisam_p2p.faults.network_link_faults import LinkFaults, NetworkLinkFaults
from prisam_p2p.launch.child import Child, start_cost
from prisam_p2p.launch.engine import Engine
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.processes import Children
from prisam_p2p.launch.progress import Observer, View, view_of
from prisam_p2p.launch.watchdog import Silence
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.interface import Network
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.link_properties import Link, LinkState

STOP_TIMEOUT_S = 8.0
"""Peers that were told to stop, or to exit, are killed after so long."""

SETTLE_TIMEOUT_S = 10.0
"""At the end of a run with faults: a connection is known to be gone after some heartbeats, and is
back a second after it can be."""

_LOOK_EVERY_S, _LOOK_FOR_FAULTS_S = 0.2, 0.02


class Interrupted(Exception):
    """Somebody asked the launcher to stop."""


class Supervisor:
    """One run of `specs` on `engine`.

    Args:
        stopping: tells whether the run is to be stopped; asked several times a second.
        states: peer -> final state, brought up to date however the run ends.
        before_exit: called when all peers are done, just before they are told to exit.
        faults: what is to happen to them; `barriers` in the specs let peers wait for it.
        network: what lies between them; None: nothing is sent.
        links: what some directed links are like without faults.
        past: of this run, where it had launches before.
    """

    def __init__(
        self,
        engine: Engine,
        specs: Sequence[PeerSpec],
        journal: Journal,
        observer: Observer,
        stopping: Callable[[], bool],
        states: dict[str, str],
        before_exit: Callable[[], object],
        faults: FaultPlan | None = None,
        network: Network | None = None,
        links: Mapping[Link, LinkState] = MappingProxyType({}),
        past: Past | None = None,
    ) -> None:
        self._specs, self._journal = specs, journal
        self._observer, self._stopping, self._states = observer, stopping, states
        self._before_exit, self._past = before_exit, past
        self._children = Children(engine, specs, journal)
        barriers = {spec.peer_id: spec.barriers for spec in specs}
        made = self._links(network, links)
        occurrences = faults.occurrences if faults else ()
        self._injector = Injector(faults, self._children, journal.write, barriers, made)
        self._faulty = bool(occurrences)
        self._look_every_s = _LOOK_FOR_FAULTS_S if occurrences else _LOOK_EVERY_S
        self._absent = {p for each in occurrences if each.traits.starts_absent for p in each.peers}
        self._phase = "starting"
        self._began_s = time.monotonic()
        waits = specs[0].settings
        self._silence = Silence(self._began_s, waits.round_timeout_s + waits.pull_deadline_s)
        self._went_s: float | None = None

    def run(self) -> None:
        """Play the whole run.

        Raises:
            LaunchError: a peer did not come up.
            Interrupted: `stopping` said so; the peers were given time to stop and are gone.
        """
        try:
            self._start()
            self._introduce()
            self._watch_rounds()
            self._injector.heal_all(time.monotonic())
            if self._faulty:
                self._settle()
            self._end(Exit())
        except Interrupted:
            self._phase = "stopping"
            self._children.signal_all(signal.SIGTERM)
            self._children.signal_all(signal.SIGCONT)  # who is stopped would not notice
            self._end(None)
            raise
        finally:
            self._observer.end()
            with suppress(LaunchError):  # a zygote that is gone has told already
                self._note_exits()
            self._children.close()
            for child in self._children:
                peer = child.spec.peer_id
                planned = records.AS_PLANNED if self._injector.planned_end(peer) else ""
                self._states[peer] = child.fate() + planned

    # -- phases --------------------------------------------------------------------------

    def _start(self) -> None:
        for spec in self._specs:
            if spec.peer_id not in self._absent:
                self._children.start(spec)
                self._injector.on_start(spec.peer_id, time.monotonic())
                self._look(0)
        self._wait("starting", lambda c: c.port is not None, self._ready_timeout_s)

    def _introduce(self) -> None:
        """Tell all peers where the others are; begin when each has met its neighbors."""
        for child in self._children:
            self._introduce_to(child)
        # A peer gives a missing neighbor up after the same time, and begins without it.
        patience_s = self._ready_timeout_s + STOP_TIMEOUT_S
        self._wait("connecting", lambda c: c.ready, patience_s)
        self._journal.write(start_cost([*self._children], self._began_s))
        self._went_s = time.monotonic()
        if self._past:  # new processes, new links: what was done to the old ones is over
            for fault, peer in self._past.open_faults:
                self._journal.write(records.FaultHealed(fault, peer))
        self._injector.begin(self._went_s - (self._past.elapsed_s if self._past else 0.0))
        self._children.tell_all(StartRounds())

    def _watch_rounds(self) -> None:
        self._phase = "running"
        while unfinished := [p for p in self._children.here if not self._is_over(p)]:
            self._look(self._look_every_s)
            self._injector.tick(time.monotonic())
            if all(map(self._injector.waits_for_others, unfinished)):  # and there are none
                self._injector.heal_who_waits(time.monotonic())
            if (silent_s := self._silence.too_long_s(time.monotonic())) is not None:
                self._give_up([p for p in unfinished if not self._children.is_down(p)], silent_s)

    def _give_up(self, hanging: Sequence[str], silent_s: float) -> None:
        """End processes of which nothing is to be expected; the run goes on without them."""
        self._journal.write(records.GivenUp(list(hanging), round(silent_s, 3)))
        for number in (signal.SIGABRT, signal.SIGKILL):  # the first writes into the log where
            for peer in hanging:
                self._children.signal(peer, number)
                self._children.signal(peer, signal.SIGCONT)
            self._look_until(lambda: all(map(self._children.is_down, hanging)), STOP_TIMEOUT_S)
        self._silence.begin_again(time.monotonic())

    def _settle(self) -> None:
        """Let connections that faults broke come back, and what is on its way arrive."""
        self._phase = "settling"
        there = [child for child in self._children if child.exit_code is None]
        honest = [child.spec.peer_id for child in there if not child.spec.attack]
        self._children.tell_all(SettleConnections(tuple(honest), SETTLE_TIMEOUT_S))
        began_s = time.monotonic()
        self._look_until(
            lambda: all(c.exit_code is not None or c.settled is not None for c in there),
            SETTLE_TIMEOUT_S + STOP_TIMEOUT_S,
            _LOOK_FOR_FAULTS_S,
        )
        late = [child.spec.peer_id for child in there if not child.settled]
        self._journal.write(records.Settled(round(time.monotonic() - began_s, 3), late))

    def _end(self, order: Exit | None) -> None:
        """Let the peers exit; who has not in time is killed by the engine's close."""
        if order:
            self._before_exit()
            self._children.tell_all(order)
        self._look_until(
            lambda: all(map(self._children.is_down, self._children.here)),
            STOP_TIMEOUT_S,
            stoppable=False,
        )

    def _wait(self, phase: str, done: Callable[[Child], bool], timeout_s: float) -> None:
        """Wait until all peers are `done`; before the rounds a peer that ends is fatal."""
        self._phase = phase
        deadline = time.monotonic() + timeout_s
        while not all(map(done, self._children)):
            self._look(_LOOK_EVERY_S)
            for child in self._children:
                if child.exit_code is not None:
                    reason = f"ended with {child.exit_code} while {phase}"
                    raise LaunchError(f"peer {child.spec.peer_id}", reason, child.last_lines())
            if time.monotonic() > deadline:
                late = sorted(c.spec.peer_id for c in self._children if not done(c))
                reason = f"not done with {phase} within {timeout_s:g} s"
                raise LaunchError(f"peers {', '.join(late[:5])}", reason)

    def _introduce_to(self, child: Child) -> None:
        """Tell a process where its neighbors are, but for those that are gone for good."""
        gone = [n for n in child.spec.neighbors if self._is_gone(n)]
        self._children.introduce(child, leave_out=gone)

    def _is_over(self, peer: str) -> bool:
        """Tell whether nothing more is to be expected of a peer before all are done."""
        child = self._children.get(peer)
        return self._is_gone(peer) if self._children.is_down(peer) else bool(child and child.done)

    def _is_gone(self, peer: str) -> bool:
        """Tell whether a peer has no process, and will not have another."""
        return self._children.is_down(peer) and not self._injector.expects_back(peer)

    # -- watching ------------------------------------------------------------------------

    def _look_until(
        self,
        enough: Callable[[], bool],
        timeout_s: float,
        every_s: float = _LOOK_EVERY_S,
        stoppable: bool = True,
    ) -> None:
        """Look until `enough`, at most so long."""
        deadline = time.monotonic() + timeout_s
        while not enough() and time.monotonic() < deadline:
            self._look(every_s, stoppable)

    def _look(self, timeout_s: float, stoppable: bool = True) -> None:
        """Take in what the peers reported and who ended; wait for something at most so long."""
        for child, report in self._children.hear(timeout_s):
            self._silence.end(isinstance(report, RoundDone), time.monotonic())
            self._take_in(child, report)
        self._note_exits()
        self._observer.show(self._view())
        if stoppable and self._stopping():
            raise Interrupted

    def _take_in(self, child: Child, report: Report) -> None:
        peer, now_s = child.spec.peer_id, time.monotonic()
        match report:
            case ProcessUp(port):
                self._on_up(child, port)
            case Ready():
                child.ready = True
                if self._went_s is not None:
                    child.send(StartRounds())
                    self._injector.on_ready(peer, now_s)
            case RoundsBegun(round_index):
                child.rounds_done = round_index
            case AtBarrier(round_index, phase):
                self._injector.at_barrier(peer, (round_index, phase), now_s)
            case TransferHeld(stop):
                self._injector.at_stop(peer, stop, now_s)
            case RoundDone(round_index, accuracy, bytes_out):
                child.rounds_done = round_index + 1
                child.accuracy, child.n_bytes = accuracy, bytes_out
            case ConnectionsSettled(complete):
                child.settled = complete
            case PeerDone():
                child.result = report
                self._injector.on_report(peer, report, now_s)
            case StateLost() | RuleRemoved() | AttackActed():
                self._injector.on_report(peer, report, now_s)
            case _:
                assert_never(report)

    def _on_up(self, child: Child, port: int) -> None:
        """Take note of a process that listens; introduce it if the others are running already."""
        self._children.is_up(child, port)
        self._injector.on_up(child.spec.peer_id)
        if self._went_s is not None:
            self._introduce_to(child)
            if child.port and child.spec.peer_id in self._absent:
                self._children.make_known(child)

    def _note_exits(self) -> None:
        for peer, code in self._children.exits():
            self._injector.on_exit(peer, code, time.monotonic())

    def _view(self) -> View:
        since_s = 0.0 if self._went_s is None else time.monotonic() - self._went_s
        return view_of(self._specs, [*self._children], self._phase, since_s)

    @property
    def _ready_timeout_s(self) -> float:
        return self._specs[0].settings.ready_timeout_s

    def _links(self, network: Network | None, base: Mapping[Link, LinkState]) -> LinkFaults | None:
        if network is None:
            return None
        if isinstance(network, Loopback):
            return LoopbackLinkFaults(self._children, base)
        links = [(spec.peer_id, n) for spec in self._specs for n in spec.neighbors]
        return NetworkLinkFaults(network, links, base)
