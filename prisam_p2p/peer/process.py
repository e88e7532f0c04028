"""From a spec to a running peer: what a peer's process does from its first line to its last."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import xxhash

from prisam_p2p.core.entrywise import EntryLayout, entries_of, entrywise, network_of
from prisam_p2p.core.layout import Layout, Weights, pack
from prisam_p2p.core.masks import similarity_bits
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.entry_learner import EntryLearner
from prisam_p2p.learn.learner import Learner, initial_weights
from prisam_p2p.learn.memory import one_heap
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.personalized import save_personalized
from prisam_p2p.learn.shared_data import SharedImages, open_shared
from prisam_p2p.learn.splits import PeerData
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.learn.training import Hyperparameters
from prisam_p2p.learn.warm_up import use_threads
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer import at_once, events
from prisam_p2p.peer.admission import Identity
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.control import Control, Stopped
from prisam_p2p.peer.enter import enter
from prisam_p2p.peer.limits import (
    MemoryMeter,
    die_with_parent,
    is_out_of_memory,
    memory_above_baseline,
)
from prisam_p2p.peer.network import Network
from prisam_p2p.peer.pacing import bytes_per_second
from prisam_p2p.peer.peer import Peer
from prisam_p2p.peer.policy_rule import rule_from
from prisam_p2p.peer.pulls import Patience
from prisam_p2p.peer.round_book import RoundBook
from prisam_p2p.peer.round_deadline import Limits, RoundDeadline
from prisam_p2p.peer.spec import PeerSpec
from prisam_p2p.peer.traits import TRAITS
from prisam_p2p.peer.transport import Exchanging, Rates, Transport
from prisam_p2p.wire.messages import WireDtype

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


@dataclass(frozen=True)
class Parts:
    """What makes a peer's network: these classes, or others that speak the same wire."""

    transport: Callable[..., Transport] = Transport
    network: Callable[..., Network] = Network


Report = Callable[[dict[str, Any]], None]
"""Tells the launcher something."""


def main(
    spec: PeerSpec, line: socket.socket, parts_of: Callable[[Report], Parts] = lambda _: Parts()
) -> None:
    """Play the peer of `spec` until the launcher says exit, or SIGTERM."""
    if spec.network:  # before there is a second thread, or a socket
        enter(**spec.network)  # type: ignore[arg-type]
    die_with_parent()
    one_heap()  # before there is a second thread
    inbox: SimpleQueue[events.Event] = SimpleQueue()
    stop = _Stop()
    control = Control(line, on_order=lambda: inbox.put(events.OrderCame()))
    _on_sigterm(stop, inbox, control)
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
    inbox: SimpleQueue[events.Event],
    stop: _Stop,
    journal: Journal,
    parts: Parts,
) -> None:
    architecture = Architecture(
        spec.settings.model, spec.settings.width, spec.n_classes, spec.image_shape
    )
    layout = layout_of(architecture)
    w0 = initial_weights(architecture, spec.settings.seed)
    if TRAITS[spec.settings.algorithm].entrywise:
        layout = entrywise(layout)
        w0 = entries_of(layout, w0, layout.full_mask())
    learner = _learner(spec, architecture, layout)
    network, transport = _network(spec, layout, w0, inbox, journal, parts)
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
    sleep = _sleeper(stop, meter if spec.device.memory_mib else None)
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
            _save(peer, architecture, journal)
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

        transport.remove_policy_rule(rule_id, tell)

    control.at_once("rule", lambda order: transport.set_policy_rule(rule_from(order["rule"])))
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


def _learner(spec: PeerSpec, architecture: Architecture, layout: Layout) -> Learner:
    shared = SharedImages(spec.data.fd, spec.data.n_images, spec.image_shape)
    images, labels = open_shared(shared)
    data = PeerData(
        np.array(spec.data.train), np.array(spec.data.validation), np.array(spec.data.test), None
    )
    s = spec.settings
    how = Hyperparameters(s.batch_size, s.momentum, s.gamma_l1)
    seed = int(np.random.SeedSequence([s.seed, spec.index]).generate_state(1)[0])
    given = (architecture, images, labels, data, how, seed, s.device.value)
    return EntryLearner(layout, *given) if isinstance(layout, EntryLayout) else Learner(*given)


