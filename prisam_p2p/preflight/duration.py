"""The time that a run takes: from its plan, and what a peer costs. Pure.

How near this comes to real runs: docs/preflight.md, from benchmarks/preflight.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from prisam_p2p.plan.plan import PeerPlan, Plan
from prisam_p2p.preflight.counts import RunCounts
from prisam_p2p.preflight.declared import (
    compared_models,
    costs_of_algorithm,
    trial_rounds,
)
from prisam_p2p.preflight.needs import cores_of, offered_bytes
from prisam_p2p.preflight.peer_cost import PeerCosts
from prisam_p2p.settings import SimilarityBy

_CONNECTION_S, _NEIGHBOR_S, _DONOR_S = 0.0015, 0.0012, 0.003
"""CPU seconds: to connect to a neighbor; in a round for a peer heard, and for a donor."""
_PULLED_BYTE_S = 4e-9
"""Of both ends: to send, check, keep and average a byte of weights."""
_FORK_S, _RUN_S = 0.008, 1.0
"""CPU seconds to start a peer, and of a run beside its peers: network, checks, summary."""
_BUSY = 0.9
"""The share of the cores that a run keeps busy, as peers wait for each other."""

_FORWARD = 1 / 3
"""The share of a training step that its forward pass takes."""


def seconds(plan: Plan, counts: RunCounts, costs: PeerCosts) -> float:
    """Return how long a run takes where nothing else keeps the cores busy.

    A round takes the time that the cores need for all peers, or that the slowest device needs.
    """
    settings, cores, links = plan.settings, cores_of(plan), sum(counts.degrees.values())
    dense_s = dict.fromkeys(plan.peers, costs.mean(lambda each: each.dense_step_s))
    slim_s = {peer: costs.step_s(each.macs) for peer, each in plan.peers.items()}
    trainings = costs_of_algorithm(plan).trainings
    later, n_dense = settings.rounds - 1, _dense_rounds(plan)
    all_, some = _Takers(plan, 1.0), _Takers(plan, _share_of_later_rounds(plan, counts))
    work_s = _work_s(plan, counts, costs)
    start_s = counts.peers * (_FORK_S + costs.mean(lambda each: each.start_s))
    start_s += _CONNECTION_S * links
    epochs, of_w0 = trainings * settings.epochs, settings.similarity_epochs or settings.epochs
    return (
        _RUN_S
        + start_s / cores
        + all_.takes_s(trainings * settings.warmup_epochs, dense_s, work_s)
        + n_dense * some.takes_s(epochs, dense_s, work_s)
        + (later - n_dense) * some.takes_s(epochs, slim_s, work_s)
        + _trainings_of_w0(plan) * some.takes_s(of_w0, dense_s)
        + all_.takes_s(_tuning_epochs(plan), dense_s)
    )


@dataclass(frozen=True)
class _Takers:
    """The share of a plan's peers that take part in a round."""

    plan: Plan
    share: float

    def takes_s(self, epochs: int, step_s: Mapping[str, float], work_s: float = 0.0) -> float:
        """Return what some epochs of training take, and other work of all peers.

        Args:
            step_s: peer -> CPU seconds of a training step.
            work_s: CPU seconds of all peers together, if all take part.
        """
        peers = self.plan.peers
        trained_s = {p: epochs * _batches(self.plan, peers[p]) * s for p, s in step_s.items()}
        slowest_s = max(s / peers[peer].profile.speed for peer, s in trained_s.items())
        together_s = self.share * (sum(trained_s.values()) + work_s)
        return max(together_s / cores_of(self.plan) / _BUSY, slowest_s + work_s / len(peers))


def _work_s(plan: Plan, counts: RunCounts, costs: PeerCosts) -> float:
    """Return the CPU seconds of a round of all peers, but for training."""
    donors = sum(counts.donors.values()) * 1.0
    if costs_of_algorithm(plan).pulls == "tried":  # in the other rounds it draws as others do
        trials = trial_rounds(plan) / plan.settings.rounds
        donors = trials * donors + (1 - trials) * min(donors, counts.peers * plan.fan_in)
    donor_s = _DONOR_S + _PULLED_BYTE_S * offered_bytes(plan)
    own_s = costs.mean(lambda each: each.round_s) + _testing_s(plan, costs)
    return (
        counts.peers * own_s
        + _NEIGHBOR_S * sum(counts.heard.values())
        + donor_s * donors
        + _own_images_s(plan, counts, costs)
    )


def _testing_s(plan: Plan, costs: PeerCosts) -> float:
    """Return what a round's evaluations take beyond those of a probe: forward passes alone."""
    moments = 1 if plan.traits.silent else 2
    images = plan.settings.test_images_per_peer - costs.mean(lambda each: each.tested)
    return max(0.0, moments * images * _forward_s(plan, costs))


def _own_images_s(plan: Plan, counts: RunCounts, costs: PeerCosts) -> float:
    """Return what all peers' forward passes over their training images take, beyond a probe's.

    They recalibrate BatchNorm, and compare models.
    """
    anew = plan.settings.bn_recalibration and not plan.traits.silent
    of_a_model = 2 if anew and costs_of_algorithm(plan).compares == "keeps" else 1
    trials = trial_rounds(plan) / plan.settings.rounds
    share = trials if costs_of_algorithm(plan).pulls == "tried" else 1.0
    probe = costs.mean(lambda each: each.trained), costs.mean(lambda each: each.donors)
    images = 0.0
    for peer, each in plan.peers.items():
        passes = anew + share * of_a_model * compared_models(plan, counts.donors[peer])
        of_probe = anew + of_a_model * compared_models(plan, probe[1])
        images += passes * _training_images(each) - of_probe * probe[0]
    return max(0.0, images * _forward_s(plan, costs))


def _forward_s(plan: Plan, costs: PeerCosts) -> float:
    """Return the CPU seconds of a forward pass of one image."""
    return costs.mean(lambda each: each.step_s) * _FORWARD / plan.settings.batch_size


def _training_images(peer: PeerPlan) -> float:
    """Return how many images a peer trains on; a fifth of its images is for validation."""
    return sum(peer.classes) * 0.8


def _batches(plan: Plan, peer: PeerPlan) -> int:
    """Return the training steps of an epoch."""
    return max(1, ceil(_training_images(peer) / plan.settings.batch_size))


def _dense_rounds(plan: Plan) -> int:
    """Return how many rounds after the first train whole models, or a union of their channels."""
    later, every = plan.settings.rounds - 1, plan.settings.regrowth_every
    if plan.traits.dense:
        return later
    return later // every if every else 0


def _share_of_later_rounds(plan: Plan, counts: RunCounts) -> float:
    """Return the share of peers in the rounds after the first, on average; all have the last."""
    later, share = plan.settings.rounds - 1, counts.participants / counts.peers
    return share + (1 - share) / later if later else 1.0


def _trainings_of_w0(plan: Plan) -> int:
    """Return in how many rounds peers train W0 beside their model, to make a similarity mask.

    In the first round, their model is W0, unless it was pruned.
    """
    s = plan.settings
    if s.similarity_by is not SimilarityBy.GAMMA_OF_W0 or plan.traits.masks != "similarity":
        return 0
    return (s.rounds - 1) // s.similarity_every + int(s.prune_w0)


def _tuning_epochs(plan: Plan) -> int:
    """Return the epochs after the last average."""
    return plan.settings.finetune_epochs if costs_of_algorithm(plan).fine_tunes else 0
