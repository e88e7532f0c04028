import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.mask_noise import flip_probability, noise_generator, with_noise

MASK = np.arange(200_000) % 3 == 0


@pytest.mark.parametrize(
    ("epsilon", "flips"), [(np.log(3), 0.25), (1e-9, 0.5), (3.0, 0.0474), (1e6, 0.0)]
)
def test_the_probability_of_a_flip(epsilon, flips):
    assert flip_probability(epsilon) == pytest.approx(flips, abs=5e-5)


@given(st.floats(0.01, 20))
def test_a_bit_is_epsilon_differentially_private(epsilon):
    """Either answer is at most e^epsilon times as likely with the one bit as with the other."""
    p = flip_probability(epsilon)
    assert (1 - p) / p == pytest.approx(np.exp(epsilon))


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan")])
def test_no_noise_is_no_epsilon(epsilon):
    with pytest.raises(ValueError, match="above 0"):
        flip_probability(epsilon)


def test_ones_and_zeros_flip_equally_often():
    noisy = with_noise(MASK, 1.0, noise_generator(0, 1, 2))
    flipped = noisy != MASK
    for bits in (MASK, ~MASK):
        assert abs(flipped[bits].mean() - flip_probability(1.0)) < 0.005


def test_the_flips_follow_from_seed_peer_and_round():
    def noisy(*at):
        return with_noise(MASK[:500], 1.0, noise_generator(*at)).tobytes()

    assert noisy(0, 1, 2) == noisy(0, 1, 2)
    assert len({noisy(0, 1, 2), noisy(1, 1, 2), noisy(0, 2, 2), noisy(0, 1, 3)}) == 4
