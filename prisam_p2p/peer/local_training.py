"""Trains a peer's model on its own data, at the speed of its device."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from typing import Any

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.core.layout import Layout, Weights
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.cost import step_macs
from prisam_p2p.learn.learner import Learner
from prisam_p2p.learn.pace import Pace
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.turns import Turns


class LocalTraining:
    """Training on one peer; it changes neither the peer's state nor its journal.

    Args:
        turns: a device as fast as the host trains only in its turn.
        sleep: waits for this many seconds; raises if the process is told to stop.
        marks: where the peer shows that it trains, or sleeps to be as slow as its device.
    """

    def __init__(
        self,
        spec: PeerSpec,
        layout: Layout,
        learner: Learner,
        turns: Turns,
        sleep: Callable[[float], None],
        marks: Marks,
    ) -> None:
        self._spec, self._layout, self._learner = spec, layout, learner
        self._turns, self._sleep, self._marks = turns, sleep, marks

    def check_parts(self, parts: Sequence[Collection[str]]) -> None:
        """Refuse parts of the network that cannot be trained."""
        known = {tensor.name for tensor in self._layout.tensors if tensor.trainable}
        for part in parts:
            if not part or not known.issuperset(part):
                wrong = sorted(set(part) - known) or "none"
                right = f"me.train with in_turn= of names of parameters, not {wrong}"
                raise ConfigError("--algorithm", "", str(self._spec.settings.algorithm), right)

    def fit(
        self,
        t: int,
        weights: Weights,
        epochs: int,
        rate: float,
        in_turn: Sequence[Collection[str]] = (),
        toward: Weights | None = None,
        strength: float = 0.0,
    ) -> tuple[Weights, dict[str, Any]]:
        """Train at the device's speed; return the weights, and what a record says of it."""
        with self._turns.turn() if self._spec.device.speed == 1 else nullcontext():
            pace = Pace(self._spec.device.speed, self._after_step)
            trained, outcome = self._learner.train(
                weights,
                round_index=t,
                epochs=epochs,
                learning_rate=rate,
                pace=pace,
                in_turn=in_turn,
                toward=toward,
                strength=strength,
            )
        layers = self._learner.layer_macs(weights.mask)
        of_steps = [step_macs(layers, part) for part in in_turn] or [step_macs(layers)]
        return trained, {
            "epochs": epochs * (len(in_turn) or 1),
            "steps": outcome.steps,
            "images": outcome.images,
            "loss": outcome.loss,
            "learning_rate": rate,
            "parameters": self._layout.n_parameters(weights.mask),
            "cpu_s": round(pace.cpu_s, 6),
            "wall_s": round(pace.wall_s, 6),
            "speed_asked": self._spec.device.speed,
            "speed_achieved": round(pace.cpu_s / pace.wall_s, 4) if outcome.steps else None,
            "macs": sum(layers.values()),
            "training_macs": outcome.images // len(of_steps) * sum(of_steps),
        }

    def _after_step(self, seconds: float) -> None:
        """Sleep after a training step, for as long as the host is ahead of the device."""
        self._marks.advance()
        if seconds > 0:
            with self._marks.doing(Activity.PACING, time.monotonic() + seconds):
                self._sleep(seconds)
        else:
            self._sleep(seconds)
