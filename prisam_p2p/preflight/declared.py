"""What the algorithm of a plan declares of its costs (algorithms.py), in numbers. Pure."""

from __future__ import annotations

from prisam_p2p.algorithms import Costs, built_in
from prisam_p2p.plan.plan import Plan

PENS_TRIED_FOR_EACH = 5
"""As peer/baselines/pens.py has it, which imports nothing but what users' algorithms can."""


def costs_of_algorithm(plan: Plan) -> Costs:
    """Return what the plan's algorithm declares; a user's is taken to train once in a round."""
    if found := built_in(plan.settings.algorithm):
        return found.costs
    if plan.traits.silent:
        return Costs("nobody")
    grouped = plan.traits.clusters or plan.traits.knows_groups
    return Costs("group" if grouped else "all")  # of others, nobody knows before the run


def kept_models(plan: Plan) -> int:
    """Return how many models a peer keeps beside the one that it trains next."""
    keeps = costs_of_algorithm(plan).keeps
    return {"none": 0, "personal": 1, "k": plan.clusters}[keeps]


def compared_models(plan: Plan, donors: float) -> float:
    """Return how many models' losses on its own training images a peer computes in a round.

    Args:
        donors: peers that it pulls from in that round.
    """
    compares = costs_of_algorithm(plan).compares
    return {"none": 0.0, "keeps": kept_models(plan), "pulls": donors}[compares]


def tried_models(plan: Plan) -> int:
    """Return how many models a peer tries in a round of trials."""
    return plan.settings.pens_sampled or PENS_TRIED_FOR_EACH * plan.fan_in


def trial_rounds(plan: Plan) -> int:
    """Return in how many rounds a peer tries models."""
    asked, rounds = plan.settings.pens_rounds, plan.settings.rounds
    return rounds // 2 if asked is None else min(asked, rounds)
