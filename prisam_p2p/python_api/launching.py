"""Launches a run from Python, and returns it."""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from prisam_p2p.python_api.callers_signals import CallersSignals, callers_signals
from prisam_p2p.python_api.child import run_in_child
from prisam_p2p.python_api.inputs import Faults, WrittenInputs
from prisam_p2p.python_api.messages import LaunchEnded, LaunchFailed
from prisam_p2p.python_api.network_of_graph import NetworkOfGraph
from prisam_p2p.python_api.progress_line import ProgressLine
from prisam_p2p.python_api.request import LaunchOrder
from prisam_p2p.python_api.run import Run

DEFAULT_TOPOLOGY = "clusters-12"


class BrokenRule(UserWarning):
    """A run broke a rule, or one of its rules could not be checked."""


def launch(
    topology: str | os.PathLike[str] | NetworkOfGraph = DEFAULT_TOPOLOGY,
    *,
    faults: Faults = None,
    run_dir: str | os.PathLike[str] | None = None,
    control_run: bool = False,
    progress: bool = False,
    check: bool = False,
    trust_code: bool = False,
    force: bool = False,
    **settings: Any,
) -> Run:
    """Run a network of peers, each its own process, and return the run.

    The program runs in a child process, as `prisam launch` does: this process is not forked, and
    imports no torch. An interrupt (Ctrl-C, a notebook's stop button) or SIGTERM stops the run in
    order and ends all its processes; a second one ends them at once. Meanwhile this process's own
    handlers of both are called at a safe place, at most half a second later. A signal that it
    ignores, as a shell's background job does with Ctrl-C, stays ignored. Called from a thread that
    is not the main one, no signal stops the run: it ends by itself, or with this process.

    Args:
        topology: name or path of a topology, the plan.json of an earlier run, or what `pp.topology`
            makes of a graph.
        faults: name or path of a fault scenario, the faults.json of an earlier run, or a list of
            faults as tables. None: those of the topology, if it was made with any.
        run_dir: the folder to write, which must not exist. None: runs/TOPOLOGY-ALGORITHM-TIME.
        control_run: with faults: also run without them, and compare.
        progress: show how far the run is, on stderr.
        check: raise if the run broke a rule, or if one could not be checked, as `Run.check` does.
            Otherwise the run is returned, with a warning (BrokenRule).
        trust_code: run the code that the topology's file names, too.
        force: start also what does not fit on this machine.
        settings: the settings of `prisam launch`, as docs/settings.md has them: rounds=4. Where
            code can be named (model, dataset, split, grouping, algorithm, baseline), also the
            function or class itself.

    Raises:
        ConfigError: an argument is wrong, and nothing was started.
        DoesNotFit: this machine has too little for the run, and nothing was started.
        LaunchError: a process did not start.
        ResourceError: the system refused what the run needs; so it does where single peers were
            lost by this.
        CheckFailed, Undecided: see `check`.
        KeyboardInterrupt: this process was interrupted; the run is there, to be loaded or resumed.

        A note of the error names the run folder, where there is one.
    """
    with callers_signals() as signals, tempfile.TemporaryDirectory(prefix="prisam-") as folder:
        written = WrittenInputs(Path(folder).resolve())
        order = LaunchOrder(
            topology=written.topology(topology),
            faults=written.faults(faults, topology),
            run_dir=None if run_dir is None else os.fspath(run_dir),
            control_run=control_run,
            trust_code=trust_code,
            force=force,
            progress=progress,
            settings={key: written.setting(key, value) for key, value in settings.items()},
            inputs=written.files,
        )
        end = _run(order, signals)
    if isinstance(end, LaunchFailed):
        end = replace(end, error=written.renamed(end.error))
    return finished(end, check)


def _run(order: LaunchOrder, signals: CallersSignals) -> LaunchEnded | LaunchFailed:
    shown = ProgressLine()
    hear, say = (shown.show, shown.say) if order.progress else (_nothing, _nothing)
    try:
        return run_in_child(order, hear, say, signals)
    finally:
        shown.end()


def _nothing(news: object) -> None:
    """Show nothing."""


def finished(end: LaunchEnded | LaunchFailed, check: bool) -> Run:
    """Return the run that ended so; raise as `launch` does."""
    if isinstance(end, LaunchFailed):
        if end.run_dir:
            end.error.add_note(f"run folder: {end.run_dir}")
        raise end.error
    run = Run(Path(end.run_dir))
    if end.refused:
        end.refused.add_note(f"run folder: {end.run_dir}")
        raise end.refused
    if check:
        run.check()
    elif told := run.complaint:
        warnings.warn(told, BrokenRule, stacklevel=3)
    return run
