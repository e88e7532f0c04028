from prisam_p2p.experiment.cells import Search, key_of
from prisam_p2p.experiment.search import SearchGrid, next_trials
from prisam_p2p.experiment.tuning import Searched, choices, record, recorded

GRID = SearchGrid({"learning_rate": (0.1, 0.2, 0.4)}, (7, 8), {"learning_rate": (0.1, 1.0)})


def searched(method, results):
    search = Search({"method": method}, {}, GRID)
    return Searched(search, results, next_trials(GRID, results))


def by_rate(**accuracy):
    """Results of rates r1, r2, r4 with both seeds, as far as halving needs them."""
    names = {"r1": 0.1, "r2": 0.2, "r4": 0.4}
    return {((names[r],), seed): v for r, values in accuracy.items() for seed, v in values.items()}


OVER = by_rate(r1={7: 0.5}, r2={7: 0.7, 8: 0.75}, r4={7: 0.6, 8: 0.5})


def test_a_choice_is_made_where_the_search_is_over():
    failed = {((rate,), 7): None for rate in (0.1, 0.2, 0.4)} | {((0.1,), 8): None}
    failed |= {((0.2,), 8): None}
    each = [searched("a", OVER), searched("b", {((0.1,), 7): 0.9}), searched("c", failed)]
    assert choices(each) == {key_of({"method": "a"}): {"learning_rate": 0.2}}
    assert recorded(record(each)) == choices(each)


def test_what_was_tried_is_recorded():
    (entry,) = record([searched("a", OVER), searched("b", {})])
    assert entry["chosen"] == {"learning_rate": 0.2}
    assert (entry["at_edge"], entry["over"]) == ([], True)
    assert entry["grid"] == {"learning_rate": [0.1, 0.2, 0.4]}
    first, second, _ = entry["candidates"]
    assert first == {"learning_rate": 0.1, "validation": 0.5, "by_seed": {7: 0.5}}
    assert second == {"learning_rate": 0.2, "validation": 0.725, "by_seed": {7: 0.7, 8: 0.75}}


def test_a_grid_that_grows_is_recorded_as_it_has_grown():
    best_is_last = by_rate(r1={7: 0.5}, r2={7: 0.6, 8: 0.6}, r4={7: 0.7, 8: 0.7})
    (entry,) = record([searched("a", best_is_last)])
    assert (entry["chosen"], entry["over"]) == (None, False)
    assert entry["grid"] == {"learning_rate": [0.1, 0.2, 0.4, 0.8]}


def test_what_is_left_is_told_at_least_and_at_most():
    new = searched("a", {})
    assert new.trials_left() == (3 + 2, 3 + 2 + 2 * 2)  # 0.8 and 1.0, with two seeds each
    assert searched("a", OVER).trials_left() == (0, 0)


def test_a_tuning_json_of_an_earlier_version_is_read():
    entries = [{"labels": {"method": "a"}, "chosen": {"learning_rate": 0.2}, "candidates": []}]
    assert recorded(entries) == {key_of({"method": "a"}): {"learning_rate": 0.2}}
