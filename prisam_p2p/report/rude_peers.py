"""What the others made of a rude peer: who noticed, and whether anybody averaged its lies."""

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
_ROUTING_IDS = ("c:", "b:")


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


def averaged_lies(run: RunFolder, occurrence: dict[str, Any], applied: list[Line]) -> str:
    """Return who averaged what no peer may average, in words; empty if nobody did."""
    if not _is_to_be_left_out(run, occurrence):
        return ""
    for line in applied:
        rounds = _rounds_of_lies(run, occurrence["id"], line)
        for peer in run.peers:
            for made in run.records(peer, "aggregated"):
                here = line["peer"] in made["members"] and made["round"] in rounds
                if here and peer != line["peer"]:
                    return f"{peer} averaged {line['peer']} in round {made['round']}"
    return ""


def _names(line: Line, rude: str) -> bool:
    if line["record"] in ("rejected", "pull_failed"):
        return bool(line["donor"] == rude)
    if line["record"] != "turned":
        return False
    # A stranger is named by its routing id: at the end of the reason where it said another name.
    last = line["reason"].rpartition(" ")[2]
    sender = last if last.startswith(_ROUTING_IDS) else line["sender"]
    return bool(sender.removeprefix("c:").removeprefix("b:") == rude)


def _is_to_be_left_out(run: RunFolder, occurrence: dict[str, Any]) -> bool:
    if occurrence["kind"] != "scaled":
        return occurrence["kind"] in _NEVER_AVERAGED
    limit = run.plan["settings"].get("norm_limit", 1e9) * _FAR_BEYOND
    size = abs(occurrence["parameters"]["factor"])
    return bool(size > limit or size < 1 / limit)


def _rounds_of_lies(run: RunFolder, fault: str, applied: Line) -> set[int]:
    """Return the rounds that a peer announced while it was rude, and not before or after."""
    peer, since_s = applied["peer"], applied["t_s"]
    healed = [x for x in run.records("launcher", "fault_healed") if x["fault"] == fault]
    until_s = min((x["t_s"] for x in healed if x["peer"] == peer), default=float("inf"))
    masked = run.records(peer, "masked")
    rude = {x["round"] for x in masked if since_s <= x["t_s"] < until_s}
    return rude - {x["round"] for x in masked if not since_s <= x["t_s"] < until_s}
