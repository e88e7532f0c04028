"""Disturbed runs made by hand: what was done, and what the run says of it."""

from __future__ import annotations

from prisam_p2p.soak.unplanned.account import Asked, RunAccount
from prisam_p2p.soak.unplanned.disturbances import Disturbance, DrawnRun
from prisam_p2p.soak.unplanned.draw import Undisturbed
from prisam_p2p.soak.unplanned.driver import Delivery
from prisam_p2p.soak.unplanned.truth import Case

PEERS = ("p00", "p01", "p02", "p03")
ROUNDS = 8
KNOWN = Undisturbed(
    peers=PEERS,
    rounds=ROUNDS,
    duration_s=20.0,
    run_s=16.0,
    folder_kib=4000,
    stall_timeout_s=5.0,
    has_holder=False,
)


def sent(target, signal, hold_s=None, **what):
    """Return a signal that was delivered in round 3, unless `what` says otherwise."""
    disturbance = Disturbance(target=target, signal=signal, after_s=1.0, hold_s=hold_s)
    known = {"too_late": "", "at_s": 8.0, "ready": True, "rounds": 3, "held_s": hold_s}
    return Delivery(disturbance, **(known | what))


def summary_of(status="completed", broken=(), undecided=(), **lost):
    """Return the summary of a run in which each peer of `lost` is lost after 3 rounds, and why."""
    verdicts = {"false": broken, "unknown": undecided}
    checks = [
        {"check": name, "verdict": verdict, "why": "because"}
        for verdict, names in verdicts.items()
        for name in names
    ]
    who = ", ".join(f"{peer} ({why}, round 3)" for peer, why in lost.items())
    return {
        "status": status,
        "headline": f"prisam on net: {status}" + (f"; {len(lost)} lost: {who}" if lost else ""),
        "peers": {
            peer: {
                "state": "died" if peer in lost else "completed",
                "rounds_done": 3 if peer in lost else ROUNDS,
            }
            for peer in PEERS
        },
        "lost": [{"peer": peer, "reason": why, "round": 3} for peer, why in lost.items()],
        "closure": {"unexplained_bytes": 0, "failures": []},
        "checks": checks,
        "faults": [],
    }


def case_of(deliveries, exit_code, summary, deployed=PEERS, drawn=None, **account):
    """Return the case of a run that began, all of whose peers were ready, and which ended."""
    lost = {each["peer"] for each in (summary or {"lost": []})["lost"]}
    says = "error: it lost a peer\n" if exit_code in (2, 3, 4, 5, 6) else ""
    known = {
        "launched": Asked(exit_code, (summary or {"headline": ""})["headline"], says),
        "began": True,
        "ready": True,
        "ended": True,
        "deployed": frozenset(deployed) - lost,
        "rounds": {peer: 3 if peer in lost else ROUNDS for peer in PEERS},
        "started": frozenset(PEERS),
        "summary": summary,
    }
    drawn = drawn or DrawnRun(seed=0, number=0)
    return Case(drawn, list(deliveries), RunAccount(**(known | account)), KNOWN)
