"""The relayed masks that a peer holds, to be told to neighbors that ask. Thread-safe.

Bounded: the two latest versions of each origin, and origins are peers of the run.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from prisam_p2p.wire.relay_messages import Entry, RelayedMask

VERSIONS_KEPT = 2
"""A neighbor asks for what a digest of this round or, at most, of the round before listed."""


class KnownMasks:
    """Masks by origin and version. The peer's own thread adds; the transport's reads.

    Args:
        origins: whose masks may be kept: the peers of the run.
    """

    def __init__(self, origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._lock = threading.Lock()
        self._masks: dict[str, dict[int, RelayedMask]] = {}

    def __len__(self) -> int:
        """Return how many masks are held."""
        with self._lock:
            return sum(map(len, self._masks.values()))

    def keep(self, mask: RelayedMask) -> None:
        """Keep a mask; the oldest version of its origin goes where there are too many.

        Raises:
            ValueError: its origin is no peer of the run.
        """
        if mask.origin not in self._origins:
            raise ValueError(f"{mask.origin} is no peer of this run")
        with self._lock:
            versions = self._masks.setdefault(mask.origin, {})
            versions[mask.version] = mask
            for old in sorted(versions)[:-VERSIONS_KEPT]:
                del versions[old]

    def get(self, entry: Entry) -> RelayedMask | None:
        """Return a mask, None where it is not held."""
        origin, version = entry
        with self._lock:
            return self._masks.get(origin, {}).get(version)
