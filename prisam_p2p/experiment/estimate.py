"""How long a cell will take, from one measured training step: rough, before anything has run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prisam_p2p.experiment.identity import Resolved
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.settings import RunSettings

FORWARD_SHARE = 0.35
"""Of a training step's time, what evaluating as many images takes."""

START_S = 4.0
"""Importing, loading the data, the plan, the summary."""


class Estimates:
    """Measures a step for each model and data, and estimates cells by it.

    Measuring loads the data, so that it also finds what is wrong with a cell's input.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._steps_ms: dict[tuple[object, ...], float] = {}

    def seconds(self, resolved: Resolved) -> float:
        """Return about how long a cell takes when it has all cores.

        Raises:
            ConfigError: its input does not fit.
        """
        s = resolved.settings
        same_step = (s.dataset, s.model, s.width, s.image_size, s.batch_size, s.device)
        if same_step not in self._steps_ms:
            prepared = prepare(resolved.topology, s)
            prepared.images.close()
            self._steps_ms[same_step] = prepared.plan.host.reference_step_ms
        profiles = list(resolved.topology.profiles.values())
        return wall_s(s, profiles, self._steps_ms[same_step], self._cores)


def wall_s(
    settings: RunSettings, profiles: Sequence[DeviceProfile], step_ms: float, cores: int
) -> float:
    """Return seconds for all rounds: the cores' work, or the slowest device's if that is more.

    Upper bound in one respect: slim models count as dense ones.
    """
    train = math.ceil(0.8 * settings.images_per_peer / settings.batch_size)
    held_out = 0.2 * settings.images_per_peer + settings.test_images_per_peer
    forward = held_out / settings.batch_size * FORWARD_SHARE
    passes = settings.warmup_epochs + (settings.rounds - 1) * settings.epochs
    evaluations = 2 * math.ceil(settings.rounds / settings.evaluate_every)
    training_s = passes * train * step_ms / 1000
    looking_s = (evaluations * forward + settings.rounds * train * FORWARD_SHARE) * step_ms / 1000
    work_s = len(profiles) * (training_s + looking_s) / cores
    slowest_s = max(training_s / profile.speed for profile in profiles) + looking_s
    return START_S + max(work_s, slowest_s)
