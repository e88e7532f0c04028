"""Flip bits of an announced mask at random, so that a mask says less about its peer's data.

Source: randomised response, Warner 1965, "Randomized response: a survey technique for eliminating
evasive answer bias"; each bit is then epsilon-locally differentially private, alone and in one
round. docs/decisions/0058-mask-noise.md says what that is worth.
"""

from __future__ import annotations

import math

import numpy as np

from prisam_p2p.core.layout import Mask

_OF_MASK_NOISE = 5
"""Draw flips apart from what else follows from the seed, a peer and a round."""


def flip_probability(epsilon: float) -> float:
    """Return the probability 1 / (1 + e^epsilon) with which each bit flips, in (0, 1/2).

    Raises:
        ValueError: epsilon is not above 0.
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon must be above 0, got {epsilon}")
    return 1.0 / (1.0 + math.exp(min(epsilon, 700.0)))  # e^710 is more than a float holds


def with_noise(mask: Mask, epsilon: float, rng: np.random.Generator) -> Mask:
    """Return `mask` with each bit flipped, on its own, with `flip_probability`.

    The channels that are kept of a layer are no longer as many on every peer: cosine or Jaccard
    similarity may then order pairs otherwise than Hamming distance does.

    Args:
        mask: shape (n_bits,).

    Raises:
        ValueError: epsilon is not above 0.
    """
    return mask ^ (rng.random(mask.size) < flip_probability(epsilon))


def noise_generator(seed: int, index: int, round_index: int) -> np.random.Generator:
    """Return the generator of a peer's flips in a round: a rerun makes the same masks.

    A real device must draw them by itself: who knows the seed can take these flips back.
    """
    return np.random.default_rng([seed, _OF_MASK_NOISE, index, round_index])
