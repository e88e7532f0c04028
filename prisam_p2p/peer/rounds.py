"""A peer's way through the rounds: where it begins, which it takes part in, what each leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.messages import RoundDone, RoundsBegun, StateLost
from prisam_p2p.control.spec import Phase
from prisam_p2p.core.layout import Weights
from prisam_p2p.measure import records
from prisam_p2p.measure.state import Progress, save_state
from prisam_p2p.peer.beginning import begin
from prisam_p2p.peer.marks import does
from prisam_p2p.peer.peer_base import PeerBase

_BEFORE_MASKS: tuple[Phase, ...] = ("train", "announce")
_AFTER_MASKS: tuple[Phase, ...] = ("pull", "aggregate")
"""The phases of a round before, and after, the wait for masks."""


class PeerInRounds(PeerBase):
    """A peer that begins, goes from round to round, and saves its state after each."""

    @does(Activity.LOADING)
    def begin(self) -> tuple[Weights, int]:
        """Return the weights and the round to begin with: W0 and 0 at the start of a run.

        A peer that joins late begins in the round that its neighbors have reached. A process that
        follows another one begins with the state that the one before left, or with a neighbor's
        weights (beginning.py).
        """
        start = begin(self.spec, self._incarnation, self.layout, self._neighbors_if_any)
        self.rounds_done = start.round_index
        if start.progress:
            self.prune_ratio = start.progress.prune_ratio
            self._affinity = dict(start.progress.affinity)
            self._evaluations.validations = list(start.progress.validations)
            self._evaluations.data_since = start.progress.data_since
        self.memory = dict(start.memory)
        self._report(RoundsBegun(start.round_index))
        if self._incarnation.late or self._incarnation.number:
            led_to = start.progress.rounds_done if start.progress else 0
            self._journal.write(
                records.Resumed(led_to, start.round_index, start.source, start.donor)
            )
        first = self._participation.next_round(self.peer_id, start.round_index)
        self._first = first if start.weights is None else -1
        weights = start.weights or self._initial()
        self._keep_between(weights)
        return weights, start.round_index

    def rounds_from(self, first: int) -> Iterator[int]:
        """Yield the rounds in which this peer takes part; let the others pass.

        A peer that fell behind (it was paused or cut off) skips to the round that half of its
        neighbors have reached; otherwise its masks would stay stale. Neighbors that are ahead only
        in rounds that it sits out have not left it behind.
        """
        t = first
        while t < self.rounds:
            self._t = t
            self.marks.begin_round(t)
            if self._participation.takes_part(self.peer_id, t):
                self._between, began_s = None, time.monotonic()
                yield t
                self._took_s = time.monotonic() - began_s
            else:
                self._sit_out(t)
            reached = self._neighbors_if_any.reached() if self._neighbors_if_any else 0
            after, t = t, t + 1
            if reached > self._participation.next_round(self.peer_id, t):
                t = max(t, min(reached, self.rounds - 1))
            if t > after + 1:
                self._journal.write(records.CaughtUp(after, t))

    def _sit_out(self, t: int) -> None:
        """Let a round pass in which this peer does not take part.

        It is over when the masks of those that do are here, so that this peer keeps in step with
        them. Faults that are planned for its phases happen all the same.
        """
        assert self._between is not None, "a round that no other precedes has all peers"
        for phase in _BEFORE_MASKS:
            self._wait_at_barrier(t, phase)
        began_s = time.monotonic()
        if self._neighbors_if_any:
            self._neighbors_if_any.hear(t, idle_s=self._took_s)
        self._journal.write(records.SatOut(t, round(time.monotonic() - began_s, 6)))
        for phase in _AFTER_MASKS:
            self._wait_at_barrier(t, phase)
        self.end_round(t, self._between)

    @does(Activity.SAVING)
    def end_round(self, t: int, weights: Weights) -> None:
        """Journal the traffic, save the state that the next round begins with, report the round.

        Args:
            weights: what the next round trains.
        """
        self.rounds_done = t + 1
        self._keep_between(weights)
        progress = Progress(
            rounds_done=t + 1,
            incarnation=self._incarnation.number,
            prune_ratio=self.prune_ratio,
            affinity=self._affinity,
            validations=self._evaluations.validations,
            layout=self.layout.digest.hex(),
            data_since=self._evaluations.data_since,
        )
        self._keep_state(t, weights, progress)
        if self._neighbors_if_any:
            self._neighbors_if_any.write_traffic(t)
        tests = {moment: accuracy.test for moment, accuracy in self._evaluations.accuracy.items()}
        n_bytes = self._neighbors_if_any.bytes_out() if self._neighbors_if_any else 0
        self._write_resources(t)
        self._report(RoundDone(t, tests, n_bytes))
        self.marks.write_spans()

    def _initial(self) -> Weights:
        """Return what a run begins with: W0, dense unless the run prunes it first."""
        if not self.spec.settings.prune_w0 or self._traits.dense:
            return self._w0
        return self._choice.of_w0(self.prune_ratio)

    def _keep_between(self, weights: Weights) -> None:
        """Keep what the next round trains at hand, for the states of rounds that are sat out."""
        self._between = None if self._participation.of_all else weights

    def _keep_state(self, t: int, weights: Weights, progress: Progress) -> None:
        """Save the state; a peer that cannot write it continues without."""
        try:
            kept = self.spec.earlier_states, self.spec.sparse_states
            save_state(self.spec.state_path, weights, progress, self.memory, *kept)
        except OSError as error:
            reason = error.strerror or str(error)
            self._journal.write(records.StateNotWritten(t, reason))
            self._report(StateLost(t, reason))

    def _write_resources(self, t: int) -> None:
        network = self._neighbors_if_any
        sent, received = network.payload_bytes() if network else (0, 0)
        cpu_s = round(time.process_time(), 6)
        self._journal.write(records.Resources(t, cpu_s, self._memory_mib(), sent, received))
