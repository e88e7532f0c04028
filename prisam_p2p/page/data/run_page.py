"""The data of a page from a run folder, whatever state it is in."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.folders import FAULTS, TWIN, WATCHED, baseline_of
from prisam_p2p.page.data.checked_lines import Line, is_sound, parse
from prisam_p2p.page.data.conclusion import Conclusion, Means
from prisam_p2p.page.data.fold import FORMAT, LAUNCHERS, PageData
from prisam_p2p.page.data.plan_facts import items, plan_facts, table
from prisam_p2p.page.data.shared import MOMENTS
from prisam_p2p.report.comparisons import Sent, push_everything_by_round
from prisam_p2p.report.ledger import Ledger, make_ledger
from prisam_p2p.report.run_folder import KERNEL, RunFolder
from prisam_p2p.report.summary import summarize

T = TypeVar("T")
_MOST_CHUNKS = 1_000_000


class SoundRun(RunFolder):
    """A run folder from anybody: of its journals, only the sound lines are read."""

    @cached_property
    def plan(self) -> dict[str, Any]:
        """plan.json.

        Raises:
            ConfigError: this is no run folder.
        """
        try:
            plan = super().plan
        except TypeError:  # its peers are no names
            plan = {}
        if not isinstance(plan.get("peers"), dict):
            raise ConfigError(str(self.path), "plan.json", "no peers", "the plan of a run")
        return plan

    @cached_property
    def journals(self) -> dict[str, list[Line]]:
        """Peer (and "launcher") -> its sound records, in the order written."""
        return {name: self.read[name][0] for name in [*self.peers, LAUNCHERS]}

    def lines(self, name: str) -> Iterator[Line]:
        """Return the sound records of a journal."""
        return iter(self.read[name][0])

    @property
    def kernels(self) -> list[str]:
        """The journals of kernels that are there; `kernel` if there is none."""
        return super().kernels or [KERNEL]

    @cached_property
    def read(self) -> dict[str, tuple[list[Line], int, list[str]]]:
        """Journal -> its sound lines, the number of others, and sentences on what it lacks."""
        rounds = plan_facts(self.plan).rounds
        return {
            name: _sound_lines(self.path, name, rounds)
            for name in [*self.peers, LAUNCHERS, *self.kernels]
        }

    @property
    def control_run(self) -> RunFolder | None:
        """The control run; None if there was none."""
        path = self.path / TWIN
        return SoundRun(path) if (path / "plan.json").exists() else None


def page_data_of(run: RunFolder, redact: bool = False) -> dict[str, Any]:
    """Return the payload of a run's page: `format`, and one run in `runs`.

    Args:
        run: its folder, of a run that completed, was interrupted or killed, or still goes on.
        redact: leave out paths, names of hosts and users, and command lines.

    Raises:
        ConfigError: this is no run folder.
    """
    with _no_collection():
        return {"format": FORMAT, "runs": [folded(SoundRun(run.path), redact).payload()]}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold Python's search for cycles: it takes half of the time, and journals have none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def folded(run: SoundRun, redact: bool = False) -> PageData:
    """Return a run's page data, with all of its journals folded in, and concluded."""
    data = begun(run, redact)
    for name, (lines, unreadable, _) in run.read.items():
        for line in lines:
            data.take_sound(name, line)
        for _n in range(unreadable):
            data.unreadable(name)
    for watch in _watches(run.path):
        data.take_watch(watch)
    data.conclude(conclusion_of(run))
    return data


def begun(run: SoundRun, redact: bool = False) -> PageData:
    """Return a run's page data without any line of its journals."""
    return PageData(run.plan, occurrences_in(run.path), _name_of(run.path.resolve()), redact)


def _name_of(path: Path) -> str:
    """Return the name of a run: of its folder, or of its cell where an experiment started it."""
    return path.parent.name if (path.parent / "cell.json").exists() else path.name


def _watches(folder: Path) -> list[Line | None]:
    """Return the lines that `prisam view` noted; none where it noted none."""
    path = folder / WATCHED
    try:
        return [parse(text) for text in path.read_bytes().splitlines()] if path.is_file() else []
    except OSError:
        return []


