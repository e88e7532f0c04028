"""Where every draw of a fault plan comes from.

An occurrence has a generator of its own, so that one more fault, or one more occurrence, changes
no other's draws.
"""

from __future__ import annotations

import numpy as np
import xxhash


def occurrence_generator(seed: int, fault_id: str, occurrence: int) -> np.random.Generator:
    """Return the generator of SeedSequence([seed, low, high, occurrence]).

    `low` and `high` are the 32-bit words of xxh3-64 of the fault's id in UTF-8.
    """
    digest = xxhash.xxh3_64_intdigest(fault_id.encode())
    words = [seed, digest & 0xFFFFFFFF, digest >> 32, occurrence]
    return np.random.default_rng(np.random.SeedSequence(words))
