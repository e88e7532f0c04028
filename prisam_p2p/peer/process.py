"""What a peer's process does, from what it is given to its last record."""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Literal

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.line import AnyOrder, ControlLine, Stopped
from prisam_p2p.control.messages import (
    ConnectionsSettled,
    Exit,
    LeaveBarrier,
    PeerDone,
    ProcessUp,
    Ready,
    Report,
    Roster,
    RosterEntry,
    RosterUpdate,
    SettleConnections,
    StartRounds,
)
from prisam_p2p.control.spec import Incarnation, PeerSpec, ProcessInput
from prisam_p2p.core.entrywise import entrywise
from prisam_p2p.extensions.loading import load_again
from prisam_p2p.learn.malloc import use_one_heap
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.warm_up import take_share_of_gpu, use_threads
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.components import Parts, make_learner, make_network, w0_seed
from prisam_p2p.peer.deployment import save_deployed
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.orders import KnownRoster, hold_transfers, obey_fences, obey_rules
from prisam_p2p.peer.refused import end_refused, ends_without_journal
from prisam_p2p.peer.spans import SpanLog
from prisam_p2p.peer.stop_signal import StopRequest, on_sigterm, sleeper
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.system.process_limits import (
    MemoryMeter,
    die_with_parent,
    is_out_of_memory,
    memory_above_baseline,
)
from prisam_p2p.system.refusals import refusal_of, refused
from prisam_p2p.system.setns import enter
from prisam_p2p.transport import events

ORDER_TIMEOUT_S = 86_400.0
"""Long enough to survive a suspended launcher and to wait for the slowest peer. If the launcher
dies, `ControlLine` ends this process at once."""

LEAVE_TIMEOUT_S = 15.0
"""More than closing the connections takes."""

REJOIN_TIMEOUT_S = 5.0
"""A peer that starts late begins without the neighbors that it is not connected to by then."""


@dataclass(frozen=True)
class PeerOutcome:
    """How a peer ended, and why."""

    state: Literal["completed", "stopped", "out-of-memory"]
    reason: str = ""


SendReport = Callable[[Report], None]


def main(
    spec: PeerSpec,
    incarnation: Incarnation,
    line: socket.socket,
    parts_of: Callable[[SendReport], Parts] = lambda _: Parts(),
) -> None:
    """Play a peer until the launcher orders the exit, or until SIGTERM.

    Args:
        incarnation: which process of the peer this is.
        line: its end of the control line.
        parts_of: returns the classes that make its network; given what sends a report.
    """
    if spec.network:  # before there is a second thread, or a socket
        enter(**spec.network)  # type: ignore[arg-type]
    die_with_parent()
    faulthandler.enable()  # a launcher that gives up sends SIGABRT: the log then has the stacks
    use_one_heap()  # before there is a second thread
    inbox: Inbox[events.Event] = Inbox()
    stop = StopRequest()
    control = ControlLine(line, on_order=lambda: inbox.put(events.OrderCame()))
    on_sigterm(stop, inbox, control)
    use_threads(spec.device.threads)
    try:
        journal = Journal(spec.journal_path, spec.epoch_s, ends_without_journal(control))
    except OSError as error:
        end_refused(control, refused(error))
    with journal:
        try:
            take_share_of_gpu(spec.settings.device, spec.device.gpu)
            parts = parts_of(control.send)
            with closing(_Process(spec, incarnation, control, inbox, stop, journal, parts)) as one:
                one.play()
        except Exception as error:
            journal.write(records.Finished("failed", 0, f"{type(error).__name__}: {error}"))
            if refusal := refusal_of(error):
                end_refused(control, refusal)
            traceback.print_exc()
            raise


