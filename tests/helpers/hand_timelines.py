"""Runs of four peers and two rounds with all that the views of time, accuracy and masks show."""

from __future__ import annotations

import base64
from typing import Any

from hand_pages import a_run

PHASES = ["training", "announcing", "waiting for masks", "pulling"]
ROUND_S = 4.0
LAYERS = [["conv1", 5], ["conv2", 9], ["fc", 7]]
N_BITS = 21
MASKS = {
    (0, 0): "110101011010110101011",
    (1, 0): "010101011010110101010",
    (2, 0): "001010100101001010100",
    (3, 0): "001010100101001110101",
    (0, 1): "110101011010110101011",
    (1, 1): "110101011010110101011",
    (2, 1): "001010100101111111111",
}
"""(peer, round) -> bits; peer 3 announces none in round 1."""


def a_timed_run(**facts: Any) -> dict[str, Any]:
    """Return one run: peers a and c in data group 0, b and d in 1."""
    told = {"phases": PHASES, "mask_bits": N_BITS, "mask_layers": LAYERS, "duration_s": 9.0}
    run = a_run(**(told | facts))
    run["tables"] |= {name: {"columns": columns} for name, columns in _tables().items()}
    return run


def a_timed_payload(**facts: Any) -> dict[str, Any]:
    """Return the payload of `a_timed_run`."""
    return {"format": 1, "runs": [a_timed_run(**facts)]}


def spans() -> list[tuple[int, float, int, int, float]]:
    """Return peer, begin, phase, round, end of all spans; peer 1 is down in [4.0, 5.5)."""
    found = []
    for peer in range(4):
        for at in range(2):
            start = 0.5 + ROUND_S * at + 0.1 * peer + (1.5 if (peer, at) == (1, 1) else 0.0)
            lasts = [1.0, 0.25, 1.25, 0.4 if (peer, at) == (1, 0) else 0.5]
            for phase, each in enumerate(lasts):
                found.append((peer, round(start, 4), phase, at, round(start + each, 4)))
                start += each
    return found


def _tables() -> dict[str, dict[str, list[Any]]]:
    rows = spans()
    keys = [(p, r) for p in range(4) for r in range(2)]
    numbers = {bits: i for i, bits in enumerate(dict.fromkeys(MASKS.values()))}
    return {
        "spans": _columns(("peer", "begin_s", "phase", "round", "end_s"), rows),
        "pulls": _columns(
            (
                *("peer", "began_s", "donor", "round", "end_s", "n_bytes", "fetched_bytes"),
                *("lane", "outcome", "reason"),
            ),
            [
                (0, 3.05, 2, 0, 3.3, 2048, 2048, 0, "arrived", ""),
                (0, 3.05, 1, 0, 3.4, None, None, 1, "failed", "<b>closed</b>"),
            ],
        ),
        "arrivals": _columns(
            ("peer", "round", "waited_s", "first_s", "median_s", "last_s", "slowest", "missing"),
            [
                (p, r, 1.25, 2.0, 2.5, 3.0, [(p + 1) % 4], [[2, "late"]] if p == 0 else [])
                for p, r in keys
            ],
        ),
        "groups": _columns(
            ("peer", "round", "members", "chosen", "averaged", "rejected", "norms", "prune_ratio"),
            [
                (p, r, [p, (p + 2) % 4], [(p + 2) % 4], [p], [[(p + 2) % 4, "norm"]], [], 0.5)
                for p, r in keys
            ],
        ),
        "per_class": _columns(
            ("peer", "round", "moment", "right", "of"),
            [(2, 1, 0, [9, 8], [10, 10]), (2, 1, 2, [9, 2], [10, 10])],
        ),
        "masks": _columns(
            ("peer", "round", "mask"), [(p, r, numbers[bits]) for (p, r), bits in MASKS.items()]
        ),
        "mask_bits": _columns(("mask", "bits"), [(i, packed(bits)) for bits, i in numbers.items()]),
        "ari": _columns(("round", "ari"), [(0, 0.5), (1, 1.0)]),
        "links": _columns(
            ("sender", "receiver", "n_bytes"),
            [(a, b, 10) for a in range(4) for b in range(4) if a != b],
        ),
        "faults": _columns(
            ("occurrence", "kind", "peers", "links", "applied_s", "healed_s", "verdict", "why"),
            [
                ("kill-1", "kill", [1], [], 4.01, 5.5, "true", ""),
                ("cut-1", "cut", [], [[0, 2]], 6.7, None, "unknown", "<i>no</i> evidence"),
                ("late-1", "kill", [3], [], None, None, "unknown", "never applied"),
            ],
        ),
        "notes": _columns(
            ("at_s", "peer", "text"), [(4.01, 1, "lost: killed"), (0.5, -1, "the rounds begin")]
        ),
    }


def packed(bits: str) -> str:
    """Return bits as the page carries them: packed, high bit first, base64."""
    n_bytes = -(-len(bits) // 8)
    return base64.b64encode(int(bits.ljust(8 * n_bytes, "0"), 2).to_bytes(n_bytes, "big")).decode()


def _columns(names: tuple[str, ...], rows: list[Any]) -> dict[str, list[Any]]:
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}
