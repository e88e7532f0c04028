"""Run after run: draw disturbances, launch and disturb, judge, look for what was left behind."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from prisam_p2p.errors import CheckFailed
from prisam_p2p.measure.files import write_whole
from prisam_p2p.soak.leaks import Held, held, uncounted
from prisam_p2p.soak.unplanned.account import (
    HALF_WRITTEN,
    RunAccount,
    account_of,
    ask,
    left_behind,
    tracebacks,
)
from prisam_p2p.soak.unplanned.disturbances import DrawnRun
from prisam_p2p.soak.unplanned.draw import Undisturbed, draw_run
from prisam_p2p.soak.unplanned.driver import Delivery, Disturbed
from prisam_p2p.soak.unplanned.full_disk import small_disk, why_no_disk
from prisam_p2p.soak.unplanned.launches import OUTPUT, TEMPORARY, Launches
from prisam_p2p.soak.unplanned.truth import Case, untruths
from prisam_p2p.system.process_limits import adopt_orphans

DRAWN = "disturbances.json"
"""What a run was to suffer; `prisam soak --unplanned --replay` does it again."""

_SLACK_S = 15.0
_FIRST_LIMIT_S = 600.0


@dataclass(frozen=True)
class UnplannedCycle:
    """One disturbed run of a soak.

    Attributes:
        drawn: in words, what it was to suffer.
        deliveries: target, signal, and whether it came in time, of each disturbance.
        exit_code: of the launcher; None = it hung, or was not run.
        limit_s: it had to end within this time.
        skipped: why it was not run; "" = it was.
        hung: in words, the processes that were there when the time was up; "" = it ended in time.
        leaked, tracebacks, untrue: in words, what it left, printed, and said that is not true.
    """

    number: int
    drawn: str
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None
    duration_s: float = 0.0
    limit_s: float = 0.0
    resumed: bool = False
    skipped: str = ""
    hung: str = ""
    leaked: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether it ended in time, told the truth and left nothing; also where it was skipped."""
        return not (self.hung or self.leaked or self.tracebacks or self.untrue)


@dataclass(frozen=True)
class Series:
    """What every run of a soak shares.

    Attributes:
        folder: holds the folders of the runs.
        known: what is known of the run without disturbances.
        no_disk: why there is no small disk; "" = there is.
    """

    launches: Launches
    folder: Path
    known: Undisturbed
    no_disk: str

    @property
    def limit_s(self) -> float:
        """Seconds within which a disturbed run has to end."""
        return 2 * self.known.duration_s + self.known.stall_timeout_s + _SLACK_S


def soak_unplanned(
    launches: Launches,
    minutes: float,
    seed: int,
    folder: Path,
    replay: DrawnRun | None,
    show: Callable[[UnplannedCycle, float], None],
) -> tuple[Series, list[UnplannedCycle]]:
    """Do a run without disturbances, then disturbed ones until `minutes` are over, one at least.

    Args:
        folder: made; keeps cycles.jsonl, and of each run that was not good a folder.
        replay: do this run only.
        show: called with each run, and the seconds that are left.

    Raises:
        CheckFailed: the run without disturbances does not complete.
    """
    folder.mkdir(parents=True)
    adopt_orphans()
    series = begin_series(launches, folder)
    deadline = time.monotonic() + (0.0 if replay else minutes * 60)
    cycles: list[UnplannedCycle] = []
    before = uncounted(held())
    with (folder / "cycles.jsonl").open("w") as lines:
        while not any(not each.skipped for each in cycles) or time.monotonic() < deadline:
            drawn = replay or draw_run(seed, len(cycles), series.known)
            cycle = disturbed_cycle(series, len(cycles), drawn, before)
            if not cycles:
                before = replace(held(), processes=before.processes, namespaces=before.namespaces)
            cycles.append(cycle)
            lines.write(json.dumps(asdict(cycle)) + "\n")
            lines.flush()
            show(cycle, max(0.0, deadline - time.monotonic()))
            if replay:
                break
    return series, cycles


def begin_series(launches: Launches, folder: Path) -> Series:
    """Do the run without disturbances, in `folder`, which exists.

    Raises:
        CheckFailed: it does not complete.
    """
    at, run_dir = folder / "undisturbed", folder / "undisturbed" / "run"
    at.mkdir()
    done = launches.disturb(DrawnRun(seed=0, number=0), run_dir, at, _FIRST_LIMIT_S)
    if done.hung or done.exit_code:
        said = (at / f"{OUTPUT}.err").read_text().strip().splitlines()[-1:]
        raise CheckFailed(f"{at}: the run without disturbances did not complete: {''.join(said)}")
    plan = json.loads((run_dir / "plan.json").read_text())
    sizes = [path.stat().st_size for path in run_dir.rglob("*") if path.is_file()]
    known = Undisturbed(
        peers=tuple(sorted(plan["peers"])),
        rounds=plan["settings"]["rounds"],
        duration_s=done.duration_s,
        run_s=json.loads((run_dir / "summary.json").read_text())["duration_s"],
        folder_kib=sum(sizes) // 1024 + 1,
        stall_timeout_s=plan["settings"]["stall_timeout_s"],
        has_holder='"kind":"namespaces"' in (run_dir / "journal" / "launcher.jsonl").read_text(),
    )
    shutil.rmtree(at)
    return Series(launches, folder, known, why_no_disk())