class _Process:
    """A peer and its network in this process, from the first report to the last record."""

    def __init__(
        self,
        spec: PeerSpec,
        incarnation: Incarnation,
        control: ControlLine,
        inbox: Inbox[events.Event],
        stop: StopRequest,
        journal: Journal,
        parts: Parts,
    ) -> None:
        self._spec, self._incarnation = spec, incarnation
        self._control, self._journal = control, journal
        spans = SpanLog(journal.write, lambda: journal.run_s(time.monotonic()), time.thread_time)
        self._meter, self._marks = MemoryMeter(), Marks(spec.board, spec.index, spans)
        s, code = spec.settings, load_again(spec.code, spec.run_dir)
        self._rounds = code.get("algorithm") or LOOPS[s.built_in_algorithm]
        shape, dtype, net = spec.image_shape, spec.dtype, code.get("model")
        self._architecture = Architecture(s.model, s.width, spec.n_classes, shape, dtype, net)
        layout = layout_of(self._architecture)
        if spec.traits.entrywise:
            layout = entrywise(layout)
        learner = make_learner(spec, self._architecture, layout)
        self._network, self._transport = make_network(
            spec, incarnation, layout, learner, inbox, journal, parts, self._marks
        )
        self._known = KnownRoster(self._take_up)
        self._peer = BaselinePeer(
            spec,
            incarnation,
            layout,
            learner.initial_weights(w0_seed(spec)),
            learner,
            self._network,
            journal,
            sleeper(stop, self._meter if spec.device.memory_mib else None),
            control.send,
            lambda: self._await(LeaveBarrier, activity=Activity.AT_BARRIER),
            self._marks,
            code.get("grouping"),
            self._meter.now_mib,
        )

    def close(self) -> None:
        """Close the peer's connections."""
        if self._transport:
            self._transport.close()

    def play(self) -> None:
        """Run the peer from start-up to its last record; after an error, that is `main`'s."""
        try:
            self._play()
        finally:
            self._marks.end_spans()

    def _play(self) -> None:
        self._come_up()
        outcome = self._run()
        with self._marks.doing(Activity.LEAVING):
            if outcome.state == "completed":
                with self._marks.doing(Activity.WRITING_MODEL):
                    save_deployed(self._peer, self._architecture, self._journal)
            self._control.send(PeerDone(outcome.state))
            if outcome.state != "stopped":
                with suppress(Stopped), self._marks.doing(Activity.SERVING):
                    self._serve_until_exit()
            with self._marks.doing(Activity.LEAVING, time.monotonic() + LEAVE_TIMEOUT_S):
                self._leave(outcome)

    def _leave(self, outcome: PeerOutcome) -> None:
        """Close the connections, and write the last records."""
        self.close()
        if self._network:
            # What slower neighbors pulled after this peer's last round is in it.
            in_order = outcome.state != "stopped" and not self._network.broken
            self._network.write_traffic(self._peer.rounds_done, final=in_order)
        finished = self._finished(outcome)
        self._marks.end_spans()
        self._journal.write(finished)

    def _come_up(self) -> None:
        """Report where this process listens; from now on it obeys orders."""
        spec, transport = self._spec, self._transport
        port = transport.port if transport else 0
        number, ratio = self._incarnation.number, spec.device.prune_ratio
        self._journal.write(
            records.Started(spec.peer_id, os.getpid(), number, spec.address, port, ratio)
        )
        if transport:
            obey_rules(self._control, transport, self._journal)
            hold_transfers(spec.stops, self._control, transport, self._journal)
            self._control.handle(RosterUpdate, self._known.update)
        obey_fences(self._control, self._known, transport)
        self._control.send(ProcessUp(port))

    def _take_up(self, entry: RosterEntry) -> None:
        if self._transport:
            self._transport.update_neighbor(entry)

    def _run(self) -> PeerOutcome:
        """Wait for the start, then run the algorithm within the device's memory."""
        try:
            self._connect()
            self._await(StartRounds)
            self._meter.start()
            memory = memory_above_baseline(self._spec.device.memory_mib)
            try:
                with memory, self._marks.doing(Activity.RUNNING):
                    self._rounds(self._peer)
            except (MemoryError, RuntimeError, OSError) as error:
                if not is_out_of_memory(error):
                    raise
                return self._out_of_memory(error)
        except Stopped:
            return PeerOutcome("stopped", "told to stop")
        return PeerOutcome("completed")

    def _connect(self) -> None:
        """Connect to the neighbors of the roster, and report that this is done."""
        roster = self._known.merge(self._await(Roster))
        if self._network:
            neighbors = {entry.peer: (entry.address, entry.port) for entry in roster}
            patience_s = self._spec.settings.ready_timeout_s
            if self._incarnation.late:  # some neighbors may be gone for good
                patience_s = min(patience_s, REJOIN_TIMEOUT_S)
            self._network.connect(neighbors, patience_s)
        self._control.send(Ready())

    def _out_of_memory(self, error: Exception) -> PeerOutcome:
        """Journal it, and tell the neighbors not to wait for this peer."""
        self._meter.sample()
        text = str(error).splitlines()[0] if str(error) else "MemoryError"
        asked_mib, t = self._spec.device.memory_mib, self._peer.rounds_done
        self._journal.write(records.MemoryExceeded(t, asked_mib or 0, self._meter.peak_mib, text))
        if self._network and not self._network.broken:
            self._network.leave(t)
        limit = f"more than {asked_mib} MiB above the baseline"
        return PeerOutcome("out-of-memory", limit if asked_mib else "an allocation was refused")

    def _serve_until_exit(self) -> None:
        """Answer neighbors that still pull the last weights, until all peers are done."""
        network = self._network
        while True:
            if network:
                network.serve_until(self._control.has_order, ORDER_TIMEOUT_S)
            match self._await(SettleConnections, Exit, activity=Activity.SERVING):
                case SettleConnections(peers, timeout_s):
                    complete = network is None or network.settle(peers, timeout_s)
                    self._control.send(ConnectionsSettled(complete))
                case Exit():
                    return

    def _await(
        self, *kinds: type[AnyOrder], activity: Activity = Activity.WAITING_FOR_ORDERS
    ) -> AnyOrder:
        """Return the next order (`ControlLine.expect`); show meanwhile that it is waited for."""
        with self._marks.doing(activity, time.monotonic() + ORDER_TIMEOUT_S):
            return self._control.expect(*kinds, timeout_s=ORDER_TIMEOUT_S)

    def _finished(self, outcome: PeerOutcome) -> records.Finished:
        up_mbit_s, down_mbit_s = self._network.peak_mbit_s() if self._network else (None, None)
        return records.Finished(
            state=outcome.state,
            rounds=self._peer.rounds_done,
            reason=outcome.reason,
            cpu_s=round(time.process_time(), 6),
            peak_mib=self._meter.peak_mib,
            up_mbit_s=up_mbit_s,
            down_mbit_s=down_mbit_s,
        )


def spawned() -> tuple[PeerSpec, Incarnation, socket.socket]:
    """Return what a fresh interpreter is given; it comes first on the control line."""
    line = socket.socket(fileno=int(sys.argv[1]))
    size = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
    given = ProcessInput.model_validate_json(line.recv(size, socket.MSG_WAITALL))
    return given.spec, given.incarnation, line


if __name__ == "__main__":
    main(*spawned())
