"""Run after run: draw a scenario, run it, judge it, look for what it left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError, PrisamError
from prisam_p2p.launch.launch import launch
from prisam_p2p.launch.run import INTERRUPTED
from prisam_p2p.measure.files import write_whole
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import read_summary, write_summary
from prisam_p2p.report.verdicts import NOT_JUDGED, judge
from prisam_p2p.soak.drawing import draw_scenario
from prisam_p2p.soak.leaks import Held, held, uncounted
from prisam_p2p.system.process_limits import adopt_orphans

CYCLE_TIMEOUT_S = 300.0
"""A run that takes longer counts as hung."""


@dataclass(frozen=True)
class Cycle:
    """One run of a soak.

    Attributes:
        fired: kind of fault -> occurrences that fired.
        undecided: how many verdicts are unknown: a fault found nothing that it could touch.
        not_judged: names of the checks that had nothing to judge.
        connections, unexplained_bytes: of its closure.
        hung: it was not over in time.
        leaked: in words, what it left behind.
        broken: in words, what else failed.
    """

    number: int
    duration_s: float
    fired: dict[str, int] = field(default_factory=dict)
    undecided: int = 0
    not_judged: list[str] = field(default_factory=list)
    connections: int = 0
    unexplained_bytes: int = 0
    hung: bool = False
    leaked: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether it came to its end, broke no rule and left nothing behind."""
        return not (self.hung or self.leaked or self.broken)


def soak(
    topology: Path,
    overrides: Mapping[str, object],
    minutes: float,
    seed: int,
    folder: Path,
    show: Callable[[Cycle, float], None],
    trust_code: bool = False,
) -> list[Cycle]:
    """Run cycles until `minutes` are over, one at least.

    Processes and network namespaces that a run leaves are found from the first on, descriptors and
    threads from the second on: the first shows how many the program keeps.

    Args:
        overrides: settings; "rounds" must be among them.
        folder: made; keeps cycles.jsonl, and the run folders of cycles that were not good.
        show: called with each cycle, and the seconds that are left.
        trust_code: run the code that the topology names, too.

    Raises:
        ConfigError: the topology or a setting is wrong. A folder without a cycle is removed.
    """
    folder.mkdir(parents=True)
    adopt_orphans()
    deadline = time.monotonic() + minutes * 60
    cycles: list[Cycle] = []
    run = partial(_run, topology=topology, trust_code=trust_code)
    before = uncounted(held())
    with (folder / "cycles.jsonl").open("w") as lines:
        while not cycles or time.monotonic() < deadline:
            number = len(cycles)
            text = draw_scenario(
                seed, number, int(str(overrides["rounds"])), overrides["network"] != "loopback"
            )
            run_dir = folder / f"cycle-{number:04}"
            try:
                cycle = _cycle(number, text, run, overrides, run_dir, before)
            except ConfigError:
                if not cycles:
                    shutil.rmtree(folder)
                raise
            if not number:
                before = replace(held(), processes=before.processes, namespaces=before.namespaces)
            cycles.append(cycle)
            lines.write(json.dumps(asdict(cycle)) + "\n")
            lines.flush()
            show(cycle, max(0.0, deadline - time.monotonic()))
    return cycles


def _cycle(
    number: int,
    scenario: str,
    run: Callable[[Path, Mapping[str, object], Path], tuple[bool, list[str]]],
    overrides: Mapping[str, object],
    run_dir: Path,
    before: Held,
) -> Cycle:
    path = run_dir.with_suffix(".toml")
    write_whole(path, scenario)
    settings = {**overrides, "seed": number, "baseline": "none"}
    began_s = time.monotonic()
    hung, broken = run(path, settings, run_dir)
    duration_s = round(time.monotonic() - began_s, 1)
    cycle = Cycle(number, duration_s, hung=hung, leaked=held().leaked_since(before), broken=broken)
    if (run_dir / "summary.json").exists():
        cycle = _judged(cycle, read_summary(RunFolder(run_dir)), before)
    elif cycle.is_good:
        cycle = replace(cycle, broken=["no summary.json was written, so nothing was judged"])
    if cycle.is_good:
        shutil.rmtree(run_dir)
        path.unlink()
    return cycle


def _run(
    scenario: Path,
    settings: Mapping[str, object],
    run_dir: Path,
    *,
    topology: Path,
    trust_code: bool,
) -> tuple[bool, list[str]]:
    """Launch; return whether it hung, and why it failed.

    Raises:
        ConfigError: the topology or a setting is wrong.
        KeyboardInterrupt: the user stopped the launcher.
    """
    try:
        with _alarm(CYCLE_TIMEOUT_S) as rang:
            launched = launch(
                topology,
                settings,
                run_dir,
                run_dir,
                "",
                True,
                _summarize,
                scenario,
                trust_code=trust_code,
            )
    except ConfigError:  # of what the user gave, which is the same in every cycle
        raise
    except PrisamError as error:
        return False, [str(error)]
    if launched.status == INTERRUPTED and not rang:
        raise KeyboardInterrupt
    return bool(rang), []


def _judged(cycle: Cycle, summary: Mapping[str, Any], before: Held) -> Cycle:
    judgement, closed = judge(summary), summary["closure"]
    nothing = [check["check"] for check in summary["checks"] if check["verdict"] == NOT_JUDGED]
    nothing += ["closure"] if closed["verdict"] == NOT_JUDGED else []
    nothing += ["leaked descriptors and threads"] if before.descriptors is None else []
    return replace(
        cycle,
        fired=dict(Counter(fault["kind"] for fault in summary["faults"] if fault["fired"])),
        undecided=len(judgement.undecided),
        not_judged=nothing,
        connections=closed["connections"],
        unexplained_bytes=closed["unexplained_bytes"],
        broken=cycle.broken + judgement.broken,
    )


def _summarize(run_dir: Path) -> None:
    write_summary(RunFolder(run_dir))


@contextmanager
def _alarm(seconds: float) -> Iterator[list[float]]:
    """After `seconds`, stop the launcher as Ctrl-C would; the list then holds them."""
    rang: list[float] = []

    def ring(_number: int, _frame: object) -> None:
        rang.append(seconds)
        os.kill(os.getpid(), signal.SIGINT)

    was = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield rang
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, was)
