"""What a peer is made of, and what its steps leave for each other.

The steps: rounds.py, evaluating_peer.py, peer.py and baseline_peer.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prisam_p2p.control.messages import AtBarrier, Report
from prisam_p2p.control.spec import Incarnation, PeerSpec, Phase
from prisam_p2p.core import grouping, peer_choice
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.layout import Array, Layout, Mask, Weights
from prisam_p2p.learn.learner import Learner
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.channel_choice import ChannelChoice
from prisam_p2p.peer.data_orders import DataOrders
from prisam_p2p.peer.evaluation import Deployment, Evaluations
from prisam_p2p.peer.local_training import LocalTraining
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.own_grouping import OwnGrouping
from prisam_p2p.peer.turns import Turns


class PeerBase:
    """What a peer's steps work with, and its state between them.

    Args:
        w0: initial weights, dense; common to the run unless the run says otherwise.
        neighbors: None for an algorithm that never communicates.
        sleep: waits for this many seconds; raises if the process is told to stop.
        report: sends a report to the launcher.
        wait_at_barrier: returns when the launcher lets this peer go on.
        own_grouping: users' code that clusters masks; None = what the settings say.
        memory_mib: returns the memory of this process above its baseline; None = unknown.
        marks: where this peer shows what it is doing; None = nobody looks.

    Attributes:
        prune_ratio: this device's; the accuracy guard may lower it.
        rounds_done: rounds that this peer, earlier processes included, has ended.
        group: this round's, this peer included, ascending.
        announced: the mask that this peer announced last.
        deployment: the model that this peer ends with; None before `deploy`.
        memory: name -> array; what an algorithm keeps between rounds besides the weights. It is
            saved with the state of a round, and `begin` restores it.
    """

    def __init__(
        self,
        spec: PeerSpec,
        incarnation: Incarnation,
        layout: Layout,
        w0: Weights,
        learner: Learner,
        neighbors: Neighbors | None,
        journal: Journal,
        sleep: Callable[[float], None],
        report: Callable[[Report], None],
        wait_at_barrier: Callable[[], object],
        marks: Marks | None = None,
        own_grouping: OwnGrouping | None = None,
        memory_mib: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.spec, self.layout, self.learner = spec, layout, learner
        self._incarnation = incarnation
        self._traits = spec.traits
        self.peer_id, self.rounds = spec.peer_id, spec.settings.rounds
        self.prune_ratio = spec.device.prune_ratio
        self.rounds_done = 0
        self.group: list[str] = [spec.peer_id]
        self.deployment: Deployment | None = None
        self._w0, self._neighbors_if_any, self._journal = w0, neighbors, journal
        self._report, self._await_release = report, wait_at_barrier
        self._own_grouping, self._memory_mib = own_grouping, memory_mib
        self.memory: dict[str, Array] = {}
        self._participation = spec.participation()
        self._between: Weights | None = None
        self._took_s = 0.0
        self._first = self._t = 0
        self.marks = marks or Marks()
        self._turns = Turns(spec.turns_fd, spec.cores, sleep, self.marks)
        pacing = self._turns, sleep, self.marks
        self._training = LocalTraining(spec, layout, learner, *pacing)
        self.announced = PackedMask(0, b"")
        self._choice = ChannelChoice(spec.settings, spec.index, layout, w0)
        self._pruned_at = 0.0
        self._began = layout.full_mask()
        self._before: Weights | None = None
        self._regrown: Mask | None = None
        self._votes = np.ones(layout.n_bits)
        self._affinity: grouping.Affinity | peer_choice.Trials = {}
        self._norms: dict[str, float] = {}
        self._loss: float | None = None
        final_moment = "after_aggregation" if neighbors else "after_training"
        self._evaluations = Evaluations(spec.settings, final_moment)
        self._data = DataOrders(spec)

    def _wait_at_barrier(self, t: int, phase: Phase) -> None:
        """Wait for the launcher, if a fault is planned for this moment."""
        if (t, phase) in self.spec.barriers:
            self._report(AtBarrier(t, phase))
            self._await_release()

    @property
    def _neighbors(self) -> Neighbors:
        assert self._neighbors_if_any is not None, "this algorithm does not communicate"
        return self._neighbors_if_any
