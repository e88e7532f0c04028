"""A pull of a dense model between two processes: its speed, and its bytes on the wire."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import TypeVar

from prisam_p2p.bench.donor import DONOR, REQUESTER, transport_of
from prisam_p2p.bench.processes import child
from prisam_p2p.bench.raw_tcp import fetch
from prisam_p2p.errors import LaunchError
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.measure.journal import read_journal
from prisam_p2p.processes.kernel_watch import KernelWatch
from prisam_p2p.processes.our_sockets import BetweenAddresses
from prisam_p2p.report.directions import Side
from prisam_p2p.report.kernel import KernelSocket, kernel_socket
from prisam_p2p.report.wire_cost import counted_cost
from prisam_p2p.transport import events
from prisam_p2p.transport.transport import Transport
from prisam_p2p.transport.zap import make_keys
from prisam_p2p.wire import ethernet

_HERE, _THERE, _RAW = "127.77.0.1", "127.77.0.2", "127.77.0.3"
_TIMEOUT_S = 60.0

E = TypeVar("E")


@dataclass(frozen=True)
class PullSpeed:
    """Medians over `repeats` of both, in turns: MB/s (10^6 bytes)."""

    n_bytes: int
    ours_mb_s: float
    raw_mb_s: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Our rate as a share of raw TCP's: the median over the repeats."""
        return statistics.median(self.ratios)


def pull_speed(model: str, classes: int, repeats: int) -> PullSpeed:
    """Compare a pull through the whole code path with raw TCP on the same loopback."""
    with two_peers(model, classes) as (requester, _):
        n_bytes = pull_once(requester).pull.n_bytes  # connects, and warms both sides
        with child("prisam_p2p.bench.raw_tcp", _RAW, str(n_bytes)) as raw:
            endpoint = (_RAW, raw.hear()["port"])
            ours, theirs = [], []
            for _ in range(repeats):
                ours.append(pull_once(requester).wall_s)
                raw.tell()
                theirs.append(fetch(endpoint, n_bytes))
    return PullSpeed(
        n_bytes,
        n_bytes / statistics.median(ours) / 1e6,
        n_bytes / statistics.median(theirs) / 1e6,
        tuple(their / our for our, their in zip(ours, theirs, strict=True)),
    )


def pull_wire_bytes(model: str, classes: int) -> tuple[int, int]:
    """Return (payload bytes, Ethernet bytes) of one pull of a dense model.

    Requests, ACKs and the opening of the bulk connection are included. Streams are the kernel's,
    segments are modelled for an MTU of 1500 (docs/ledger.md).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.jsonl"
        with (
            KernelWatch(BetweenAddresses([_HERE, _THERE]), path, time.monotonic()),
            two_peers(model, classes) as (requester, _),
        ):
            n_bytes = pull_once(requester).pull.n_bytes
        lines = [line for line in read_journal(path) if line["record"] == "socket"]
    bulk = [s for s in map(kernel_socket, lines) if max(s.sent, s.received) > n_bytes]
    if len(bulk) != 2:
        raise LaunchError("kernel", "gave no figures of the pull's connection")
    one, other = bulk
    return n_bytes, _cost(one, other, n_bytes) + _cost(other, one, n_bytes)


def _cost(out: KernelSocket, back: KernelSocket, n_bytes: int) -> int:
    """Return the Ethernet bytes of one direction of the pull's connection."""
    side: Side = "server" if out.local.startswith(f"{_THERE}:") else "client"
    bulk = out.stream > n_bytes
    return counted_cost(out, back, side, out.stream, bulk, ethernet.LOOPBACK_MTU).bytes


@contextmanager
def two_peers(model: str, classes: int, secured: bool = False) -> Iterator[tuple[Transport, int]]:
    """Yield the requester, and the pid of the donor, a process of its own."""
    layout = layout_of(Architecture(model, 1.0, classes, (3, 32, 32)))
    keys = make_keys({DONOR: [REQUESTER], REQUESTER: [DONOR]}) if secured else {}
    with child("prisam_p2p.bench.donor", _THERE, model, str(classes)) as donor:
        donor.tell(keys=keys[DONOR].model_dump(mode="json") if secured else None)
        port = donor.hear()["port"]
        requester = transport_of(REQUESTER, _HERE, layout, keys.get(REQUESTER))
        try:
            donor.tell(address=_HERE, port=requester.port)
            requester.connect({DONOR: (_THERE, port)})
            _wait(requester, events.MaskHeard)
            yield requester, donor.pid
        finally:
            requester.close()


def pull_once(requester: Transport) -> events.PullDone:
    """Pull the dense weights of round 0."""
    requester.pull([DONOR], 0, None, _TIMEOUT_S)
    return _wait(requester, events.PullDone)


def _wait(requester: Transport, kind: type[E]) -> E:
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            event = requester.inbox.get(deadline - time.monotonic())
        except Empty:
            raise LaunchError("donor", f"no {kind.__name__} within {_TIMEOUT_S:g} s") from None
        if isinstance(event, kind):
            return event
        if isinstance(event, events.Broken | events.PullLost):
            raise LaunchError("donor", str(event))
