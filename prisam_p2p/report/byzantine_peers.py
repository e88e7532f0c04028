"""What the others made of a rude peer: who noticed, and what they must not have averaged."""

from __future__ import annotations

from typing import Any

from prisam_p2p.report.run_folder import Line, RunFolder

RUDE = frozenset(
    {"lying-mask", "copied-mask", "stale-mask", "sign-flipped", "spoofed", "scaled", "nan"}
    | {"wrong-shape", "refusal", "slow-serving", "other-version"}
)
_NEVER_AVERAGED = frozenset({"nan", "wrong-shape", "refusal", "slow-serving", "other-version"})
_FAR_BEYOND = 2.0
"""Of the norm limit: honest weights differ in their norm, too (ADR 0019)."""


def named_by(run: RunFolder, applied: list[Line]) -> list[str]:
    """Return the peers whose journals name a peer, from the moment on when it became rude.

    It was rejected, a pull from it failed, or something that it sent was turned away.
    """
    since = {line["peer"]: line["t_s"] for line in applied}
    return [
        peer
        for peer in run.peers
        if any(
            peer != rude and line["t_s"] >= at_s and _names(line, rude)
            for rude, at_s in since.items()
            for line in run.journals[peer]
        )
    ]


def is_to_be_left_out(run: RunFolder, occurrence: dict[str, Any]) -> bool:
    """Tell whether checks on receipt must keep what such rude peers give out of every average."""
    if occurrence["kind"] != "scaled":
        return occurrence["kind"] in _NEVER_AVERAGED
    limit = run.plan["settings"]["norm_limit"] * _FAR_BEYOND
    size = abs(occurrence["parameters"]["factor"])
    return bool(size > limit or size < 1 / limit)


def rounds_of_lies(run: RunFolder, peer: str, since_s: float, until_s: float) -> set[int]:
    """Return the rounds that a peer announced while it was rude, and not before or after."""
    announced = run.records(peer, "announced")
    rude = {x["round"] for x in announced if since_s <= x["t_s"] < until_s}
    return rude - {x["round"] for x in announced if not since_s <= x["t_s"] < until_s}


def _names(line: Line, rude: str) -> bool:
    who = {"rejected": "donor", "pull_failed": "donor", "turned": "sender"}.get(line["record"])
    return who is not None and bool(line[who] == rude)
