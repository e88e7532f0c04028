"""The CPU time of comparing a peer with 199 others: by masks, and by cosines of whole weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from prisam_p2p.core.grouping import distances

OTHERS = 199


@dataclass(frozen=True)
class Comparison:
    """CPU seconds of one peer's comparisons with all others; the ratio is of the medians."""

    masks_s: float
    cosine_s: float

    @property
    def ratio(self) -> float:
        """CPU time by cosines, divided by that by masks."""
        return self.cosine_s / self.masks_s


def compare(mask_bytes: int, parameters: int, repeats: int) -> Comparison:
    """Measure both on random data; their cost does not depend on the data."""
    rng = np.random.default_rng(0)
    own, *others = (rng.bytes(mask_bytes) for _ in range(OTHERS + 1))
    mine, theirs = rng.standard_normal((2, parameters), np.float32)

    def cosines() -> None:
        for _ in range(OTHERS):  # one array stands for all: 199 of them are gigabytes
            _ = float(mine @ theirs) / float(np.sqrt(theirs @ theirs))

    masks_s = [_cpu_s(lambda: distances(own, others), 200) for _ in range(repeats)]
    cosine_s = [_cpu_s(cosines, 1) for _ in range(repeats)]
    return Comparison(statistics.median(masks_s), statistics.median(cosine_s))


def _cpu_s(call: Callable[[], object], n: int) -> float:
    began = time.process_time()
    for _ in range(n):
        call()
    return (time.process_time() - began) / n
