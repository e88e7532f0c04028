"""What happened in a run, in one sentence. Pure: from its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prisam_p2p.report.host_summary import lost_host_words
from prisam_p2p.report.lost import COMPLETED, FAILED, INTERRUPTED

NAMED = 6
"""At most this many lost peers are named."""

Summary = Mapping[str, Any]


def headline(summary: Summary) -> str:
    """Return how a run ended, how far its peers came, and who was lost.

    Args:
        summary: summary.json, without its headline.
    """
    happened = _completed(summary) if summary["status"] == COMPLETED else _not_completed(summary)
    told = "; ".join([happened, *_lost_hosts(summary), *_lost(summary)])
    return f"{summary['algorithm']} on {summary['topology']}: {told}"


def _completed(summary: Summary) -> str:
    n_peers, rounds, took = len(summary["peers"]), summary["rounds"], _took(summary, " in ")
    done = _rounds_of_the_others(summary)
    if not done:
        return f"no peer of {n_peers} completed{took}"
    early = sum(each < rounds for each in done)
    converged = f" ({early} converged early)" if early else ""
    if summary["lost"]:
        return f"{len(done)} of {n_peers} peers ran {_span(done)} rounds{converged}{took}"
    return f"completed, {_span(done)} rounds{converged}{took}"


def _not_completed(summary: Summary) -> str:
    if summary["status"] == INTERRUPTED:
        what = "interrupted"
    elif summary["status"] == FAILED:
        what = "failed"
    else:
        what = "not ended (its launcher was killed, could not write, or still runs)"
    if not summary["start"]:
        return f"{what} before the rounds began{_took(summary, ', after ')}"
    done = _rounds_of_the_others(summary)
    done = done or [each["rounds_done"] for each in summary["peers"].values()]
    return f"{what} after {_span(done)} of {summary['rounds']} rounds{_took(summary, ', ')}"


def _rounds_of_the_others(summary: Summary) -> list[int]:
    """Return how many rounds each peer did that was not lost."""
    lost = {each["peer"] for each in summary["lost"]}
    return [x["rounds_done"] for peer, x in summary["peers"].items() if peer not in lost]


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _took(summary: Summary, before: str) -> str:
    duration_s = summary["duration_s"]
    return "" if duration_s is None else f"{before}{duration_s:.1f} s"


def _lost_hosts(summary: Summary) -> list[str]:
    """Return each lost host, and when the peers were lost that did not go on elsewhere."""
    hosts = summary.get("hosts")
    return [_lost_host(each, summary) for each in hosts["lost"]] if hosts else []


def _lost_host(host: Mapping[str, Any], summary: Summary) -> str:
    gone = [x for x in summary["lost"] if x["host"] == host["host"] and x["peer"] in host["peers"]]
    planned = " as planned" if gone and all(x["planned"] for x in gone) else ""
    told = lost_host_words(host)
    return f"{told[:-1]}{planned}, {_places(gone, summary['rounds'])})" if gone else told


def _places(lost: Sequence[Mapping[str, Any]], rounds: int) -> str:
    """Return in words when the peers of a host were lost."""
    order = sorted(lost, key=lambda x: -1 if x["round"] is None else x["round"])
    first, last = (where(order[i], rounds) for i in (0, -1))
    if first == last:
        return first
    if first.startswith("round ") and last.startswith("round "):
        return f"rounds {first.removeprefix('round ')} to {last.removeprefix('round ')}"
    return f"{first} to {last}"


def _lost(summary: Summary) -> list[str]:
    """Return who was lost, but for those that were lost with their host."""
    rounds, lost = summary["rounds"], [x for x in summary["lost"] if not x.get("host")]
    if not lost:
        return []
    all_planned = all(each["planned"] for each in lost)
    named = lost[:NAMED]
    parts = [_who(each, rounds, say_planned=not all_planned) for each in named]
    more = f" + {len(lost) - len(named)} more" if len(named) < len(lost) else ""
    return [f"{len(lost)} lost{' as planned' if all_planned else ''}: {', '.join(parts)}{more}"]


def _who(each: Mapping[str, Any], rounds: int, say_planned: bool) -> str:
    planned = " as planned" if say_planned and each["planned"] else ""
    told, place = f"{each['reason']}{planned}", where(each, rounds)
    if f" {place}:" not in told:  # a reason of the watchdog has it already
        told += f", {place}"
    return f"{each['peer']} ({told})"


def where(lost: Mapping[str, Any], rounds: int) -> str:
    """Return in words when a peer of a run of `rounds` was lost."""
    if lost["round"] is None:
        return "before the rounds"
    return f"round {lost['round']}" if lost["round"] < rounds else "after the last round"
