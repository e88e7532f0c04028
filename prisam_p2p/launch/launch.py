"""A launch: resolve the input, run the algorithm, and the baseline beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.algorithms import TRAITS
from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.fidelity_loss import check_links, loss_of_fidelity, wants
from prisam_p2p.faults.planned import faults_of, plan_of
from prisam_p2p.launch.run import COMPLETED, create_run_dir, run
from prisam_p2p.learn.memory import give_memory_back
from prisam_p2p.learn.warm_up import warm_imports
from prisam_p2p.measure.folders import baseline_folder
from prisam_p2p.netns.choice import LOOPBACK, NetworkChoice, choose_network
from prisam_p2p.plan.plan import Plan, read_plan
from prisam_p2p.plan.planning import Prepared, prepare, topology_of
from prisam_p2p.plan.toml_file import no_such_file
from prisam_p2p.plan.topology import Topology, load_topology, resolve_settings
from prisam_p2p.system.process_limits import allow_many_files


@dataclass(frozen=True)
class Launched:
    """What a launch came to.

    Attributes:
        status: completed, or interrupted (the run, or the baseline after it).
        states: peer -> final state.
        baseline_dir: run folder of the baseline, inside `run_dir`.
    """

    run_dir: Path
    status: str
    states: Mapping[str, str]
    baseline_dir: Path | None


def launch(
    source: Path,
    peers_folder: Path,
    overrides: Mapping[str, object],
    run_dir: Path | None,
    runs_folder: Path,
    stamp: str,
    quiet: bool,
    after_run: Callable[[Path], object],
    faults: Path | None = None,
    twin: str | None = None,
) -> Launched:
    """Run what `source` describes.

    Args:
        source: a topology (.toml), or the plan.json of an earlier run.
        overrides: settings given on the command line.
        run_dir: must not exist; None = a folder in `runs_folder`, named with `stamp`.
        after_run: called with its folder when a run is over, however it ended.
        faults: a scenario (.toml), or the faults.json of an earlier run; not for the baseline.
        twin: name of a folder in the run's for the same plan without the faults; None: not run.

    Raises:
        ConfigError: the input is wrong; no process was started and no folder made.
        LaunchError: a peer did not come up; the run folder says "failed".
    """
    if twin and not faults:
        raise ConfigError("--control-run", "", "no --faults", "--faults FILE beside it")
    topology = _topology(source, peers_folder)
    settings = resolve_settings(topology, overrides)
    folder = run_dir or runs_folder / f"{topology.name}-{settings.algorithm.value}-{stamp}"
    if folder.exists():
        raise ConfigError("--run-dir", "", str(folder), "a folder that does not exist yet")
    prepared = prepare(topology, settings)
    fault_plan = faults_of(faults, topology, prepared.plan) if faults else None
    choice = network_for(prepared.plan, fault_plan, str(faults), quiet)
    make_ready(prepared)
    create_run_dir(folder)
    try:
        status, states = run_reported(
            prepared, prepared.plan, folder, quiet, after_run, choice, fault_plan
        )
        if status == COMPLETED and twin:
            create_run_dir(folder / twin)
            status, others = run_reported(
                prepared, prepared.plan, folder / twin, quiet, after_run, choice
            )
            states |= {f"{peer} of the twin": state for peer, state in others.items()}
            after_run(folder)  # what the faults cost is known only now
        baseline = prepared.baseline
        if status != COMPLETED or baseline is None:
            return Launched(folder, status, states, None)
        baseline_dir = baseline_folder(folder, baseline.settings.algorithm.value)
        create_run_dir(baseline_dir)
        beside = network_beside(baseline, choice)
        status, others = run_reported(prepared, baseline, baseline_dir, quiet, after_run, beside)
    finally:
        prepared.images.close()
    states |= {f"{peer} of the baseline": state for peer, state in others.items()}
    return Launched(folder, status, states, baseline_dir)


def make_ready(prepared: Prepared) -> None:
    """Import and free what every fork would else import or carry along."""
    for plan in (prepared.plan, prepared.baseline):
        if plan and TRAITS[plan.settings.algorithm].clusters:
            warm_imports(plan.settings.grouping)
    give_memory_back()  # what loading the data took
    allow_many_files()


def plan_faults(
    source: Path, peers_folder: Path, overrides: Mapping[str, object], faults: Path
) -> FaultPlan:
    """Return what `faults` would do to the run of `source` (see `launch`); start nothing.

    Raises:
        ConfigError: the input is wrong.
    """
    topology = _topology(source, peers_folder)
    prepared = prepare(topology, resolve_settings(topology, overrides))
    prepared.images.close()
    return plan_of(faults, topology, prepared.plan)


def run_reported(
    prepared: Prepared,
    plan: Plan,
    folder: Path,
    quiet: bool,
    after_run: Callable[[Path], object],
    choice: NetworkChoice,
    faults: FaultPlan | None = None,
) -> tuple[str, dict[str, str]]:
    """Run `plan` in `folder` (see `run`), and call `after_run` however it ends."""
    try:
        return run(prepared, plan, folder, quiet, choice, faults)
    finally:
        after_run(folder)


def network_for(plan: Plan, faults: FaultPlan | None, where: str, quiet: bool) -> NetworkChoice:
    """Choose what lies between the peers; say what is lost by it."""
    choice = choose_network(plan.settings.network, wants(plan, faults))
    if faults:
        check_links(faults, choice, where)
    if not quiet and (lost := loss_of_fidelity(plan, faults, choice)):
        print(f"prisam: {lost}", file=sys.stderr)
    return choice


def network_beside(baseline: Plan, choice: NetworkChoice) -> NetworkChoice:
    """Return what lies between the peers of a baseline."""
    silent = TRAITS[baseline.settings.algorithm].silent
    return NetworkChoice(LOOPBACK, "nothing is sent") if silent else choice


def _topology(source: Path, peers_folder: Path) -> Topology:
    if not source.is_file():
        raise no_such_file(str(source), "", source)
    if source.suffix == ".json":
        return topology_of(read_plan(source), source)
    return load_topology(source, peers_folder)
