"""Fine-tuned models, rounds that were sat out, and chosen models, as a page's tables have them."""

import pytest

from prisam_p2p.page.data.fold import PageData
from prisam_p2p.page.data.shared import MOMENTS

PEERS = ("a", "b", "c")


def plan(masks="none"):
    """Return the plan of a run of three peers and four rounds, with two models to choose from."""
    return {
        "peers": {p: {"group": 0, "neighbors": [x for x in PEERS if x != p]} for p in PEERS},
        "settings": {"rounds": 4},
        "traits": {"masks": masks},
        "clusters": 2,
    }


def rows(page, name):
    """Return a table's rows as tuples."""
    return [*zip(*page.payload()["tables"][name]["columns"].values(), strict=True)]


def evaluated(moment, test, t_s):
    line = {"t_s": t_s, "record": "evaluated", "round": 3, "moment": moment}
    return line | {"validation": 0.5, "test": test, "right": [3, 1], "of": [4, 4]}


def grouped(peer, at, labels):
    return {"t_s": 1.0 + at, "record": "grouped", "round": at, "labels": labels, "group": [peer]}


def test_a_fine_tuned_model_is_a_moment_of_its_own():
    page = PageData(plan())
    for line in (
        evaluated("after_aggregation", 0.5, 7.0),
        evaluated("after_fine_tuning", 0.75, 8.0),
        evaluated("after_a_miracle", 1.0, 9.0),
    ):
        page.take("b", line)
    assert MOMENTS[3] == "after_fine_tuning"
    assert [row[:6] for row in rows(page, "accuracy")] == [
        (1, 3, 2, 0.5, 0.5, 7.0),
        (1, 3, 3, 0.5, 0.75, 8.0),
    ]
    assert [row[:3] for row in rows(page, "per_class")] == [(1, 3, 2), (1, 3, 3)]
    shown = {row[0]: row[3] for row in rows(page, "tiles")}
    assert shown["accuracy"].startswith("0.5")  # while a run goes on: of the last aggregation


def test_a_round_that_was_sat_out_has_its_time():
    page = PageData(plan())
    page.take("c", {"t_s": 5.25, "record": "sat_out", "round": 2, "waited_s": 0.75})
    assert rows(page, "sat_out") == [(2, 2, 4.5, 5.25)]


@pytest.mark.parametrize("masks", ["choice", "similarity"])
def test_labels_are_models_only_where_peers_choose_one(masks):
    page = PageData(plan(masks))
    page.take("a", grouped("a", 0, {"a": 1, "b": 0}))
    page.take("a", grouped("a", 1, {"b": 0}))  # it said nothing of itself
    page.take("b", grouped("b", 0, {"a": 1, "b": 0}))
    chooses = masks == "choice"
    assert rows(page, "choices") == ([(0, 0, 1), (1, 0, 0)] if chooses else [])
    assert page.payload()["facts"]["models"] == (2 if chooses else 0)
