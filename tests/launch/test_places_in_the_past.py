"""With which states a run goes on in which places changed hands. Pure."""

from types import SimpleNamespace

import pytest

from prisam_p2p.launch.past import comes_later, replaced_before, states_of_stay

OLD = SimpleNamespace(arrival=None, leaves=3)
NEW = SimpleNamespace(arrival=SimpleNamespace(round=3), leaves=None)
STATES = dict.fromkeys(range(6))


def test_the_old_device_counts_up_to_the_round_of_the_change_and_the_new_one_after_it():
    assert [*states_of_stay(STATES, OLD)] == [0, 1, 2, 3]
    assert [*states_of_stay(STATES, NEW)] == [4, 5]


@pytest.mark.parametrize(
    ("start", "gone", "later"), [(2, [], True), (3, [], True), (4, ["old"], False)]
)
def test_a_change_in_a_round_that_is_done_again_is_done_again(start, gone, later):
    plan = SimpleNamespace(peers={"old": OLD, "new": NEW})
    assert (replaced_before(plan, start), comes_later(NEW, start)) == (gone, later)