def occurrences_in(folder: Path) -> list[Any]:
    """Return the occurrences of a run's faults.json; none where it has none, or is not readable."""
    try:
        return items(table(json.loads((folder / FAULTS).read_text())).get("occurrences"))
    except (OSError, ValueError, RecursionError):
        return []


def conclusion_of(run: SoundRun) -> Conclusion:
    """Return what a run's end told, as far as its folder allows."""
    missing = [sentence for *_, told in run.read.values() for sentence in told]
    if not (run.path / "summary.json").exists():
        missing.append("summary.json is not there: the figures are computed from the journals")
    ledger = _or_missing(lambda: make_ledger(run), "bytes and closure", missing)
    summary, pushes = None, None
    if ledger is not None:
        summary = _or_missing(lambda: summarize(run, ledger), "the summary", missing)
        what = "what pushing everything costs"
        pushes = _or_missing(lambda: _pushes(run, ledger), what, missing)
    references, of_baseline = _references(run, missing)
    return Conclusion(
        summary=summary,
        baseline=of_baseline,
        ledger=ledger,
        pushes={at: sent.wire for at, sent in (pushes or {}).items()},
        links=table(run.plan.get("links")),
        references=references,
        missing=missing,
    )


def _pushes(run: RunFolder, ledger: Ledger) -> dict[int, Sent]:
    """Return what a push of everything costs by round; each chunk of it is counted."""
    most = _MOST_CHUNKS * run.plan["settings"]["chunk_kib"] * 1024
    if any(x["n_bytes"] > most for peer in run.peers for x in run.records(peer, "announced")):
        raise ValueError("weights of a size that no run has")
    return push_everything_by_round(run, ledger)


def _references(
    run: SoundRun, missing: list[str]
) -> tuple[dict[str, Means], Mapping[str, Any] | None]:
    """Return the means of baseline and control run, and the baseline's summary."""
    references: dict[str, Means] = {}
    folder, control = baseline_of(run.path), run.control_run
    if control is not None:
        references["control"] = _means(control, "the control run", missing)
    if folder is None:
        return references, None
    baseline = SoundRun(folder)
    references["baseline"] = _means(baseline, "the baseline's run", missing)
    what = "the summary of the baseline"
    return references, _or_missing(
        lambda: summarize(baseline, make_ledger(baseline)), what, missing
    )


def _means(run: RunFolder, what: str, missing: list[str]) -> Means:
    return _or_missing(lambda: _mean_accuracies(run), f"accuracies of {what}", missing) or {}


def _mean_accuracies(run: RunFolder) -> Means:
    found: dict[tuple[int, int], dict[str, tuple[float, float]]] = {}
    for peer in run.peers:
        for line in run.records(peer, "evaluated"):
            if line["moment"] in MOMENTS:
                key = line["round"], MOMENTS.index(line["moment"])
                found.setdefault(key, {})[peer] = line["test"], line["t_s"]
    return {
        key: (fmean(test for test, _ in each.values()), fmean(t for _, t in each.values()))
        for key, each in sorted(found.items())
    }


def _or_missing(make: Callable[[], T], what: str, missing: list[str]) -> T | None:
    """Return what `make` makes; where a folder's contents do not allow it, say so instead.

    What reads journals expects those of a run. A folder from anybody may hold lines that are sound
    one by one and contradict each other, so any error means: it cannot be computed.
    """
    try:
        return make()
    except Exception as error:
        missing.append(f"{what} cannot be computed from this folder ({type(error).__name__})")
        return None


def _sound_lines(folder: Path, name: str, rounds: int) -> tuple[list[Line], int, list[str]]:
    """Return a journal's sound lines, the number of others, and what is to be said of it."""
    path = folder / "journal" / f"{name}.jsonl"
    if "/" in name or "\0" in name or not path.is_file():
        return [], 0, [f"the journal of {name} is not there"]
    lines, unreadable, told = [], 0, []
    try:
        with path.open("rb") as file:
            for text in file:
                line = parse(text) if text.endswith(b"\n") else None
                if line is not None and is_sound(line, rounds):
                    lines.append(line)
                elif text.endswith(b"\n"):
                    unreadable += 1
                else:
                    told.append(f"the last line of the journal of {name} is cut off")
    except OSError as error:
        told.append(f"the journal of {name} cannot be read: {error.strerror}")
    return lines, unreadable, told
