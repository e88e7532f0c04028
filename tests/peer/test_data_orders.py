"""Which images a peer loads in which round, and that it forgets how well it did on others."""

import pytest

from prisam_p2p.control.spec import DataChangeSpec, DataRows, PeerSpec
from prisam_p2p.learn.learner import Accuracy
from prisam_p2p.peer.data_orders import DataOrders, rows_of
from prisam_p2p.peer.evaluation import Evaluations
from prisam_p2p.settings import RunSettings

AT_FIRST = DataRows(fd=3, n_images=30, train=[0, 1, 2], validation=[3], test=[20])


def change(t, *train):
    return DataChangeSpec(
        round=t, group=1, train=[*train], validation=[8], test=[21, 22], fault=f"f#{t}"
    )


THERE, BACK = change(3, 2, 5, 6), change(6, 0, 1, 2)


@pytest.fixture
def orders():
    return DataOrders(PeerSpec.model_construct(data=AT_FIRST, data_changes=[THERE, BACK]))


def test_each_change_is_due_once_from_its_round_on(orders):
    assert [orders.due(t) for t in range(3)] == [None] * 3
    assert orders.due(3) == THERE
    assert orders.note_loaded(THERE) == 2  # image 2 was there before
    assert [orders.due(t) for t in (3, 4, 5)] == [None] * 3
    assert orders.due(6) == BACK
    assert orders.note_loaded(BACK) == 2
    assert orders.due(7) is None


@pytest.mark.parametrize(("first", "due"), [(4, THERE), (8, BACK)])
def test_a_process_that_begins_later_loads_what_is_due_then(orders, first, due):
    assert orders.due(first) == due


def test_a_process_that_begins_after_all_is_over_has_nothing_new(orders):
    assert orders.note_loaded(orders.due(8)) == 0


def test_the_learner_gets_the_rows():
    rows = rows_of(THERE)
    assert (rows.train.tolist(), rows.validation.tolist()) == ([2, 5, 6], [8])
    assert (rows.test.tolist(), rows.group) == ([21, 22], 1)


# -- accuracies on other images ----------------------------------------------------------


def noted(*validations, since=0, **settings):
    found = Evaluations(RunSettings(**settings), "after_aggregation")
    found.begin_anew(since)
    for validation in validations:
        found.note("after_aggregation", Accuracy(validation, 0.5))
    return found


def test_a_best_accuracy_on_other_images_does_not_count():
    found = noted(0.9, 0.95, 0.94, patience=2)
    assert not found.has_fallen(0.05)
    found.begin_anew(3)
    assert (found.validations, found.accuracy) == ([], {})
    found.note("after_aggregation", Accuracy(0.4, 0.5))
    assert not found.has_fallen(0.05)
    assert not found.has_converged(None)
    found.note("after_aggregation", Accuracy(0.3, 0.5))
    assert found.has_fallen(0.05)


def test_a_process_that_goes_on_with_the_same_images_forgets_nothing():
    found = noted(0.9, 0.8, since=3)
    found.begin_anew(3)
    assert found.validations == [0.9, 0.8]
