"""Transports that say more, or give less, than they should."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

from prisam_p2p.byzantine.corruptions import Tally
from prisam_p2p.byzantine.exchanges import Stalling
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.messages import MaskAnnounce

_UP_BYTES_S = 16.0
"""A slow server's upload: a chunk takes hours."""


class Repeating(Transport):
    """Says its mask of this round once more as that of round 0, before the other."""

    def __init__(self, tally: Tally, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._tally = tally

    def _announce(self, mask: MaskAnnounce) -> None:
        if mask.round_index:
            self._server.announce(replace(mask, round_index=0))
            self._tally.add()
        super()._announce(mask)


class Slow(Transport):
    """Offers weights like any other, and uploads a few bytes a second."""

    def __init__(self, tally: Tally, *given: Any, **more: Any) -> None:
        slow: list[Any] = [_slowed(a) if isinstance(a, TransportSettings) else a for a in given]
        more["messenger_of"] = partial(Stalling, tally)
        super().__init__(*slow, **more)
        self._up.spend(self._settings.chunk_bytes, time.monotonic())  # the first one takes as long
        self._up.peak_bytes_s = 0  # for nothing has gone yet


def _slowed(how: TransportSettings) -> TransportSettings:
    return replace(how, rates=Rates(_UP_BYTES_S, how.rates.down_bytes_s))
