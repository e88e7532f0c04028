"""`prisam resume`: continue a run whose launcher was killed or interrupted.

What earlier launches wrote stays; this one appends (docs/decisions/0020-survival.md).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.record import CodeRecord, sha256_of
from prisam_p2p.extensions.reference import short_name
from prisam_p2p.faults.compiler.resolve_hosts import check_hosts
from prisam_p2p.faults.compiler.targets import Targets, targets_of
from prisam_p2p.faults.drifts import drifts_of, replacements_of
from prisam_p2p.faults.fault_plan import FaultPlan, read_fault_plan
from prisam_p2p.faults.remaining import ResumePoint, left_of
from prisam_p2p.launch.fit import require_fit
from prisam_p2p.launch.launch import (
    Launched,
    baseline_request,
    host_engine,
    losses_of,
    make_ready,
    network_for,
    placed,
    planned_runs,
    reported,
    run_reported,
)
from prisam_p2p.launch.past import Past, launcher_history, past_of
from prisam_p2p.launch.run import (
    COMPLETED,
    RunRequest,
    RunResult,
    continue_run,
)
from prisam_p2p.launch.run_dir import create_run_dir
from prisam_p2p.launch.tracker_log import logging_to
from prisam_p2p.launch.viewer import viewer_of
from prisam_p2p.measure import folders
from prisam_p2p.measure.folders import baseline_of
from prisam_p2p.measure.state import earlier_states, go_back_to
from prisam_p2p.plan.plan import Plan, read_plan, topology_of
from prisam_p2p.plan.planning import Prepared, prepare
from prisam_p2p.plan.user_code import check_trust, load_code, named_by
from prisam_p2p.settings import RunSettings, Start


def resume(
    run_dir: Path,
    quiet: bool,
    after_run: Callable[[Path], object],
    trust_code: bool = False,
    force: bool = False,
    ui: bool = False,
    log_to: str | None = None,
    elsewhere: Mapping[str, object] | None = None,
) -> Launched:
    """Continue the run in `run_dir` to its end, and its baseline.

    Args:
        after_run: called with the folder of each run when it has ended, however it ended.
        trust_code: run the code that its plan names.
        force: start also what does not fit on this machine.
        ui, log_to: as in `launch`.
        elsewhere: the settings `on` and `hosts` in place of those of the plan; what is absent
            stays. Results do not depend on them, and plan.json keeps those of the beginning.

    Raises:
        DoesNotFit: this machine has too little for the run; nothing was started.
        ConfigError: it is no run folder, there is nothing to resume, it still runs, or its data or
            model are not those of the plan; nothing was started.
        LaunchError: a peer did not come up.
        ResourceError: the system refused what the launcher needs.
    """
    plan = _plan(run_dir)
    if _completed(run_dir) and not _baseline_lacks(run_dir, plan):
        right = "a run that did not: nothing to resume"
        raise ConfigError(str(run_dir), "", "a run that completed", right)
    _check_places(plan, run_dir)
    settings, topology = _settings(plan, elsewhere or {}), topology_of(plan, run_dir / "plan.json")
    with host_engine(settings, topology) as engine:
        faults = _faults(run_dir)
        prepared = _prepared(plan, settings, faults, run_dir, trust_code)
        with closing(prepared.images):
            if engine:
                prepared = placed(prepared, topology, engine, quiet)
            choice = network_for(prepared.plan, faults, str(run_dir), quiet)
            make_ready(prepared)
            request = RunRequest(
                prepared, prepared.plan, run_dir, choice, quiet, faults, engine=engine
            )
            require_fit(prepared, planned_runs(request), run_dir, force)
            with logging_to(run_dir, log_to), viewer_of(run_dir, ui) as viewer:
                return _rest_of(replace(request, viewer=viewer), after_run)


def _settings(plan: Plan, elsewhere: Mapping[str, object]) -> RunSettings:
    """Return the settings of a run that goes on, maybe on other hosts."""
    other = {key: value for key, value in elsewhere.items() if value is not None}
    if other.get("on", plan.settings.on) != plan.settings.on:
        other = {"hosts": None, **other}  # a number of hosts of the engine before
    return RunSettings.model_validate({**plan.settings.model_dump(), **other})


def _rest_of(request: RunRequest, after_run: Callable[[Path], object]) -> Launched:
    """Do what is left of a run, and of its baseline."""
    run_dir, baseline = request.run_dir, request.prepared.baseline
    result = _finish(request, after_run)
    states = dict(result.states)
    if not result.is_whole or baseline is None:
        return Launched(run_dir, result.status, states, None, losses_of(request, result))
    beside = baseline_request(request, baseline)
    if (beside.run_dir / "plan.json").exists():
        result = _finish(beside, after_run)
    else:
        create_run_dir(beside.run_dir)
        result = run_reported(beside, after_run)
    states |= {f"{peer} of the baseline": state for peer, state in result.states.items()}
    refused = losses_of(beside, result)
    return Launched(run_dir, result.status, states, beside.run_dir, refused)


def _finish(request: RunRequest, after_run: Callable[[Path], object]) -> RunResult:
    """Continue one run, if it has not completed."""
    run_dir, faults = request.run_dir, request.faults
    history = launcher_history(run_dir)
    if _completed(run_dir):
        return RunResult(COMPLETED, dict(history[-1]["states"]))
    past = past_of(run_dir, request.plan, faults)
    now = ResumePoint(past.began_s, past.ended_s, max(past.rounds.values(), default=0))
    left = left_of(faults, history, now) if faults else None
    if faults and left:
        still = {each.id for each in left.occurrences}
        check_hosts(faults, _targets(request), str(run_dir / folders.FAULTS), still)
    _say_who_is_out_of_step(past)
    _align_states(run_dir, past)
    return reported(partial(continue_run, replace(request, faults=left), past), run_dir, after_run)


def _check_places(plan: Plan, run_dir: Path) -> None:
    """Refuse a run without a common round to go on with, in which places change hands."""
    if plan.traits.silent and any(each.arrival for each in plan.peers.values()):
        right = "an algorithm whose peers go in step: the places of devices change hands in a round"
        raise ConfigError(str(run_dir), "algorithm", short_name(plan.settings.algorithm), right)


def _align_states(run_dir: Path, past: Past) -> None:
    """Where states were collected from hosts, make those to begin with the last ones."""
    paths = {peer: run_dir / "state" / f"{peer}.safetensors" for peer in past.rounds}
    if any(earlier_states(path) for path in paths.values()):
        for peer, path in paths.items():
            go_back_to(path, past.rounds[peer])


def _say_who_is_out_of_step(past: Past) -> None:
    """Say, also where little is printed, that the result is not that of a run without a break."""
    if past.out_of_step:
        peers = ", ".join(past.out_of_step)
        told = f"no state of {peers} is of the round that the others go on with"
        print(f"prisam: {told}; a run without a break may differ", file=sys.stderr)


def _targets(request: RunRequest) -> Targets:
    """Return the peers, links and hosts of a run as it goes on."""
    plan = request.plan
    groups = {peer: each.group for peer, each in plan.peers.items()}
    topology = topology_of(plan, request.run_dir / "plan.json")
    return targets_of(topology, groups, plan.hosts.placement if plan.hosts else None)


def _baseline_lacks(run_dir: Path, plan: Plan) -> bool:
    """Tell whether a run was to have a baseline that did not complete."""
    folder = baseline_of(run_dir)
    return plan.settings.baseline is not None and not (folder and _completed(folder))


def _plan(run_dir: Path) -> Plan:
    path = run_dir / "plan.json"
    begun = any(x["record"] == "run_started" for x in launcher_history(run_dir))
    if not (path.exists() and begun and (run_dir / "state").is_dir()):
        right = "the folder of a run that was begun: plan.json, journal/launcher.jsonl, state/"
        raise ConfigError(str(run_dir), "", "no such run", right)
    return read_plan(path)


def _prepared(
    plan: Plan, settings: RunSettings, faults: FaultPlan | None, run_dir: Path, trust_code: bool
) -> Prepared:
    """Return what a run was begun with, and the settings that it goes on with."""
    path = run_dir / "plan.json"
    topology = topology_of(plan, path)
    naming = named_by(topology, (), trust_code, plan.code)
    check_trust(plan.settings, naming)
    _check_code(plan, path)
    code = load_code(plan.settings, naming)
    drifting = (lambda _: drifts_of(faults)) if faults else (lambda _: [])
    replacing = (lambda _: replacements_of(faults)) if faults else (lambda _: [])
    prepared = prepare(topology, settings, code, drifting, replacing)
    now = prepared.plan.model_copy(update={"settings": plan.settings})
    was, would_be = (each.model_dump(exclude={"host", "hosts"}) for each in (plan, now))
    for key in was:
        if was[key] != would_be[key]:
            prepared.images.close()
            right = "the data, the model and the code that it was begun with"
            raise ConfigError(str(path), key, "not what it would be now", right)
    return prepared


def _check_code(plan: Plan, path: Path) -> None:
    """Raise ConfigError where the file of a run's code is gone, or has changed; imports nothing."""
    for key, record in plan.code.items():
        copy = record.copy_in(path.parent, key)
        if not record.is_unchanged():
            right = f"the file that the run was begun with, of which {copy} is a copy"
            raise ConfigError(str(path), f"code.{key}", str(record.file), right)
        if _runs_copy(plan, record) and sha256_of(copy) != record.sha256:
            right = f"a copy of {record.file} as it was, which peers run with --start spawn"
            raise ConfigError(str(path), f"code.{key}", str(copy), right)


def _runs_copy(plan: Plan, record: CodeRecord) -> bool:
    return record.origin == "file" and plan.settings.start is Start.SPAWN


def _completed(run_dir: Path) -> bool:
    history = launcher_history(run_dir)
    last = history[-1] if history else {"record": ""}
    return bool(last["record"] == "run_ended" and last["status"] == COMPLETED)


def _faults(run_dir: Path) -> FaultPlan | None:
    path = run_dir / folders.FAULTS
    return read_fault_plan(path) if path.exists() else None
