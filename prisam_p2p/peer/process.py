"""From a spec to a running peer: what a peer's process does from its first line to its last."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from prisam_p2p.algorithms import TRAITS
from prisam_p2p.control.line import ControlLine, Stopped
from prisam_p2p.control.messages import (
    ConnectionsSettled,
    Exit,
    LeaveBarrier,
    PeerDone,
    ProcessUp,
    Ready,
    Report,
    Roster,
    SettleConnections,
    StartRounds,
)
from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.core.entrywise import entries_of, entrywise
from prisam_p2p.learn.learner import initial_weights
from prisam_p2p.learn.memory import one_heap
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.warm_up import use_threads
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.components import Parts, make_learner, make_network, w0_seed
from prisam_p2p.peer.deployment import save_deployed
from prisam_p2p.peer.neighbors import Network
from prisam_p2p.peer.orders import KnownRoster, follow_roster, hold_transfers, obey_rules
from prisam_p2p.peer.peer import Peer
from prisam_p2p.peer.stop_signal import StopRequest, on_sigterm, sleeper
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.system.process_limits import (
    MemoryMeter,
    die_with_parent,
    is_out_of_memory,
    memory_above_baseline,
)
from prisam_p2p.system.setns import enter
from prisam_p2p.transport import events

ORDER_TIMEOUT_S = 86_400.0
"""For a launcher that is suspended; one that dies ends this process (`ControlLine`). Long, because
a peer that is done serves the others until all are done."""

REJOIN_TIMEOUT_S = 5.0
"""A peer that starts late begins without the neighbors that it is not connected to by then."""


@dataclass(frozen=True)
class PeerOutcome:
    """How a peer ended, and why."""

    state: Literal["completed", "stopped", "out-of-memory"]
    reason: str = ""


SendReport = Callable[[Report], None]


def main(
    spec: PeerSpec, line: socket.socket, parts_of: Callable[[SendReport], Parts] = lambda _: Parts()
) -> None:
    """Play the peer of `spec` until the launcher says exit, or SIGTERM."""
    if spec.network:  # before there is a second thread, or a socket
        enter(**spec.network)  # type: ignore[arg-type]
    die_with_parent()
    faulthandler.enable()  # a launcher that gives up aborts: the log then says where this hung
    one_heap()  # before there is a second thread
    inbox: Inbox[events.Event] = Inbox()
    stop = StopRequest()
    control = ControlLine(line, on_order=lambda: inbox.put(events.OrderCame()))
    on_sigterm(stop, inbox, control)
    use_threads(spec.device.threads)
    with Journal(spec.journal_path, spec.epoch_s) as journal:
        try:
            _play(spec, control, inbox, stop, journal, parts_of(control.send))
        except Exception as error:
            journal.write(records.Finished("failed", 0, f"{type(error).__name__}: {error}"))
            traceback.print_exc()
            raise


def _play(
    spec: PeerSpec,
    control: ControlLine,
    inbox: Inbox[events.Event],
    stop: StopRequest,
    journal: Journal,
    parts: Parts,
) -> None:
    architecture = Architecture(
        spec.settings.model, spec.settings.width, spec.n_classes, spec.image_shape
    )
    layout = layout_of(architecture)
    common = initial_weights(architecture, spec.settings.seed)  # the run is known by it
    w0 = initial_weights(architecture, w0_seed(spec))
    if TRAITS[spec.settings.algorithm].entrywise:
        layout = entrywise(layout)
        common, w0 = (entries_of(layout, each, layout.full_mask()) for each in (common, w0))
    learner = make_learner(spec, architecture, layout)
    network, transport = make_network(spec, layout, common, inbox, journal, parts)
    port = transport.port if transport else 0
    journal.write(
        records.Started(
            spec.peer_id, os.getpid(), spec.incarnation, spec.address, port, spec.device.prune_ratio
        )
    )
    known = KnownRoster()
    if transport:
        obey_rules(control, transport, journal)
        hold_transfers(spec.stops, control, transport, journal)
        follow_roster(control, transport, known)
    control.send(ProcessUp(port))
    meter = MemoryMeter()
    sleep = sleeper(stop, meter if spec.device.memory_mib else None)
    peer = Peer(
        spec,
        layout,
        w0,
        learner,
        network,
        journal,
        sleep,
        control.send,
        partial(control.expect, LeaveBarrier, timeout_s=ORDER_TIMEOUT_S),
    )
    try:
        outcome = _run(peer, network, known, control, journal, meter)
        if outcome.state == "completed":
            save_deployed(peer, architecture, journal)
        control.send(PeerDone(outcome.state))
        if outcome.state != "stopped":
            with contextlib.suppress(Stopped):
                _serve_until_exit(network, control)
        if network and transport:
            transport.close()
            # What slower neighbors pulled after this peer's last round is in it.
            in_order = outcome.state != "stopped" and not network.broken
            network.write_traffic(peer.rounds_done, final=in_order)
        journal.write(_finished(peer, outcome, meter, network))
    finally:
        if transport:
            transport.close()


def _serve_until_exit(network: Network | None, control: ControlLine) -> None:
    """Answer neighbors that still pull the last weights, until all peers are done."""
    while True:
        if network:
            network.serve_until(control.has_order, ORDER_TIMEOUT_S)
        match control.expect(SettleConnections, Exit, timeout_s=ORDER_TIMEOUT_S):
            case SettleConnections(peers, timeout_s):
                complete = network is None or network.settle(peers, timeout_s)
                control.send(ConnectionsSettled(complete))
            case Exit():
                return


def _finished(
    peer: Peer, outcome: PeerOutcome, meter: MemoryMeter, network: Network | None
) -> records.Finished:
    up_mbit_s, down_mbit_s = network.peak_mbit_s() if network else (None, None)
    return records.Finished(
        state=outcome.state,
        rounds=peer.rounds_done,
        reason=outcome.reason,
        cpu_s=round(time.process_time(), 6),
        peak_mib=meter.peak_mib,
        up_mbit_s=up_mbit_s,
        down_mbit_s=down_mbit_s,
    )


def _run(
    peer: Peer,
    network: Network | None,
    known: KnownRoster,
    control: ControlLine,
    journal: Journal,
    meter: MemoryMeter,
) -> PeerOutcome:
    """Wait for the start, then run the algorithm within the device's memory."""
    asked_mib = peer.spec.device.memory_mib
    try:
        roster = known.merge(control.expect(Roster, timeout_s=ORDER_TIMEOUT_S))
        if network:
            neighbors = {entry.peer: (entry.address, entry.port) for entry in roster}
            patience_s = peer.spec.settings.ready_timeout_s
            if peer.spec.late:  # some neighbors may be gone for good
                patience_s = min(patience_s, REJOIN_TIMEOUT_S)
            network.connect(neighbors, patience_s)
        control.send(Ready())
        control.expect(StartRounds, timeout_s=ORDER_TIMEOUT_S)
        meter.start()
        try:
            with memory_above_baseline(asked_mib):
                LOOPS[peer.spec.settings.algorithm](peer)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            meter.sample()
            text = str(error).splitlines()[0] if str(error) else "MemoryError"
            t = peer.rounds_done
            journal.write(records.MemoryExceeded(t, asked_mib or 0, meter.peak_mib, text))
            if network and not network.broken:
                network.leave(t)
            limit = f"more than {asked_mib} MiB above the baseline"
            return PeerOutcome("out-of-memory", limit if asked_mib else "an allocation was refused")
    except Stopped:
        return PeerOutcome("stopped", "told to stop")
    return PeerOutcome("completed")


def spawned() -> tuple[PeerSpec, socket.socket]:
    """Return what a fresh interpreter is given: its spec comes first on the line, then orders."""
    line = socket.socket(fileno=int(sys.argv[1]))
    size = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
    return PeerSpec.model_validate_json(line.recv(size, socket.MSG_WAITALL)), line


if __name__ == "__main__":
    main(*spawned())