def disturbed_cycle(series: Series, number: int, drawn: DrawnRun, before: Held) -> UnplannedCycle:
    """Do one disturbed run and judge it; keep its folder if it was not good.

    Args:
        before: what this program held before.
    """
    if drawn.disk_kib and series.no_disk:
        return UnplannedCycle(number, str(drawn), skipped=f"no small disk: {series.no_disk}")
    at = series.folder / f"cycle-{number:04}"
    (at / "disk").mkdir(parents=True)
    write_whole(at / DRAWN, drawn.model_dump_json(indent=1, exclude_none=True) + "\n")
    with ExitStack() as stack:
        if drawn.disk_kib:
            stack.enter_context(small_disk(at / "disk", drawn.disk_kib))
        run_dir = at / "disk" / "run"
        done = series.launches.disturb(drawn, run_dir, at, series.limit_s)
        cycle = _judged(series, number, drawn, done, at, before)
        if not cycle.is_good and run_dir.exists():
            shutil.copytree(run_dir, at / "run", symlinks=True)
    shutil.rmtree(at / "disk")
    if cycle.is_good:
        shutil.rmtree(at)
    else:
        write_whole(at / "found.json", json.dumps(asdict(cycle), indent=1) + "\n")
    return cycle


def _judged(
    series: Series, number: int, drawn: DrawnRun, done: Disturbed, at: Path, before: Held
) -> UnplannedCycle:
    """Return a run and what is wrong with it."""
    run_dir = at / "disk" / "run"
    cycle = UnplannedCycle(
        number,
        str(drawn),
        [_delivery(each) for each in done.deliveries],
        None if done.hung else done.exit_code,
        done.duration_s,
        round(series.limit_s, 1),
        hung=done.hung,
    )
    _reap()
    if done.hung:
        return cycle
    account = account_of(run_dir, at / OUTPUT, done.exit_code, at / TEMPORARY)
    account = _with_sequel(account, series, run_dir, at / TEMPORARY)
    _reap()
    case = Case(drawn, done.deliveries, account, series.known)
    return replace(
        cycle,
        resumed=account.resumed is not None,
        leaked=done.left + account.left + held().leaked_since(before),
        tracebacks=_tracebacks(account, drawn),
        untrue=untruths(case),
    )


def _with_sequel(account: RunAccount, series: Series, run_dir: Path, temporary: Path) -> RunAccount:
    """Ask for the summary of a run that did not come to its end; resume one that can be.

    A launcher that was killed may leave half-written files; the one that resumes removes them.
    """
    code = account.launched.exit_code
    left = [each for each in account.left if code >= 0 or not each.startswith(HALF_WRITTEN)]
    account = replace(account, left=left)
    if not (run_dir / "plan.json").exists() or code in (0, 4, 5):
        return account
    summarized = ask(("summary", run_dir, "--format", "json"), series.limit_s)
    with suppress(ValueError):
        account = replace(account, summary=account.summary or json.loads(summarized.out))
    account = replace(account, summarized=summarized)
    lacks_still = code == 6  # so it could not be resumed either
    status = (account.summary or {}).get("status")
    if lacks_still or not account.began or status not in ("killed", "interrupted"):
        return account
    resumed = series.launches.resume(run_dir, series.limit_s)
    return replace(account, resumed=resumed, left=left_behind(run_dir, temporary))


def _tracebacks(account: RunAccount, drawn: DrawnRun) -> list[str]:
    asked = [account.launched, *filter(None, (account.summarized, account.resumed))]
    found = [line for each in asked for line in tracebacks(each.out) + tracebacks(each.err)]
    if drawn.disk_kib or drawn.open_files:
        return found
    return found + [f"in the log of {peer}" for peer in account.logged]


def _delivery(delivery: Delivery) -> dict[str, Any]:
    told = {name: value for name, value in asdict(delivery).items() if name != "disturbance"}
    return {**delivery.disturbance.model_dump(exclude_none=True), **told}


def _reap() -> None:
    """Take note of the end of orphans that this program has adopted."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
