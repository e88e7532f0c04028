"""The search of a grid: it ends, repeats no trial, drops only the worst, and finds an optimum."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.experiment.search import (
    Chosen,
    SearchGrid,
    edges,
    fewest_trials,
    most_trials,
    next_trials,
)

SEEDS = (1000, 1001, 1002)
RATES, DECAYS = (0.05, 0.1, 0.2), (0.7, 0.8, 0.95)
GRID = SearchGrid(
    {"rate": RATES, "decay": DECAYS}, SEEDS, {"rate": (0.01, 1.6), "decay": (0.4, 1.0)}
)


def searched(grid, accuracy):
    """Run a search to its end; return the choice, the results, and the steps."""
    results, steps = {}, []
    for _ in range(1000):
        step = next_trials(grid, results)
        if isinstance(step, Chosen):
            return step, results, steps
        assert step.trials
        assert len({*step.trials}) == len(step.trials)
        assert not {*step.trials} & {*results}, "a trial would run twice"
        steps.append((step, dict(results)))
        results |= {trial: accuracy(*trial) for trial in step.trials}
    raise AssertionError("the search does not end")


grids = st.builds(
    lambda rates, epochs, words, seeds, bounded: SearchGrid(
        {"rate": tuple(rates), "epochs": tuple(epochs), "word": tuple(words)},
        SEEDS[:seeds],
        {
            name: bound
            for name, bound in (("rate", (0.005, 4.0)), ("epochs", (1, 20)))
            if name in bounded
        },
    ),
    st.lists(
        st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.3, 1.0]), min_size=1, max_size=4, unique=True
    ),
    st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=2, unique=True),
    st.integers(1, 3),
    st.sets(st.sampled_from(["rate", "epochs"])),
)


@given(grids, st.data())
def test_it_ends_whatever_comes_out_and_within_the_numbers_told(grid, data):
    outcome = st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.9]))
    chosen, results, _ = searched(grid, lambda *_: data.draw(outcome))
    assert len(results) <= most_trials(grid)
    if chosen.candidate is None:
        return
    assert len(results) >= fewest_trials(grid)
    assert all(results[chosen.candidate, seed] is not None for seed in grid.seeds)
    for name in edges(chosen.grid.values, chosen.candidate):
        value = chosen.candidate[[*chosen.grid.values].index(name)]
        assert value in grid.bounds.get(name, (value,)), "at an edge that could have moved"


@given(st.floats(0.011, 1.5), st.floats(0.41, 0.99))
def test_the_optimum_of_a_unimodal_function_is_found_inside_the_grid(rate, decay):
    def accuracy(candidate, _):
        return -abs(candidate[0] - rate) - abs(candidate[1] - decay)

    chosen, _, _ = searched(GRID, accuracy)
    best = max(chosen.grid.candidates(), key=lambda each: accuracy(each, 0))
    assert chosen.candidate == best
    for name, value in zip(GRID.bounds, chosen.candidate, strict=True):
        tried = sorted(chosen.grid.values[name])
        assert tried[0] < value < tried[-1] or value in GRID.bounds[name]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(GRID.candidates()), st.sampled_from(SEEDS)), st.floats(0, 1)
    )
)
def test_halving_drops_none_that_is_better_than_one_it_keeps(known):
    grid = SearchGrid(GRID.values, SEEDS, {})
    chosen, results, steps = searched(grid, lambda *trial: known.get(trial, 0.5))
    assert len(results) == fewest_trials(grid) == 9 + 5 + 3
    assert [len(step.trials) for step, _ in steps] == [9, 5, 3]
    alive = grid.candidates()
    for n, (step, before) in enumerate(steps[1:], start=1):
        kept = [candidate for candidate, _ in step.trials]
        mean = {each: fmean(before[each, seed] for seed in SEEDS[:n]) for each in alive}
        assert min(mean[k] for k in kept) >= max(mean[d] for d in alive if d not in kept)
        alive = kept
    final = {each: fmean(results[each, seed] for seed in SEEDS) for each in alive}
    assert final[chosen.candidate] == max(final.values())


@given(st.data())
def test_a_search_that_was_cut_off_goes_on_to_the_same_choice(data):
    def accuracy(candidate, seed):
        return -abs(candidate[0] - 0.5) - abs(candidate[1] - 0.5) + (seed % 7) / 100

    whole, results, _ = searched(GRID, accuracy)
    part = {trial: results[trial] for trial in data.draw(st.sets(st.sampled_from([*results])))}
    while not isinstance(step := next_trials(GRID, part), Chosen):
        part |= {trial: accuracy(*trial) for trial in step.trials}
    assert step == whole
    assert {*part} == {*results}


def test_an_edge_moves_geometrically_and_ends_at_its_bound():
    chosen, _, steps = searched(GRID, lambda candidate, _: candidate[0] + candidate[1])
    assert chosen.candidate == (1.6, 1.0)
    assert chosen.grid.values == {"rate": (*RATES, 0.4, 0.8, 1.6), "decay": (*DECAYS, 1.0)}
    assert edges(chosen.grid.values, chosen.candidate) == ["rate", "decay"]
    assert [len(step.trials) for step, _ in steps[:6]] == [9, 5, 3, 3, 2, 1]


def test_a_candidate_that_failed_is_not_chosen_and_ties_go_to_the_first():
    grid = SearchGrid({"rate": (0.1, 0.2, 0.3)}, (1,), {})
    assert searched(grid, lambda c, _: 0.5)[0].candidate == (0.1,)
    assert searched(grid, lambda c, _: None if c == (0.1,) else 0.5)[0].candidate == (0.2,)
    assert searched(grid, lambda *_: None)[0].candidate is None


def test_whole_numbers_stay_whole_and_words_have_no_edge():
    grid = SearchGrid({"epochs": (2, 3), "by": ("a", "b")}, (1,), {"epochs": (1, 6)})
    chosen, _, _ = searched(grid, lambda c, _: c[0])
    assert chosen.grid.values["epochs"] == (2, 3, 4, 5, 6)
    assert all(isinstance(value, int) for value in chosen.grid.values["epochs"])


@pytest.mark.parametrize(("seeds", "fewest"), [(1, 9), (2, 14), (3, 17)])
def test_the_number_of_trials_is_that_of_halving(seeds, fewest):
    grid = SearchGrid(GRID.values, SEEDS[:seeds], {})
    assert fewest_trials(grid) == most_trials(grid) == fewest
