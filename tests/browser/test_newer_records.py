"""Fine-tuned models, rounds that were sat out and chosen models, in the page of a small run."""

from pathlib import Path

import pytest
from hand_timelines import a_timed_payload
from page_steps import draw_all

DOCS = Path(__file__).parents[2] / "docs" / "page.md"
SAT_OUT = (3, 1, 6.0, 6.5)
"""Peer d sits round 1 out, and waits for masks in the meantime."""
TUNED = 0.875


def a_payload(models=2):
    """Return a run of two rounds: peer d sits the last one out; all are fine-tuned afterwards."""
    payload = a_timed_payload(models=models)
    tables = payload["runs"][0]["tables"]
    columns = tables["accuracy"]["columns"]
    kept = [
        row
        for row in zip(*columns.values(), strict=True)
        if row[1] < 2 and row[:2] != SAT_OUT[:2]  # the first columns: peer, round, moment
    ]
    kept += [(p, 1, 3, TUNED, TUNED, 8.5, 6.0, 3.0) for p in range(4)]
    tables["accuracy"]["columns"] = dict(
        zip(columns, map(list, zip(*kept, strict=True)), strict=True)
    )
    names = ("peer", "round", "begin_s", "end_s")
    tables["sat_out"] = {"columns": {n: [x] for n, x in zip(names, SAT_OUT, strict=True)}}
    choices = {"peer": [0, 0, 1, 1, 2, 2, 3], "round": [0, 1, 0, 1, 0, 1, 0]}
    tables["choices"] = {"columns": choices | {"choice": [1, 0, 0, 1, 1, 0, 1]}}
    return payload


@pytest.fixture
def page(open_page, written):
    opened = open_page(written(a_payload()))
    draw_all(opened)
    return opened


def figure(page, name, what):
    return page.evaluate(f"prisam.views.figure('{name}').{what}")


def series(page, name):
    """Return name of a drawn series -> [symbol, data]."""
    found = figure(page, name, "chart.getOption().series.map((s) => [s.name, s.symbol, s.data])")
    return {name: (symbol, data) for name, symbol, data in found}


def hovered(page, name, x, y):
    page.evaluate(f"prisam.views.figure('{name}').element.scrollIntoView()")
    box = page.locator(f"#figure-{name} .chart").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_selector(f"#figure-{name} .hover")
    return page.locator(f"#figure-{name} .hover").inner_text()


def test_a_star_is_the_accuracy_after_fine_tuning(page):
    drawn = series(page, "accuracy-accuracy")
    star = page.evaluate("prisam.charts.STAR")
    for group in (0, 1):
        symbol, points = drawn[f"data group {group}, fine-tuned"]
        assert symbol == star
        assert [point[:2] for point in points] == [[1, TUNED]]
    rows = figure(page, "accuracy-accuracy", "table().rows")
    assert [row[0] for row in rows if row[2] == "fine-tuned"] == [*"abcd"]
    page.locator("#control-accuracy-accuracy-moment").select_option("3")
    assert series(page, "accuracy-accuracy")["data group 0"][0] == star


def test_a_fine_tuned_model_changes_no_cell_of_another_round(page):
    of_b = [row[:5] for row in figure(page, "fell-changes", "table().rows") if row[0] == "b"]
    for at, row in enumerate(of_b):
        assert row[1] == at
        assert row[2:] == pytest.approx([0.505 + 0.1 * at + 0.01 * m for m in range(3)])


def test_a_run_without_fine_tuning_offers_none(open_page, written):
    page = open_page(written(a_timed_payload()))
    draw_all(page)
    moments = page.locator("#control-accuracy-accuracy-moment option")
    assert "fine-tuned" not in moments.all_inner_texts()
    assert not any("sat out" in name for name in series(page, "accuracy-accuracy"))
    assert page.locator("#section-choices").count() == 0


def test_a_pause_is_a_round_that_was_sat_out_and_no_gap(page):
    peer, at, begin_s, end_s = SAT_OUT
    pause = page.evaluate("prisam.charts.PAUSE")
    symbol, points = series(page, "accuracy-accuracy")["sat out"]
    assert symbol == pause
    before = 0.5 + 0.01 * 2 + 0.005 * peer  # after its last aggregation, in round 0
    assert [point[2:4] for point in points] == [[peer, at]]
    assert points[0][:2] == pytest.approx([at, before])
    assert ["d", at, "sat out"] in [
        r[:3] for r in figure(page, "accuracy-accuracy", "table().rows")
    ]
    legend = figure(page, "timeline-spans", "chart.getOption().legend[0].data")
    assert {"name": "round that the peer sat out", "icon": pause} in legend
    rows = figure(page, "timeline-spans", "table().rows")
    assert [r[0] for r in rows if r[1] == "sat out" and r[3:6] == [at, begin_s, end_s]] == ["d"]
    seen = page.evaluate("prisam.testing.timeline()")
    x = figure(page, "timeline-spans", "chart.convertToPixel({xAxisIndex: 0}, 6.25)")
    row_px = seen["area"]["height"] / 4
    told = hovered(page, "timeline-spans", x, seen["area"]["y"] + (3 + 0.5 + 0.33) * row_px)
    assert told.startswith("d sits a round out")
    assert "not drawn to take part" in told
    down = figure(page, "timeline-spans", "chart.convertToPixel({xAxisIndex: 0}, 4.7)")
    of_b = page.evaluate("prisam.store.peersByGroup().indexOf(1)")
    told = hovered(page, "timeline-spans", down, seen["area"]["y"] + (of_b + 0.5) * row_px)
    assert told.startswith("b: no record")
    x, y = page.evaluate("prisam.testing.fell().centre(3, 1)")
    assert "no: it sat this round out" in hovered(page, "fell-changes", x, y)


def test_the_model_that_each_peer_trained_is_a_cell_by_group(page):
    shown = page.evaluate("prisam.testing.choices().peers")
    assert shown == [0, 2, 1, 3]  # data groups 0 and 1
    drawn = [name for name in series(page, "choices-choices") if name != "frames"]
    assert drawn == ["model 0", "model 1", "sat out"]
    rows = figure(page, "choices-choices", "table().rows")
    assert ["c", 0, 1, 0, "no"] in rows
    assert ["d", 1, 1, None, "yes"] in rows
    x, y = page.evaluate("prisam.testing.choices().centre(1, 0)")
    assert "model that it trained\n1" in hovered(page, "choices-choices", x, y)
    page.locator("#control-choices-choices-order").select_option("model")
    assert page.evaluate("prisam.testing.choices().peers") == [0, 2, 1, 3]
    page.locator("#select-round").select_option("0")
    assert page.evaluate("prisam.testing.choices().peers") == [1, 0, 2, 3]


def test_docs_have_the_paragraph_of_the_view_of_models(page):
    (how,) = page.evaluate("prisam.views.all().filter((v) => v.id === 'choices').map((v) => v.how)")
    assert how in " ".join(DOCS.read_text().split())
