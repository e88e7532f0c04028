"""Random disturbances of a run, from a seed. Pure.

Half of them wait for the end of a round, so that they hit a run at the same place however fast the
machine is. The others are timed by the clock, and hit whatever is going on, the start included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prisam_p2p.soak.unplanned.disturbances import (
    CONTINUE,
    EVERYTHING,
    FATAL,
    HOLDER,
    LAUNCHER,
    STOP,
    ZYGOTE,
    Disturbance,
    DrawnRun,
)

_SMALL_DISK, _FEW_FILES = 0.1, 0.1
"""Shares of the runs that get a small disk, or few descriptors, instead of signals. The preflight
may refuse them; half of those with a small disk start with --force."""

_LEAST_FILES, _MOST_FILES = 12, 160

_SHARES = {LAUNCHER: 0.15, ZYGOTE: 0.1, EVERYTHING: 0.1, HOLDER: 0.1}
"""Target -> share of the disturbances; the rest goes to peers."""

NOTICED_S = 5.0
"""A process without progress is noticed within this time, and ended after the stall timeout."""


@dataclass(frozen=True)
class Undisturbed:
    """What is known of the run without disturbances.

    Attributes:
        rounds: at least 2.
        duration_s: from the launcher's start to its end.
        run_s: of these, from the run's first record to its last.
        folder_kib: size of its run folder.
        stall_timeout_s: the setting.
        has_holder: its network is made of namespaces.
    """

    peers: Sequence[str]
    rounds: int
    duration_s: float
    run_s: float
    folder_kib: int
    stall_timeout_s: float
    has_holder: bool


def draw_run(seed: int, number: int, known: Undisturbed) -> DrawnRun:
    """Return what run `number` of a soak is to suffer; each target is disturbed at most once."""
    rng = np.random.default_rng([seed, number])
    kind = rng.random()
    if kind < _SMALL_DISK:
        disk_kib = int(known.folder_kib * rng.uniform(0.05, 0.95)) + 1
        return DrawnRun(seed=seed, number=number, disk_kib=disk_kib, force=bool(rng.integers(2)))
    if kind < _SMALL_DISK + _FEW_FILES:
        open_files = int(rng.integers(_LEAST_FILES, _MOST_FILES))
        return DrawnRun(seed=seed, number=number, open_files=open_files)
    wanted = [_target(rng, known) for _ in range(int(rng.integers(1, 5)))]
    drawn = tuple(_disturbance(rng, target, known) for target in dict.fromkeys(wanted))
    return DrawnRun(seed=seed, number=number, disturbances=drawn)


def _target(rng: np.random.Generator, known: Undisturbed) -> str:
    at = rng.random()
    for target, share in _SHARES.items():
        if at < share and (known.has_holder or target != HOLDER):
            return target
        at -= share
    return known.peers[int(rng.integers(len(known.peers)))]


def _disturbance(rng: np.random.Generator, target: str, known: Undisturbed) -> Disturbance:
    signals = [*FATAL, STOP, STOP, STOP, *([] if target == LAUNCHER else [CONTINUE])]
    signal = STOP if target == EVERYTHING else signals[int(rng.integers(len(signals)))]
    if rng.integers(2):
        after_round, most_s = int(rng.integers(known.rounds - 1)), known.run_s / known.rounds
    else:
        after_round, most_s = None, known.duration_s
    return Disturbance.model_validate(
        {
            "target": target,
            "signal": signal,
            "after_round": after_round,
            "after_s": round(float(rng.uniform(0, most_s)), 2),
            "hold_s": _hold_s(rng, target, known.stall_timeout_s) if signal == STOP else None,
        }
    )


def _hold_s(rng: np.random.Generator, target: str, stall_timeout_s: float) -> float | None:
    """Return for how long: clearly less than the timeout, clearly more, or None (for ever).

    Somebody has to be there to end what is stopped for ever: not where it is the launcher.
    """
    kinds = ["short", "long", *([] if target in (LAUNCHER, EVERYTHING) else ["for ever"])]
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "short":
        return round(float(rng.uniform(0.05, 0.5)) * stall_timeout_s, 2)
    if kind == "long":
        return round(stall_timeout_s + NOTICED_S + float(rng.uniform(1.0, 3.0)), 2)
    return None
