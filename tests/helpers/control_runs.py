"""What a fault test compares with its control run: the same plan and seed, without the faults.

A test proves that its fault fired (its verdict), that it bit (the run differs from the control
run where the fault says so, and not before), and that it was contained (the others completed, and
did about as well as in the control run). How long a run waits changes none of its results, so that
one control run serves all tests of a topology.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

from launching import SMALL, journal

FIVE_ROUNDS = SMALL.replace("rounds = 3", "rounds = 5")
EIGHT = (
    SMALL.replace("count = 6", "count = 8")
    .replace("rounds = 3", "rounds = 4\nprune_ratio = 0.3")
    .replace("groups = 2", "groups = 1")  # so that everybody pulls from everybody
)
WORSE_BY = 0.15
"""Of accuracy, mean over the peers that a fault did not take away."""


@dataclass(frozen=True)
class ControlRun:
    """A run without faults."""

    path: Path

    @cached_property
    def summary(self) -> dict:
        """Its summary.json."""
        return json.loads((self.path / "summary.json").read_text())


def records(run: Path, peer: str, kind: str) -> list[dict]:
    """Return a peer's records of one kind."""
    return [line for line in journal(run, peer) if line["record"] == kind]


def heard_missing(run: Path, peer: str, gone: str) -> list[int]:
    """Return the rounds in which `peer` went on without the mask of `gone`."""
    return [x["round"] for x in records(run, peer, "heard") if gone in x["missing"]]


def members(run: Path, peer: str) -> dict[int, list[str]]:
    """Return round -> whose weights `peer` averaged."""
    return {x["round"]: x["members"] for x in records(run, peer, "aggregated")}


def masks_before(run: Path, peers: list[str], first_round: int) -> dict:
    """Return (peer, round) -> both masks, of the rounds before one."""
    return {
        (peer, x["round"]): (x["structure"], x["similarity"])
        for peer in peers
        for x in records(run, peer, "masked")
        if x["round"] < first_round
    }


def is_the_control_run_before(run: Path, control: ControlRun, first_round: int) -> None:
    """Assert that nothing differs before the round of the fault: every peer has the same masks."""
    peers = list(control.summary["peers"])
    expected = masks_before(control.path, peers, first_round)
    assert len(expected) == len(peers) * first_round > 0
    assert masks_before(run, peers, first_round) == expected


def finished(summary: dict, *gone: str) -> None:
    """Assert that the peers that are not `gone` completed, and that no check of the run fails."""
    assert summary["closure"]["unexplained_bytes"] == 0
    assert "false" not in {check["verdict"] for check in summary["checks"]}
    states = {each["state"] for peer, each in summary["peers"].items() if peer not in gone}
    assert states == {"completed"}


def contained(summary: dict, control: ControlRun, *gone: str) -> None:
    """Assert that the peers that are not `gone` completed, and learned about as well."""
    finished(summary, *gone)
    left = [peer for peer in summary["peers"] if peer not in gone]
    ours, theirs = (
        fmean(peers[peer]["accuracy"]["deployed"] for peer in left)
        for peers in (summary["peers"], control.summary["peers"])
    )
    assert ours >= theirs - WORSE_BY, (ours, theirs)
