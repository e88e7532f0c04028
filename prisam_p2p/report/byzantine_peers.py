"""What honest peers made of Byzantine ones: which noticed, and what none may have averaged."""

from __future__ import annotations

from typing import Any

from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.report.run_folder import Line, RunFolder

_FAR_BEYOND = 2.0
"""Times the norm limit: the norms of honest weights differ, too (ADR 0019)."""


def named_by(run: RunFolder, applied: list[Line]) -> list[str]:
    """Return the peers whose journals name a Byzantine peer after its attack began.

    Its weights were rejected, a pull from it failed, or a message of it was rejected.
    """
    since = {line["peer"]: line["t_s"] for line in applied}
    return [
        peer
        for peer in run.peers
        if any(
            peer != attacker and line["t_s"] >= at_s and _names(line, attacker)
            for attacker, at_s in since.items()
            for line in run.journals[peer]
        )
    ]


def must_be_left_out(run: RunFolder, occurrence: dict[str, Any]) -> bool:
    """Tell whether no average may contain what the Byzantine peers of an occurrence offered."""
    attack = KINDS[occurrence["kind"]].attack
    if attack is None or attack.noticed_by != "norm":
        return attack is not None and attack.never_averaged
    limit = run.plan["settings"]["norm_limit"] * _FAR_BEYOND
    size = abs(occurrence["parameters"]["factor"])
    return bool(size > limit or size < 1 / limit)


def attacked_rounds(run: RunFolder, peer: str, since_s: float, until_s: float) -> set[int]:
    """Return the rounds that a peer announced during its attack, and not before or after it."""
    announced = run.records(peer, "announced")
    during = {x["round"] for x in announced if since_s <= x["t_s"] < until_s}
    return during - {x["round"] for x in announced if not since_s <= x["t_s"] < until_s}


def _names(line: Line, attacker: str) -> bool:
    who = {"rejected": "donor", "pull_failed": "donor", "turned": "sender"}.get(line["record"])
    return who is not None and bool(line[who] == attacker)
