"""What a peer announces with --mask-noise, and what it writes of it."""

from types import SimpleNamespace

import numpy as np

from prisam_p2p.core.mask_noise import noise_generator, with_noise
from prisam_p2p.measure import records
from prisam_p2p.peer.peer import Peer
from prisam_p2p.settings import RunSettings

MASK = np.arange(176) % 2 == 0


def announced(**settings):
    wrote = []
    me = SimpleNamespace(
        spec=SimpleNamespace(settings=RunSettings(**settings), index=3),
        _journal=SimpleNamespace(write=wrote.append),
    )
    return Peer._noisy(me, 2, MASK), wrote


def test_without_noise_a_mask_is_announced_as_it_is():
    mask, wrote = announced()
    assert mask is MASK
    assert wrote == []


def test_flips_follow_from_the_seed_and_are_counted():
    mask, wrote = announced(mask_noise=1.0, seed=7)
    assert mask.tolist() == with_noise(MASK, 1.0, noise_generator(7, 3, 2)).tolist()
    flipped = int((mask != MASK).sum())
    assert flipped > 0
    assert wrote == [records.MaskNoised(2, 1.0, flipped, 176)]
