"""Small payloads of the page, written by hand, for tests of what shows them."""

from __future__ import annotations

from typing import Any


def a_payload(runs: int = 1, **facts: Any) -> dict[str, Any]:
    """Return the payload of runs of four peers and three rounds."""
    return {"format": 1, "runs": [a_run(f"run-{i + 1}", **facts) for i in range(runs)]}


def an_empty_payload() -> dict[str, Any]:
    """Return the payload of a folder in which there was nothing but its plan."""
    facts = {"name": "empty", "headline": "killed before the first round", "status": "killed"}
    return {"format": 1, "runs": [{"facts": {**facts, "missing": ["no journal"]}, "tables": {}}]}


def a_run(
    name: str = "run-1", ids: tuple[str, ...] = ("a", "b", "c", "d"), **facts: Any
) -> dict[str, Any]:
    """Return one run; `ids` are the peers' ids and `facts` replace facts."""
    peers = range(len(ids))
    known = {
        "name": name,
        "headline": f"{len(ids)} of {len(ids)} peers ran 3 rounds in 9.0 s",
        "status": "completed",
        "topology": "ring",
        "algorithm": "prisam",
        "dataset": "digits",
        "model": "mlp",
        "peers": len(ids),
        "rounds": 3,
        "rounds_done": 3,
        "seed": 0,
        "duration_s": 9.0,
        "missing": [],
    }
    rows = [(p, r, m) for p in peers for r in range(3) for m in (0, 1, 2)]
    tables: dict[str, dict[str, list[Any]]] = {
        "tiles": {
            "id": ["deployed", "status"],
            "place": [1, 0],
            "label": ["Deployed accuracy", "Status"],
            "value": ["0.812", "completed"],
            "detail": ["mean of 4 peers", known["headline"]],
            "tone": ["plain", "good"],
            "view": ["accuracy", "timeline"],
        },
        "peers": {
            "peer": list(peers),
            "id": list(ids),
            "group": [p % 2 for p in peers],
            "profile": ["laptop"] * len(ids),
            "state": ["completed"] * len(ids),
            "classes": [[10 * p, 5] for p in peers],
            "asked_speed": [0.5] * len(ids),
            "achieved_speed": [0.4] * len(ids),
        },
        "per_class": {
            "peer": list(peers),
            "round": [0] * len(ids),
            "moment": [2] * len(ids),
            "right": [[3, 4]] * len(ids),
            "of": [[5, 5]] * len(ids),
        },
        "resources": {
            "peer": list(peers),
            "round": [0] * len(ids),
            "speed": [0.4] * len(ids),
        },
        "bytes": {
            "round": [0, 0],
            "kind": ["mask", "weights"],
            "layer": ["payload", "payload"],
            "n_bytes": [1000, 90_000],
        },
        "accuracy": {
            "peer": [p for p, _, _ in rows],
            "round": [r for _, r, _ in rows],
            "moment": [m for _, _, m in rows],
            "validation": [0.5 + 0.1 * r + 0.01 * m for _, r, m in rows],
            "test": [0.5 + 0.1 * r + 0.01 * m + 0.005 * p for p, r, m in rows],
            "t_s": [3.0 * r + m for _, r, m in rows],
            "device_s": [2.0 * r + m for _, r, m in rows],
            "wire_mib": [1.5 * r + 0.1 * m for _, r, m in rows],
        },
        "faults": {
            "occurrence": ["kill-1"],
            "kind": ["kill"],
            "peers": [[1]],
            "links": [[]],
            "round": [1],
            "applied_s": [4.0],
            "healed_s": [6.0],
            "verdict": ["contained"],
        },
    }
    return {
        "facts": {**known, **facts},
        "tables": {each: {"columns": columns} for each, columns in tables.items()},
    }
