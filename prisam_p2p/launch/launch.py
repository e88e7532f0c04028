"""A launch: resolve the input, do the run, its control run and its baseline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from prisam_p2p.errors import ConfigError, PrisamError, ResourceError
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.extensions.reference import short_name
from prisam_p2p.faults.drifts import drifts_in, replacements_in
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.links.fidelity_loss import check_links, loss_of_fidelity, wants
from prisam_p2p.faults.run_faults import faults_of, plan_of
from prisam_p2p.hosts.engines.choice import engine_of
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.launch.fit import PlannedRun, examine, require_fit
from prisam_p2p.launch.hosting import check_settings, on_hosts, placement_line, say
from prisam_p2p.launch.lost_resources import peers_refused
from prisam_p2p.launch.progress import ProgressDisplay, display_for
from prisam_p2p.launch.run import RunRequest, RunResult, begin_run
from prisam_p2p.launch.run_dir import create_run_dir
from prisam_p2p.launch.tracker_log import logging_to
from prisam_p2p.launch.viewer import viewer_of
from prisam_p2p.learn.malloc import return_freed_memory
from prisam_p2p.learn.warm_up import warm_imports
from prisam_p2p.measure.folders import baseline_folder
from prisam_p2p.netns.choice import (
    LOOPBACK,
    NAMESPACES,
    NetworkChoice,
    choose_network,
    choose_on_hosts,
)
from prisam_p2p.plan.plan import Plan, read_plan, topology_of
from prisam_p2p.plan.planning import Prepared, prepare
from prisam_p2p.plan.toml_file import no_such_file
from prisam_p2p.plan.topology import Topology, load_topology, resolve_settings
from prisam_p2p.plan.user_code import kept_in_run, load_code, named_by, settings_of_code
from prisam_p2p.preflight.verdict import Preflight
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.process_limits import allow_many_files


@dataclass(frozen=True)
class Launched:
    """How a launch ended.

    Attributes:
        status: completed, or interrupted (the run, or the baseline after it).
        states: peer -> final state.
        baseline_dir: run folder of the baseline, inside `run_dir`.
        refused: why peers were lost that the system refused something; None without such peers.
    """

    run_dir: Path
    status: str
    states: Mapping[str, str]
    baseline_dir: Path | None
    refused: ResourceError | None = None


def launch(
    source: Path,
    overrides: Mapping[str, object],
    run_dir: Path | None,
    runs_folder: Path,
    stamp: str,
    quiet: bool,
    after_run: Callable[[Path], object],
    faults: Path | None = None,
    control_folder: str | None = None,
    trust_code: bool = False,
    force: bool = False,
    display: Callable[[bool], ProgressDisplay] = display_for,
    inputs: Mapping[str, Path] | None = None,
    ui: bool = False,
    log_to: str | None = None,
) -> Launched:
    """Do the run that `source` describes, its control run and its baseline.

    Args:
        source: a topology (.toml), or the plan.json of an earlier run.
        overrides: settings given on the command line.
        run_dir: must not exist; None = a folder in `runs_folder`, named with `stamp`.
        after_run: called with the folder of each run when it has ended, however it ended.
        faults: a scenario (.toml), or the faults.json of an earlier run; not for the baseline.
        control_folder: name of a folder, inside the run's, for the control run (the same plan
            without faults); None = no control run.
        trust_code: run the code that `source` names, too; what `overrides` name is run anyway.
        force: start also what does not fit on this machine.
        display: returns what shows the progress of a run, given `quiet`.
        inputs: as in RunRequest; None = none.
        ui: show the run in a browser meanwhile; the address is printed on stderr.
        log_to: write the run for this tracker meanwhile; how to see it is printed on stderr.

    Raises:
        ConfigError: the input is wrong; no process was started and no folder made.
        DoesNotFit: the same, where this machine has too little for the run.
        LaunchError: a peer did not come up; the run folder says "failed".
        ResourceError: the system refused what the launcher needs; the run folder says "failed".
    """
    if control_folder and not faults:
        raise ConfigError("--control-run", "", "no --faults", "--faults FILE beside it")
    topology, records = _topology(source)
    settings = resolve_settings(topology, overrides)
    name = short_name(settings.algorithm)
    folder = run_dir or runs_folder / f"{topology.name}-{name}-{stamp}"
    if folder.exists():
        raise ConfigError("--run-dir", "", str(folder), "a folder that does not exist yet")
    given = [key for key, value in overrides.items() if value is not None]
    loaded = load_code(settings, named_by(topology, given, trust_code, records))
    code = kept_in_run(loaded, inputs or {}, folder)
    settings = settings_of_code(settings, code)
    with host_engine(settings, topology) as engine:
        drifting = partial(drifts_in, faults, topology)
        replacing = partial(replacements_in, faults, topology)
        prepared = prepare(topology, settings, code, drifting, replacing)
        with closing(prepared.images):
            if engine:
                prepared = placed(prepared, topology, engine, quiet)
            fault_plan = faults_of(faults, topology, prepared.plan) if faults else None
            choice = network_for(prepared.plan, fault_plan, str(faults), quiet)
            make_ready(prepared)
            request = RunRequest(
                prepared,
                prepared.plan,
                folder,
                choice,
                quiet,
                fault_plan,
                display,
                inputs or {},
                engine=engine,
            )
            require_fit(prepared, planned_runs(request, bool(control_folder)), folder, force)
            create_run_dir(folder)
            with logging_to(folder, log_to), viewer_of(folder, ui) as viewer:
                return _all_runs(replace(request, viewer=viewer), control_folder, after_run)


def _all_runs(
    request: RunRequest, control_folder: str | None, after_run: Callable[[Path], object]
) -> Launched:
    """Do the run in its folder, then its control run in `control_folder`, then its baseline."""
    folder = request.run_dir
    last, result = request, run_reported(request, after_run)
    states = dict(result.states)
    if result.is_whole and control_folder:
        create_run_dir(folder / control_folder)
        control = replace(
            request,
            plan=request.plan.without_changes(),
            run_dir=folder / control_folder,
            faults=None,
            inputs={},
        )
        last, result = control, run_reported(control, after_run)
        states |= {f"{peer} of the control run": state for peer, state in result.states.items()}
        after_run(folder)  # what the faults cost is known only now
    baseline = request.prepared.baseline
    if not result.is_whole or baseline is None:
        return Launched(folder, result.status, states, None, losses_of(last, result))
    beside = baseline_request(request, baseline)
    create_run_dir(beside.run_dir)
    result = run_reported(beside, after_run)
    states |= {f"{peer} of the baseline": state for peer, state in result.states.items()}
    refused = losses_of(beside, result)
    return Launched(folder, result.status, states, beside.run_dir, refused)


def losses_of(request: RunRequest, result: RunResult) -> ResourceError | None:
    """Return why a run lost peers that the system refused something; None if it lost none so."""
    n_peers = len(request.plan.peers)
    return peers_refused(request.run_dir, n_peers, result.refused) if result.refused else None


def baseline_request(request: RunRequest, baseline: Plan) -> RunRequest:
    """Return the run of a baseline beside `request`: without faults, in a folder inside its own."""
    folder = baseline_folder(request.run_dir, short_name(baseline.settings.algorithm))
    silent = baseline.traits.silent and not baseline.hosts
    choice = NetworkChoice(LOOPBACK, "nothing is sent") if silent else request.choice
    return replace(request, plan=baseline, run_dir=folder, choice=choice, faults=None, inputs={})


def planned_runs(request: RunRequest, control_run: bool = False) -> list[PlannedRun]:
    """Return the runs of a launch, in their order, for the preflight."""
    requests = [request, *([request] if control_run else [])]
    if baseline := request.prepared.baseline:
        requests.append(baseline_request(request, baseline))
    return [  # on hosts, their agents have the namespaces
        PlannedRun(each.plan, each.choice.network == NAMESPACES and not each.plan.hosts)
        for each in requests
    ]


def make_ready(prepared: Prepared) -> None:
    """Import what every fork needs, and free what none needs."""
    for plan in (prepared.plan, prepared.baseline):
        if plan and plan.traits.clusters:
            warm_imports(plan.settings.grouping)
    return_freed_memory()  # what loading the data took
    allow_many_files()


def plan_launch(
    source: Path,
    overrides: Mapping[str, object],
    runs_folder: Path,
    faults: Path | None = None,
    trust_code: bool = False,
) -> tuple[Preflight, FaultPlan | None, Plan]:
    """Return what a launch of `source` would need, what `faults` would do to it, and its plan.

    Raises:
        ConfigError: the input is wrong.
    """
    topology, records = _topology(source)
    settings = resolve_settings(topology, overrides)
    given = [key for key, value in overrides.items() if value is not None]
    code = load_code(settings, named_by(topology, given, trust_code, records))
    with host_engine(settings, topology) as engine:
        drifting = partial(drifts_in, faults, topology)
        replacing = partial(replacements_in, faults, topology)
        prepared = prepare(topology, settings, code, drifting, replacing)
        with closing(prepared.images):
            if engine:
                prepared = placed(prepared, topology, engine, quiet=True)
            plan = prepared.plan
            found = plan_of(faults, topology, plan) if faults else None
            choice = _choice_for(plan, found)
            make_ready(prepared)
            request = RunRequest(prepared, plan, runs_folder, choice, quiet=True, faults=found)
            return examine(prepared, planned_runs(request), runs_folder), found, plan


@contextmanager
def host_engine(settings: RunSettings, topology: Topology) -> Iterator[HostEngine | None]:
    """Give the engine of the run's hosts, and free it at the end; None = there are no hosts.

    Raises:
        ConfigError: there is no such engine here, or other settings do not go with it.
    """
    check_settings(settings)
    engine = engine_of(settings.on, settings.hosts or topology.hosts.count)
    try:
        yield engine
    finally:
        if engine:
            engine.close()


def placed(prepared: Prepared, topology: Topology, engine: HostEngine, quiet: bool) -> Prepared:
    """Return a run whose peers are placed on hosts (see `on_hosts`); print where, unless quiet."""
    make_ready(prepared)  # what a peer costs is measured by a fork
    prepared, notes = on_hosts(prepared, topology, engine)
    assert prepared.plan.hosts
    say(notes)
    if not quiet:
        say([placement_line(prepared.plan.hosts)])
    return prepared


def run_reported(request: RunRequest, after_run: Callable[[Path], object]) -> RunResult:
    """Do a run (see `begin_run`), and call `after_run` with its folder however it ends."""
    return reported(partial(begin_run, request), request.run_dir, after_run)


def reported(
    run: Callable[[], RunResult], run_dir: Path, after_run: Callable[[Path], object]
) -> RunResult:
    """Do `run`, and call `after_run` with its folder however it ends.

    Where both fail, the error of `run` is the one to tell: it is the cause.
    """
    try:
        result = run()
    except BaseException:
        with suppress(PrisamError, OSError):
            after_run(run_dir)
        raise
    after_run(run_dir)
    return result


def network_for(plan: Plan, faults: FaultPlan | None, where: str, quiet: bool) -> NetworkChoice:
    """Choose what lies between the peers; print what it cannot emulate.

    Args:
        where: the file or option that `faults` come from, for errors.
    """
    choice = _choice_for(plan, faults)
    if faults:
        check_links(faults, choice, where)
    if not quiet and (lost := loss_of_fidelity(plan, faults, choice)):
        print(f"prisam: {lost}", file=sys.stderr)
    return choice


def _choice_for(plan: Plan, faults: FaultPlan | None) -> NetworkChoice:
    if plan.hosts:
        return choose_on_hosts(plan.settings.network, len(plan.hosts.hosts))
    return choose_network(plan.settings.network, wants(plan, faults))


def _topology(source: Path) -> tuple[Topology, Mapping[str, CodeRecord]]:
    """Return the topology in a file, and the code that an earlier run recorded there."""
    if not source.is_file():
        raise no_such_file(str(source), "", source)
    if source.suffix == ".json":
        plan = read_plan(source)
        return topology_of(plan, source), plan.code
    return load_topology(source), {}
