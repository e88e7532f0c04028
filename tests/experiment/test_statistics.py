import math

import pytest
from hand_results import AXES, result, results

from prisam_p2p.experiment.measures import Measurements
from prisam_p2p.experiment.output_specs import FigureSpec, TableSpec
from prisam_p2p.experiment.statistics import CellResult, against, grouped, points, stat

TABLE = {"name": "t", "title": "T", "measures": ["accuracy_deployed"]}


def table(**more):
    return TableSpec(**{**TABLE, "rows": ["split"], "columns": "method", **more})


def test_statistics_are_mean_sample_deviation_extremes_and_n():
    found = stat([0.6, 0.7, None])
    assert (found.low, found.high, found.n) == (0.6, 0.7, 2)
    assert found.mean == pytest.approx(0.65)
    assert found.sd == pytest.approx(0.1 / math.sqrt(2))


def test_one_value_has_no_spread_and_no_value_has_no_statistics():
    assert stat([0.6]).sd is None
    assert stat([None]) is None


def test_statistics_are_over_the_seeds():
    spec = table()
    found = grouped(points(results(), AXES, spec, "accuracy_deployed", None), spec.axes)
    assert found["hard", "PRISAM"].mean == pytest.approx(0.65)
    assert found["easy", "local"].sd == 0.0
    assert {each.n for each in found.values()} == {2}


def test_where_confines_the_points():
    spec = table(where={"split": ["hard"]})
    found = grouped(points(results(), AXES, spec, "accuracy_deployed", None), spec.axes)
    assert {split for split, _ in found} == {"hard"}


def test_values_are_compared_seed_by_seed():
    """Local minus PRISAM is -0.10 and -0.14 on hard, whose spread is 0.03, not 0.05 or 0.07."""
    spec = table(against={"method": "PRISAM"})
    pairs = against(points(results(), AXES, spec, "accuracy_deployed", None), spec)
    found = grouped(pairs, spec.axes)
    assert set(found) == {("hard", "local"), ("easy", "local")}
    assert found["hard", "local"].mean == pytest.approx(-0.12)
    assert found["hard", "local"].sd == pytest.approx(0.04 / math.sqrt(2))


def test_a_ratio_to_zero_has_no_value():
    spec = table(against={"method": "local"}, relation="ratio")
    pairs = against(points(results(), AXES, spec, "sent_mib", None), spec)
    assert grouped(pairs, spec.axes) == {}


def test_values_after_rounds_have_an_axis_round():
    spec = table(rows=["round"], where={"split": "hard"}, rounds=[0, 2])
    found = grouped(points(results(), AXES, spec, "accuracy_deployed", [0, 2]), spec.axes)
    assert found[0, "PRISAM"].mean == pytest.approx(0.325)
    assert found[2, "PRISAM"].mean == pytest.approx(0.65)


def test_bytes_until_90_percent_of_the_best_method_of_the_same_seed():
    """Hard, seed 0: the best is 0.60, so 0.54 is enough: PRISAM has 0.552 after round 1, local
    ends at 0.50 and never does. Seed 1: 0.63; PRISAM 0.644, local ends at 0.56."""
    spec = table(measures=["sent_mib_to_90_percent"])
    found = grouped(points(results(), AXES, spec, "sent_mib_to_90_percent", None), spec.axes)
    assert found["hard", "PRISAM"].mean == 20.0
    assert ("hard", "local") not in found
    assert found["easy", "local"].mean == 0.0
    rounds = grouped(points(results(), AXES, spec, "rounds_to_90_percent", None), spec.axes)
    assert rounds["hard", "PRISAM"].mean == 2


def test_nothing_is_reached_where_no_method_was_evaluated():
    cells = [result(m, "hard", 0, accuracy_deployed=None) for m in AXES["method"]]
    spec = table(measures=["rounds_to_90_percent"])
    found = points(cells, AXES, spec, "rounds_to_90_percent", None)
    assert [point.value for point in found] == [None, None]


def test_a_cell_to_which_an_axis_does_not_apply_has_a_point_at_each_of_its_labels():
    plain = result("local", "hard", 0)
    labels = {"seed": 0, "method": "local"}
    cell = CellResult(labels, Measurements(plain.measured.values, {}), plain.folder)
    spec = FigureSpec(
        name="f", title="F", kind="against", measure="accuracy_deployed", x="split", lines="method"
    )
    found = points([cell], AXES, spec, "accuracy_deployed", None)
    assert [(p.labels["split"], p.value) for p in found] == [("hard", 0.5), ("easy", 0.5)]
