"""Which W0 a peer begins with: the run's, or in a negative control one of its own."""

import pytest

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.peer.components import w0_seed
from prisam_p2p.settings import RunSettings


def seeds(**settings):
    of_run = RunSettings(seed=3, **settings)
    return [w0_seed(PeerSpec.model_construct(settings=of_run, index=i)) for i in range(20)]


def test_all_peers_begin_with_the_w0_of_the_run():
    assert seeds() == [3] * 20


def test_in_the_negative_control_each_begins_with_its_own():
    assert len({3, *seeds(initial_weights="own")}) == 21


@pytest.mark.parametrize("other", [4, 5])
def test_another_run_has_other_w0s(other):
    theirs = PeerSpec.model_construct(
        settings=RunSettings(seed=other, initial_weights="own"), index=0
    )
    assert w0_seed(theirs) not in seeds(initial_weights="own")
