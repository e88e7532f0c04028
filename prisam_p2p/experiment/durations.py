"""Estimate how long cells take: before they run by a training step, and then by finished cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from prisam_p2p.experiment.absent_data import is_absent, usual_step_ms
from prisam_p2p.experiment.resolved_cell import ResolvedCell
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.plan.user_code import Code, Naming, load_code
from prisam_p2p.settings import RunSettings

FORWARD_SHARE = 0.35
"""Time of evaluating a batch, as a share of that of a training step."""

START_S = 4.0
"""Time for imports, loading the data, the plan and the summary."""


class Estimates:
    """Estimates the duration of cells by a training step, measured for each model and dataset.

    Measuring also loads the data, which finds errors in a cell's input, unless they are absent.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._steps_ms: dict[tuple[object, ...], float] = {}

    def seconds(self, resolved: ResolvedCell) -> float:
        """Return roughly the seconds that a cell takes if it has all cores.

        Raises:
            ConfigError: the cell's input is wrong.
        """
        s = resolved.settings
        same_step = (s.dataset, s.model, s.width, s.image_size, s.batch_size, s.device)
        if same_step not in self._steps_ms:
            code = load_code(s, Naming({}))  # `check_data` has seen that it is trusted
            self._steps_ms[same_step] = _step_ms(resolved, code)
        profiles = list(resolved.topology.profiles.values())
        return wall_s(s, profiles, self._steps_ms[same_step], self._cores)


def _step_ms(resolved: ResolvedCell, code: Code) -> float:
    if is_absent(resolved.settings):
        return usual_step_ms(resolved.settings, code)
    prepared = prepare(resolved.topology, resolved.settings, code)
    prepared.images.close()
    return prepared.plan.host.reference_step_ms


def wall_s(
    settings: RunSettings, profiles: Sequence[DeviceProfile], step_ms: float, cores: int
) -> float:
    """Return the seconds of a whole run: by the work for all cores, or by the slowest device.

    It is rather too high, because slim models count as dense ones.

    Args:
        profiles: of all peers.
        step_ms: CPU time of a training step of the dense model.
        cores: of the host.
    """
    train = math.ceil(0.8 * settings.images_per_peer / settings.batch_size)
    held_out = 0.2 * settings.images_per_peer + settings.test_images_per_peer
    forward = held_out / settings.batch_size * FORWARD_SHARE
    passes = settings.warmup_epochs + (settings.rounds - 1) * settings.epochs
    evaluations = 2 * math.ceil(settings.rounds / settings.evaluate_every)
    training_s = passes * train * step_ms / 1000
    forward_s = (evaluations * forward + settings.rounds * train * FORWARD_SHARE) * step_ms / 1000
    work_s = len(profiles) * (training_s + forward_s) / cores
    slowest_s = max(training_s / profile.speed for profile in profiles) + forward_s
    return START_S + max(work_s, slowest_s)


@dataclass(frozen=True)
class Pending:
    """A cell that is not done.

    Attributes:
        kind: as in ResolvedCell.
        elapsed_s: since its start; 0 if it waits.
        share: of its rounds that are done; 0 if it waits.
    """

    kind: str
    elapsed_s: float = 0.0
    share: float = 0.0


def left_s(
    pending: Iterable[Pending], durations_s: Mapping[str, Sequence[float]], at_once: int
) -> float | None:
    """Return the seconds until all pending cells are done, None if there is nothing to judge by.

    The duration of a cell is the mean of the finished cells of its kind. Without any, it is
    extrapolated from running cells of its kind, and else it is the mean over all kinds.

    Args:
        durations_s: kind -> durations of the finished cells of this kind.
        at_once: number of cells that run at the same time.
    """
    pending = list(pending)
    paces = {kind: list(seconds) for kind, seconds in durations_s.items() if seconds}
    for cell in pending:
        if cell.share > 0 and not durations_s.get(cell.kind):
            paces.setdefault(cell.kind, []).append(cell.elapsed_s / cell.share)
    if not paces:
        return None
    overall = fmean(s for seconds in paces.values() for s in seconds)
    whole = [fmean(paces[cell.kind]) if cell.kind in paces else overall for cell in pending]
    rest = [max(0.0, s - cell.elapsed_s) for s, cell in zip(whole, pending, strict=True)]
    return max(sum(rest) / max(1, at_once), max(rest, default=0.0))
