"""What the runs of a conformance check show. Each finding is judged from a run folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prisam_p2p.conformance.trials import Ended, Trials
from prisam_p2p.errors import ConfigError, PrisamError
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import read_summary
from prisam_p2p.report.verdicts import FALSE, NOT_JUDGED, TRUE, judge
from prisam_p2p.report.verify import compare

FIRST, SECOND, FAULTY, RESUMED = "first", "second", "with-faults", "resumed"
_COMES_TO_NOTHING = "the first run did not come to its end"


class NotLaunched(PrisamError):
    """`prisam launch` refused the algorithm; told in its words, which name its option."""

    exit_code = ConfigError.exit_code

    def __init__(self, said: str) -> None:
        super().__init__(said.removeprefix("error: ").replace("--algorithm", "CODE", 1))


@dataclass(frozen=True)
class Finding:
    """What was checked, and how it is.

    Attributes:
        rule: what an algorithm must do, as a short sentence.
        verdict: true, false or not judged (report/verdicts.py).
        why: in words, where it is not true; else what was looked at.
    """

    rule: str
    verdict: str
    why: str


RUNS = "it runs"
METERED = "its bytes are metered"
REPRODUCIBLE = "two runs give the same result"
ROBUST = "missing peers are survived"
RESUMABLE = "an interrupted run comes to the same result"
RULES = (RUNS, METERED, REPRODUCIBLE, ROBUST, RESUMABLE)


def check(trials: Trials, show: Callable[[Finding], object]) -> list[Finding]:
    """Do the runs, and return a finding for each rule.

    Args:
        show: called with each finding, as soon as it is known.

    Raises:
        NotLaunched: the code is not there, or has no traits, say.
    """
    found: list[Finding] = []

    def note(finding: Finding) -> Finding:
        found.append(finding)
        show(finding)
        return finding

    first = trials.launch(FIRST)
    if first.code == ConfigError.exit_code:
        raise NotLaunched(first.said)
    if note(runs(trials, first)).verdict != TRUE:
        for rule in RULES[1:]:
            note(Finding(rule, NOT_JUDGED, _COMES_TO_NOTHING))
        return found
    note(metered(summary_of(trials, FIRST)))
    same = note(reproducible(trials, trials.launch(SECOND)))
    if RunFolder(trials.path(FIRST)).plan["traits"]["silent"]:
        note(Finding(ROBUST, NOT_JUDGED, "it never communicates"))
    else:
        note(robust(trials, trials.launch_with_faults(FAULTY)))
    if same.verdict == TRUE:
        note(resumable(trials, trials.interrupt_and_resume(RESUMED)))
    else:
        note(Finding(RESUMABLE, NOT_JUDGED, "two runs differ even if none is interrupted"))
    return found


def runs(trials: Trials, ended: Ended) -> Finding:
    """Judge the first run: it comes to its end, and its checks hold."""
    if ended.code:
        return Finding(RUNS, FALSE, _why(trials, FIRST, ended))
    return Finding(RUNS, TRUE, f"4 peers, {summary_of(trials, FIRST)['rounds_done']} rounds")


def metered(summary: dict[str, Any]) -> Finding:
    """Judge the bytes of the first run: each is explained, and no stranger connected."""
    closed = summary["closure"]
    figures = (
        f"{closed['connections']} connections, {closed['unexplained_bytes']:,} B unexplained "
        f"({closed['source']}), {closed['foreign_connections']} connections of strangers"
    )
    if closed["verdict"] == NOT_JUDGED:
        return Finding(METERED, NOT_JUDGED, "nothing was sent")
    good = closed["verdict"] == TRUE and not closed["foreign_connections"]
    return Finding(METERED, TRUE if good else FALSE, figures)


def reproducible(trials: Trials, ended: Ended) -> Finding:
    """Compare the second run with the first."""
    hint = "draw random numbers with me.draw, or seed them by (seed, peer, round)"
    return _same_as_first(trials, SECOND, ended, REPRODUCIBLE, hint)


def resumable(trials: Trials, ended: Ended) -> Finding:
    """Compare the run that was interrupted and resumed with the first."""
    hint = "what outlives a round must be in the weights of me.end_round, or in me.memory"
    return _same_as_first(trials, RESUMED, ended, RESUMABLE, hint)


def robust(trials: Trials, ended: Ended) -> Finding:
    """Judge the run with faults: the peers that were not killed complete."""
    if ended.code not in (0, 5):
        hint = "a missing peer is absent from what me.hear and me.pull return"
        return Finding(ROBUST, FALSE, f"{_why(trials, FAULTY, ended)}; {hint}")
    summary = summary_of(trials, FAULTY)
    fired = [fault["id"] for fault in summary["faults"] if fault["fired"]]
    if not fired:
        return Finding(ROBUST, NOT_JUDGED, "no fault fired")
    return Finding(ROBUST, TRUE, "p03 was killed for good, p01 was restarted")


def summary_of(trials: Trials, name: str) -> dict[str, Any]:
    """Return the summary of a run."""
    return read_summary(RunFolder(trials.path(name)))


def _same_as_first(trials: Trials, name: str, ended: Ended, rule: str, hint: str) -> Finding:
    if ended.code not in (0, 5):
        return Finding(rule, FALSE, _why(trials, name, ended))
    differences = compare(RunFolder(trials.path(FIRST)), RunFolder(trials.path(name)))
    if differences:
        return Finding(rule, FALSE, f"{differences[0]}; {hint}")
    return Finding(rule, TRUE, "masks, groups, averages, accuracy and weights are equal")


def _why(trials: Trials, name: str, ended: Ended) -> str:
    """Return why a run failed: what its peers died of, else what the command said."""
    run = RunFolder(trials.path(name))
    try:
        reasons = [
            f"{peer}: {line['reason']}"
            for peer in run.peers
            for line in run.records(peer, "finished")
            if line["state"] == "failed"
        ]
        broken = judge(summary_of(trials, name)).broken
    except (ConfigError, OSError):  # it wrote no plan, or no summary
        reasons, broken = [], []
    told = reasons[:1] or broken[:1] or [ended.said]
    return f"exit code {ended.code}; {told[0]}"