def _network(
    spec: PeerSpec,
    layout: Layout,
    w0: Weights,
    inbox: SimpleQueue[events.Event],
    journal: Journal,
    parts: Parts,
) -> tuple[Network | None, Transport | None]:
    s = spec.settings
    traits = TRAITS[s.algorithm]
    if traits.silent:
        return None, None
    digest = xxhash.xxh3_128_digest(pack(layout, w0))
    me = Identity(bytes.fromhex(spec.run_id), spec.peer_id, spec.incarnation, digest, layout.digest)
    up, down = spec.device.up_mbit_s, spec.device.down_mbit_s
    how = Exchanging(
        chunk_bytes=s.chunk_kib * 1024,
        patience=Patience(s.pull_timeout_s, s.pull_least_bytes_s, s.resume_timeout_s),
        rates=Rates(bytes_per_second(up), bytes_per_second(down)),
        serve_at_once=s.serve_at_once,
        policy_seed=s.seed,
    )
    transport = parts.transport(
        me, spec.address, spec.neighbors, layout, inbox, how, journal.write, spec.port, spec.keys
    )
    n_bits = {
        "similarity": similarity_bits(layout, s.similarity_layers),
        "structure": layout.n_bits,
    }
    book = RoundBook(spec.neighbors, n_bits.get(traits.masks, 0))
    dtype = WireDtype[s.wire_dtype.name]
    deadline = RoundDeadline(Limits(s.round_timeout_s, s.deadline_k, s.deadline_floor_s, s.quorum))
    what = (book, deadline, inbox, journal, layout, s.pull_deadline_s, dtype)
    return parts.network(transport, *what), transport


def _save(peer: Peer, architecture: Architecture, journal: Journal) -> None:
    """Write the personalized model and journal what was deployed."""
    deployed = peer.deployment
    assert deployed is not None
    buffer = pack(peer.layout, deployed.weights)
    extra = {
        "peer": peer.peer_id,
        "dataset": peer.spec.settings.dataset,
        "mean": json.dumps(peer.spec.mean),
        "std": json.dumps(peer.spec.std),
        "run": peer.spec.run_id,
        "prune_ratio": str(deployed.prune_ratio),
        "similarity_mask": peer.similarity_bits,
        "moment": deployed.moment,
        "test_accuracy": str(deployed.accuracy.test),
    }
    layout, weights = peer.layout, deployed.weights
    if isinstance(layout, EntryLayout):  # no layer is smaller: zeros stand where nothing is kept
        weights, layout = network_of(layout, weights), layout.network
    save_personalized(peer.spec.model_path, architecture, layout, weights, extra)
    journal.write(
        records.Deployed(
            deployed.moment,
            deployed.accuracy.validation,
            deployed.accuracy.test,
            deployed.prune_ratio,
            peer.layout.n_parameters(deployed.weights.mask),
            macs(architecture, weights.mask),
            len(buffer),
            xxhash.xxh3_128_hexdigest(buffer),
        )
    )


class _Stop:
    """Whether this process was told to stop.

    A signal handler may interrupt the very wait it wants to end, so there is no lock in it:
    SimpleQueue is made for that, threading.Event is not.
    """

    def __init__(self) -> None:
        self._asked = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def ask(self) -> None:
        """End every `sleep`, now and later."""
        self._asked = True
        self._wake.put(None)

    def sleep(self, seconds: float) -> None:
        """Wait so long, or raise Stopped."""
        if seconds > 0 and not self._asked:
            with contextlib.suppress(Empty):
                self._wake.get(timeout=seconds)
        if self._asked:
            raise Stopped("told to stop")


def _sleeper(stop: _Stop, meter: MemoryMeter | None) -> Callable[[float], None]:
    """Return what runs after each training step: sleep, or raise where the process is to stop."""

    def sleep(seconds: float) -> None:
        if meter:
            meter.sample()
        stop.sleep(seconds)

    return sleep


def _on_sigterm(stop: _Stop, inbox: SimpleQueue[events.Event], control: Control) -> None:
    """Make SIGTERM end every wait; Ctrl-C in a terminal is the launcher's to handle."""

    def handle(_signal: int, _frame: object) -> None:
        stop.ask()
        inbox.put(events.StopAsked())
        control.interrupt()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def spawned() -> tuple[PeerSpec, socket.socket]:
    """Return what a fresh interpreter is given: its spec comes first on the line, then orders."""
    line = socket.socket(fileno=int(sys.argv[1]))
    size = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "big")
    return PeerSpec.model_validate_json(line.recv(size, socket.MSG_WAITALL)), line


if __name__ == "__main__":
    main(*spawned())
