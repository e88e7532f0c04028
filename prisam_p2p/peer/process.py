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
from typing import Any

from prisam_p2p.algorithms import TRAITS
from prisam_p2p.control.line import Control, Stopped
from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.core.entrywise import entries_of, entrywise
from prisam_p2p.learn.learner import initial_weights
from prisam_p2p.learn.memory import one_heap
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.warm_up import use_threads
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer import standing_orders as at_once
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.deployment import save_deployed
from prisam_p2p.peer.neighbors import Network
from prisam_p2p.peer.parts import Parts, make_learner, make_network, w0_seed
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
from prisam_p2p.transport.message_rule import rule_from
from prisam_p2p.transport.transport import Transport

ORDER_TIMEOUT_S = 86_400.0
"""A launcher that dies ends this process (`Control`); this bound is for one that is stopped. It
is long, for a peer that is done serves the others until all are."""

REJOIN_TIMEOUT_S = 5.0
"""A peer that comes late begins without the neighbors that it has not met by then."""


@dataclass(frozen=True)
class Outcome:
    """How a peer ended: completed, stopped, out-of-memory."""

    state: str
    reason: str = ""


Report = Callable[[dict[str, Any]], None]
"""Tells the launcher something."""


def main(
    spec: PeerSpec, line: socket.socket, parts_of: Callable[[Report], Parts] = lambda _: Parts()
) -> None:
    """Play the peer of `spec` until the launcher says exit, or SIGTERM."""
    if spec.network:  # before there is a second thread, or a socket
        enter(**spec.network)  # type: ignore[arg-type]
    die_with_parent()
    faulthandler.enable()  # a launcher that gives up aborts: the log then says where this hung
    one_heap()  # before there is a second thread
    inbox: Inbox[events.Event] = Inbox()
    stop = StopRequest()
    control = Control(line, on_order=lambda: inbox.put(events.OrderCame()))
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
    control: Control,
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
    if transport:
        _obey_rules(control, transport, journal)
        at_once.stop_transfers(spec, control, transport, journal)
        at_once.meet_who_comes_later(control, transport)
    control.send({"event": "up", "port": port})
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
        partial(control.expect, "go on", timeout_s=ORDER_TIMEOUT_S),
    )
    try:
        outcome = _run(peer, network, control, journal, meter)
        if outcome.state == "completed":
            save_deployed(peer, architecture, journal)
        control.send({"event": "done", "state": outcome.state})
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


def _obey_rules(control: Control, transport: Transport, journal: Journal) -> None:
    """Let the launcher set and remove rules for messages, whatever this peer is doing."""

    def remove(order: dict[str, Any]) -> None:
        rule_id = order["id"]

        def tell(matched: int, acted: int) -> None:
            journal.write(records.PolicyActed(rule_id, matched, acted))
            control.send({"event": "rule", "id": rule_id, "acted": acted})

        transport.remove_message_rule(rule_id, tell)

    control.at_once("rule", lambda order: transport.set_message_rule(rule_from(order["rule"])))
    control.at_once("unrule", remove)


def _serve_until_exit(network: Network | None, control: Control) -> None:
    """Answer neighbors that still pull the last weights, until all peers are done."""
    while True:
        if network:
            network.serve_until(control.has_order, ORDER_TIMEOUT_S)
        order = control.expect("settle", "exit", timeout_s=ORDER_TIMEOUT_S)
        if order["order"] == "exit":
            return
        settled = network is None or network.settle(order["with"], order["timeout_s"])
        control.send({"event": "settled", "settled": settled})


def _finished(
    peer: Peer, outcome: Outcome, meter: MemoryMeter, network: Network | None
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
    control: Control,
    journal: Journal,
    meter: MemoryMeter,
) -> Outcome:
    """Wait for the start, then run the algorithm within the device's memory."""
    asked_mib = peer.spec.device.memory_mib
    try:
        roster = control.expect("roster", timeout_s=ORDER_TIMEOUT_S)["roster"]
        if network:
            neighbors = {n: (address, port) for n, (address, port) in roster.items()}
            patience_s = peer.spec.settings.ready_timeout_s
            if peer.spec.late:  # some neighbors may be gone for good
                patience_s = min(patience_s, REJOIN_TIMEOUT_S)
            network.connect(neighbors, patience_s)
        control.send({"event": "ready"})
        control.expect("go", timeout_s=ORDER_TIMEOUT_S)
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
            return Outcome("out-of-memory", limit if asked_mib else "an allocation was refused")
    except Stopped:
        return Outcome("stopped", "told to stop")
    return Outcome("completed")


def spawned() -> tuple[PeerSpec, socket.socket]:
    """Return what a fresh interpreter is given: its spec comes first on the line, then orders."""
    line = socket.socket(fileno=int(sys.argv[1]))
    size = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
    return PeerSpec.model_validate_json(line.recv(size, socket.MSG_WAITALL)), line


if __name__ == "__main__":
    main(*spawned())
