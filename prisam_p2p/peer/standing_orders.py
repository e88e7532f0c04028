"""Orders of the launcher that a peer obeys at once, whatever it is doing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prisam_p2p.control.line import Control
from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.transport.transport import Transport
from prisam_p2p.transport.upload_stops import StopReached


def meet_who_comes_later(control: Control, transport: Transport) -> None:
    """Say Hello to neighbors that were absent when this peer connected, once they are there."""

    def meet(order: dict[str, Any]) -> None:
        transport.meet(order["peer"], (order["address"], order["port"]))

    control.at_once("meet", meet)


def stop_transfers(
    spec: PeerSpec, control: Control, transport: Transport, journal: Journal
) -> None:
    """Let transfers wait at the spec's stops until the launcher lets them go."""
    if not spec.stops:
        return

    def tell(reached: StopReached) -> None:
        round_index, share, to = reached.round_index, reached.stop[1], reached.requester
        stopped = records.TransferStopped(round_index, share, to, reached.offset, reached.n_bytes)
        journal.write(stopped)
        control.send({"event": "transfer", "stop": reached.stop, **asdict(stopped)})

    def go_on(order: dict[str, Any]) -> None:
        round_index, share = order["stop"]
        transport.go_on((round_index, share))

    transport.stop_transfers(spec.stops, tell)
    control.at_once("let go", go_on)
