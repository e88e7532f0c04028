"""The lists of algorithms agree with each other."""

from prisam_p2p.algorithms import TRAITS
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.settings import Algorithm, Baseline


def test_every_algorithm_has_a_loop_and_traits():
    assert set(LOOPS) == set(TRAITS) == set(Algorithm)


def test_every_algorithm_can_be_run_beside_another():
    assert {each.value for each in Baseline} == {"none", *(each.value for each in Algorithm)}


def test_no_two_algorithms_are_one_function():
    assert len(set(LOOPS.values())) == len(LOOPS)
