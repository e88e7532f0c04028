"""A payload with links, bytes, closure and faults whose sums can be checked by hand."""

from __future__ import annotations

from typing import Any

KINDS = ("mask", "weights", "hello")
LAYERS = ("payload", "header", "framing", "beyond")

Tables = dict[str, dict[str, dict[str, list[Any]]]]


def network_payload(peers: int = 6, groups: int = 2, **facts: Any) -> dict[str, Any]:
    """Return a run of peers p00, p01, .. in a full graph, one after another in `groups` groups.

    The link from peer a to peer b carried 1000 (a + 1) + b bytes of payload, and twice that on the
    wire. The fault cut#0 cut the link from p00 to p01.
    """
    links = [(a, b) for a in range(peers) for b in range(peers) if a != b]
    payload = [1000 * (a + 1) + b for a, b in links]
    known = {
        "name": "net",
        "headline": "all peers ran",
        "status": "completed",
        "peers": peers,
        "rounds": 2,
        "rounds_done": 2,
        "duration_s": 8.0,
        "missing": [],
        "closure_words": ["closure: 30 connections, 0 B unexplained (kernel)"],
    }
    tables = {
        "peers": {
            "peer": list(range(peers)),
            "id": [f"p{peer:02d}" for peer in range(peers)],
            "group": [peer % groups for peer in range(peers)],
        },
        "links": {
            "sender": [a for a, _ in links],
            "receiver": [b for _, b in links],
            "n_bytes": payload,
            "wire_bytes": [2 * n for n in payload],
            "rate_mbit_s": [None] * len(links),
            "delay_ms": [None] * len(links),
            "cut": [int(link == (0, 1)) for link in links],
        },
        "bytes": bytes_table(),
        "push_everything": {"round": [0, 1], "n_bytes": [50_000, 60_000]},
        "closure": {
            "step": [0, 1, 2, 3, 4],
            "label": ["payload", "header", "stream", "ACK, SYN, FIN", "wire"],
            "n_bytes": [9000, 500, 9500, 300, 9800],
            "kernel_bytes": [None, None, 9500, 300, 9790],
            "kind_of_step": ["part", "part", "sum", "part", "sum"],
        },
        "faults": faults_table(),
    }
    run = {"facts": {**known, **facts}, "tables": {k: {"columns": v} for k, v in tables.items()}}
    return {"format": 1, "runs": [run]}


def n_bytes_of(at: int, kind: str, layer: str) -> int:
    """Return the bytes of a round, kind and layer; each sum of them tells what was summed."""
    return 10 ** (KINDS.index(kind) + 2) + 10 * (at + 2) + LAYERS.index(layer)


def bytes_table() -> dict[str, list[Any]]:
    """Return the table of bytes: rounds -1 to 1, all kinds and layers."""
    rows = [(at, kind, layer) for at in (-1, 0, 1) for kind in KINDS for layer in LAYERS]
    return {
        "round": [at for at, _, _ in rows],
        "kind": [kind for _, kind, _ in rows],
        "layer": [layer for _, _, layer in rows],
        "n_bytes": [n_bytes_of(*row) for row in rows],
    }


def faults_table() -> dict[str, list[Any]]:
    """Return three occurrences: one that went as planned, one that never fired, one hostile."""
    return {
        "occurrence": ["cut#0", "kill#0", "<img src=x onerror=alert(1)>"],
        "kind": ["cut", "kill", "pause"],
        "peers": [[0, 1], [2], [3]],
        "links": [[[0, 1]], [], []],
        "round": [0, 1, 1],
        "planned": ["round 0, announce", "round 1, train", "round 1, train"],
        "planned_s": [None, None, 3.0],
        "applied_s": [2.0, None, 4.0],
        "verified_s": [2.25, None, 4.5],
        "healed_s": [3.5, None, None],
        "first_round_after": [1, None, None],
        "first_round_after_s": [6.0, None, None],
        "late_s": [0.5, None, 1.0],
        "verdict": ["true", "false", "unknown"],
        "why": ["", "it never fired", "</script><script>alert(1)</script>"],
        "evidence": ["p00: 12 packets dropped", "", "<b>stopped</b>"],
        "cost": ["masks missing: 2", "", ""],
    }
