"""Whether a run tells what happened to it: what was done, against what the run says. Pure.

What may be said of a peer follows from what was done to it, and from its own journal: a peer whose
journal has its final model has done its work, whatever hit it afterwards.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from prisam_p2p.report.verdicts import judge
from prisam_p2p.soak.unplanned.account import Asked, RunAccount
from prisam_p2p.soak.unplanned.disturbances import (
    EVERYTHING,
    FATAL,
    HOLDER,
    KILLING,
    LAUNCHER,
    STOP,
    ZYGOTE,
    DrawnRun,
)
from prisam_p2p.soak.unplanned.draw import NOTICED_S, Undisturbed
from prisam_p2p.soak.unplanned.driver import Delivery

_KILLED, _INTERRUPTED, _FAILED, _COMPLETED = "killed", "interrupted", "failed", "completed"
_STATUS_OF = {
    0: {_COMPLETED},
    4: {_COMPLETED},
    5: {_COMPLETED},
    3: {_FAILED},
    6: {_COMPLETED, _FAILED},
    130: {_INTERRUPTED},
}
"""Exit code -> what the status in summary.json can then be."""

_REASONS = {
    "SIGKILL": ("killed",),
    "SIGSEGV": ("SIGSEGV",),
    "SIGABRT": ("SIGABRT",),
    "SIGTERM": ("SIGTERM",),
    "SIGSTOP": ("stopped",),
}
"""Signal -> words of which one must be in the reason for which a peer is lost."""

_NAMED = 6
"""A headline names so many of the lost peers at least."""

_FINAL_STATES = "final states"
"""The check that every peer completed: false wherever one is lost."""

_SEEN_S = 2.0
"""A launcher that runs sees the end of a peer within this time."""

_IN_TIME = 0.6
"""A peer that was stopped for less than this share of the stall timeout must not be lost."""


@dataclass(frozen=True)
class Case:
    """What was done to a run, what it says, and what is known of it."""

    drawn: DrawnRun
    deliveries: Sequence[Delivery]
    account: RunAccount
    known: Undisturbed

    def hits(self, target: str) -> list[Delivery]:
        """Return what a target got."""
        return [x for x in self.deliveries if x.delivered and x.disturbance.target == target]

    def died(self, target: str) -> Delivery | None:
        """Return what must have ended a target: a fatal signal, or a stop without an end."""
        return next((x for x in self.hits(target) if _is_fatal(x)), None)

    @property
    def launcher_stopped(self) -> bool:
        """Whether the launcher was stopped for a while."""
        return any(
            x.disturbance.signal == STOP for x in self.hits(LAUNCHER) + self.hits(EVERYTHING)
        )

    @property
    def lacks(self) -> bool:
        """Whether it had a small disk or few descriptors."""
        return bool(self.drawn.disk_kib or self.drawn.open_files)

    @property
    def status(self) -> str | None:
        """The status in the summary."""
        return None if self.account.summary is None else str(self.account.summary["status"])

    @property
    def lost(self) -> dict[str, str]:
        """Peer -> why it is lost, as the summary says."""
        return {each["peer"]: each["reason"] for each in (self.account.summary or {})["lost"]}


def untruths(case: Case) -> list[str]:
    """Return what the run says that is not true, in words; nothing where all is true."""
    account = case.account
    found = _wrong_exit(case)
    if account.summary is None:
        return [*found, "there is no summary.json"] if _needs_summary(case) else found
    found += _wrong_status(case)
    if case.status == _COMPLETED:
        found += _wrong_peers(case) + _wrong_checks(case)
    else:
        found += _wrong_peers_of_the_cut(case)
    return found + _wrong_headline(case) + _wrong_sequel(case)


# -- how it ended --------------------------------------------------------------------------


def _wrong_exit(case: Case) -> list[str]:
    code, account = case.account.launched.exit_code, case.account
    allowed = _allowed_codes(case)
    if code not in allowed:
        right = " or ".join(map(str, sorted(allowed)))
        return [f"it ended with exit code {code}, expected {right}"]
    errors = [line for line in account.launched.err.splitlines() if line.startswith("error: ")]
    if code in (2, 3, 4, 5, 6) and len(errors) != 1:
        return [f"it ended with exit code {code} and {len(errors)} lines that say why"]
    if code == 3 and not any(name in errors[0] for name in _culprits(case)):
        return [f"its error names none of {', '.join(_culprits(case))}: {errors[0]}"]
    return []


def _allowed_codes(case: Case) -> set[int]:
    """Return the exit codes that are true."""
    launcher = case.died(LAUNCHER)
    if launcher and launcher.disturbance.signal != "SIGTERM":
        return {-signal.Signals[launcher.disturbance.signal]}
    if launcher:
        if case.status == _INTERRUPTED:
            return {130}
        return {-signal.SIGTERM, 130} | _codes_of_the_end(case)
    if case.lacks:
        refused = {2} if not (case.drawn.force or case.account.began) else set()
        return {6} | refused | _codes_of_the_end(case)
    return _codes_of_the_end(case) | ({3} if _culprits(case) else set())


def _codes_of_the_end(case: Case) -> set[int]:
    """Return the exit code of a run that came to its end, as its summary has it."""
    if case.status != _COMPLETED or case.account.summary is None:
        return set()
    judgement = judge(case.account.summary)
    return {4 if judgement.broken else 5 if judgement.undecided else 0}


def _culprits(case: Case) -> list[str]:
    """Return what the launcher may name as the reason why it could not go on."""
    dead = [name for name in (ZYGOTE, HOLDER) if case.died(name) or _long(case, name)]
    early = [p for p in case.known.peers if any(not x.ready for x in case.hits(p))]
    names = {HOLDER: "network namespaces"}
    return [names.get(each, each) for each in dead + early]


def _needs_summary(case: Case) -> bool:
    """Tell whether the launcher had the time to write a summary, and something to write."""
    return case.account.began and not case.died(LAUNCHER) and not case.drawn.disk_kib


def _wrong_status(case: Case) -> list[str]:
    code, account = case.account.launched.exit_code, case.account
    right = _STATUS_OF.get(code, set())
    if code < 0 and not account.ended:
        right = {_KILLED}
    if code == 6 and not account.ended:  # it could not write its last line
        right = {*right, _KILLED}
    if not right or case.status in right:
        return []
    words = " or ".join(sorted(right))
    return [f"its status is {case.status}, expected {words} with exit code {code}"]


# -- its peers -------------------------------------------------------------------------------


def _wrong_peers(case: Case) -> list[str]:
    """Return what is wrong of the peers of a run that came to its end."""
    found, lost, summary = [], case.lost, case.account.summary or {}
    for peer in case.known.peers:
        done = summary["peers"][peer]["rounds_done"]
        if peer in lost:
            found += _wrong_loss(case, peer, lost[peer])
            right = case.account.rounds.get(peer, 0)
        else:
            found += _concealed_loss(case, peer)
            right = case.known.rounds
        if done != right and not case.drawn.disk_kib:
            found.append(f"{peer} has {done} rounds done, expected {right}")
    return found


def _wrong_loss(case: Case, peer: str, reason: str) -> list[str]:
    """Return why a peer that is lost should not be, or not for this reason."""
    hits = [x for x in case.hits(peer) if _may_lose(case, x)]
    if not hits:
        return [] if case.lacks else [f"{peer} is lost ({reason}), and nothing ended it"]
    words = [word for x in hits for word in _REASONS[x.disturbance.signal]]
    if any(word in reason for word in words):
        return []
    return [f"{peer} is lost ({reason}), expected {' or '.join(words)}"]


def _concealed_loss(case: Case, peer: str) -> list[str]:
    """Return why a peer that is not lost should be."""
    if peer in case.account.deployed:
        return []
    if hit := case.died(peer):
        return [f"{peer} got {hit.disturbance.signal} and is not lost"]
    if _long(case, peer) and not case.launcher_stopped:
        return [f"{peer} was stopped for longer than the stall timeout and is not lost"]
    return [f"{peer} has no final model and is not lost"]


def _wrong_peers_of_the_cut(case: Case) -> list[str]:
    """Return what is wrong of the peers of a run that did not come to its end.

    Peers end with their launcher and their zygote, so not all of their ends are anybody's deed.
    """
    found, lost, summary = [], case.lost, case.account.summary or {}
    for peer in case.known.peers:
        completed = summary["peers"][peer]["state"] == _COMPLETED
        if completed and peer not in case.account.deployed:
            found.append(f"{peer} has no final model and completed")
        if peer in lost and case.status != _FAILED:
            found += _wrong_loss(case, peer, lost[peer])
        elif peer not in lost and not completed and _was_killed_before(case, peer):
            found.append(f"{peer} was killed before the run ended and is not lost")
    return found


def _was_killed_before(case: Case, peer: str) -> bool:
    """Tell whether a peer was killed so early that its launcher has seen it.

    In a run that was interrupted, nobody can tell who told a peer to stop.
    """
    ends = [x.at_s for target in (LAUNCHER, ZYGOTE) for x in case.hits(target)]
    return any(
        hit.disturbance.signal in KILLING
        and hit.ready
        and hit.at_s + _SEEN_S < min(ends, default=0.0)
        for hit in case.hits(peer)
    )


def _is_fatal(hit: Delivery) -> bool:
    """Tell whether a process must have ended of what it got."""
    signal_name, hold_s = hit.disturbance.signal, hit.disturbance.hold_s
    return signal_name in FATAL or (signal_name == STOP and hold_s is None)


def _may_lose(case: Case, hit: Delivery) -> bool:
    """Tell whether a peer may be lost of what it got."""
    if _is_fatal(hit):
        return True
    in_time_s = _IN_TIME * case.known.stall_timeout_s
    return hit.disturbance.signal == STOP and (hit.held_s is None or hit.held_s > in_time_s)


def _long(case: Case, target: str) -> bool:
    """Tell whether a target was stopped for so long that it must have been noticed and ended."""
    enough_s = case.known.stall_timeout_s + NOTICED_S
    return any(
        x.disturbance.signal == STOP and (x.held_s is None or x.held_s > enough_s)
        for x in case.hits(target)
    )


# -- its headline, its checks, and what comes after ------------------------------------------


def _wrong_headline(case: Case) -> list[str]:
    """Return what is wrong of the sentence that says how the run ended."""
    summary, lost = case.account.summary or {}, case.lost
    said, found = summary["headline"], []
    if lost and f"{len(lost)} lost" not in said:
        found.append(f"its headline counts other than {len(lost)} lost peers: {said}")
    named = [peer for peer in case.known.peers if f"{peer} (" in said]
    if {*named} - {*lost} or len(named) < min(len(lost), _NAMED):
        found.append(f"its headline names {', '.join(named)}, lost are {', '.join(lost)}: {said}")
    if case.account.launched.exit_code in (0, 4, 5) and said not in case.account.launched.out:
        found.append(f"its headline was not printed: {said}")
    return found


def _wrong_checks(case: Case) -> list[str]:
    """Return the rules that the run broke; one that lost a peer breaks that of final states."""
    broken = judge(case.account.summary or {}).broken
    if case.lost:
        broken = [each for each in broken if not each.startswith(f"{_FINAL_STATES}: ")]
    return [f"it broke a rule: {each}" for each in broken]


def _wrong_sequel(case: Case) -> list[str]:
    """Return what `prisam summary` and `prisam resume` got wrong, where they were asked."""
    found, account = [], case.account
    if account.summarized:
        found += _failed("summary", account.summarized, {0, 4, 5})
        if not found and not _json(account.summarized.out):
            found.append("prisam summary printed no summary")
    if account.resumed and not (again := _failed("resume", account.resumed, {0, 5})):
        resumed = _json(account.resumed.out)
        states = {each["state"] for each in resumed.get("peers", {}).values()}
        if (resumed.get("status"), states) != (_COMPLETED, {_COMPLETED}):
            found.append(f"resumed, it is {resumed.get('status')}, its peers {sorted(states)}")
    elif account.resumed:
        found += again
    return found


def _failed(name: str, asked: Asked, right: Collection[int]) -> list[str]:
    if asked.exit_code in right:
        return []
    last = (asked.err.strip().splitlines() or ["nothing"])[-1]
    return [f"prisam {name} ended with exit code {asked.exit_code} and said: {last}"]


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
