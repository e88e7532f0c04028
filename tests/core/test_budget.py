import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.core.budget import GRID, Budget, Cost, smallest_ratio


def square_cost(ratio):
    """Return the cost of a 1,000-parameter network that shrinks by (1 - rho)^2."""
    parameters = round(1000 * (1 - ratio) ** 2)
    return Cost(parameters, 4 * parameters, 10 * parameters)


def test_the_grid_is_decimal():
    assert [f"{ratio:.17g}" for ratio in GRID] == [f"{i / 100:.17g}" for i in range(0, 100, 5)]


@pytest.mark.parametrize(
    ("budget", "ratio"),
    [
        (Budget(), 0.0),
        (Budget(n_bytes=4000, macs=10_000), 0.0),  # limits are inclusive
        (Budget(n_bytes=3999), 0.05),
        (Budget(macs=9999), 0.05),
        (Budget(n_bytes=1000), 0.5),
        (Budget(n_bytes=999), 0.55),
        (Budget(n_bytes=1000, macs=900), 0.7),  # the tighter limit decides
        (Budget(n_bytes=360, macs=2500), 0.7),
        (Budget(n_bytes=7), None),
        (Budget(macs=0), None),
        (Budget(n_bytes=0.0), None),
    ],
)
def test_the_smallest_ratio_whose_cost_fits_is_chosen(budget, ratio):
    assert smallest_ratio(budget, square_cost) == ratio


limits = st.none() | st.floats(0, 12_000)


@given(st.builds(Budget, limits, limits))
def test_the_ratio_fits_and_none_before_it_does(budget):
    ratio = smallest_ratio(budget, square_cost)
    smaller = GRID if ratio is None else GRID[: GRID.index(ratio)]
    assert ratio is None or budget.fits(square_cost(ratio))
    assert not any(budget.fits(square_cost(other)) for other in smaller)


def test_the_cost_is_counted_not_guessed():
    """The cost need not fall at every step: here a larger ratio can cost more."""
    jagged = {ratio: Cost(0, 10 if i == 3 else 99, 0) for i, ratio in enumerate(GRID)}
    assert smallest_ratio(Budget(n_bytes=10), jagged.__getitem__) == GRID[3]
