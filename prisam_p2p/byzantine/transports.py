"""Transports that announce a stale mask, or upload too slowly."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from prisam_p2p.byzantine.attacker import Attacker
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.mask_coding import RoundMask
from prisam_p2p.wire.relay_messages import RelayedMask

_UP_BYTES_S = 16.0
"""Upload rate of the slow-serving attack: a chunk takes hours."""


class RepeatedStaleMask(Transport):
    """Before each mask, announces the same mask as one of round 0."""

    def __init__(self, attacker: Attacker, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._attacker = attacker

    def _announce(self, mask: RoundMask, card: RelayedMask | None) -> None:
        if mask.round_index:
            self._server.announce(replace(mask, round_index=0))
            self._attacker.tally.add()
        super()._announce(mask, card)


class SlowUploads(Transport):
    """Offers weights like an honest peer, and uploads a few bytes a second."""

    def __init__(self, _attacker: Attacker, *given: Any, **more: Any) -> None:
        slow: list[Any] = [_slowed(a) if isinstance(a, TransportSettings) else a for a in given]
        super().__init__(*slow, **more)
        self._up.spend(
            self._settings.chunk_bytes, time.monotonic()
        )  # no budget for the first chunk
        self._up.peak_bytes_s = 0  # that was no real upload


def _slowed(how: TransportSettings) -> TransportSettings:
    return replace(how, rates=Rates(_UP_BYTES_S, how.rates.down_bytes_s))
