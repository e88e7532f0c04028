"""The faults: their moments on the run's time, their verdicts, and what evidence says, as text."""

import pytest
from hand_network_page import network_payload

FIGURE = "prisam.views.figure('faults-faults')"
DRAW = f"(() => {{ const f = {FIGURE}; f.near = true; f.draw(); return f.built; }})()"
DRAWN = f"""{FIGURE}.chart.getZr().storage.getDisplayList()
  .filter((each) => each.name === "band").map((each) => each.shape.x)"""
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(open_page, written):
    page = open_page(written(network_payload()))
    page.evaluate(DRAW)
    return page


def moments(page):
    """Return the name of a moment -> {row: seconds}, and its symbol."""
    series = [
        each for each in page.evaluate(f"{FIGURE}.built.option.series") if each["type"] == "scatter"
    ]
    times = {each["name"]: {p["row"]: p["value"][0] for p in each["data"]} for each in series}
    return times, [each["symbol"] for each in series]


def test_every_moment_has_its_time_and_its_shape(page):
    names = page.evaluate(f"{FIGURE}.built.option.yAxis.data")
    assert names == ["cut#0", HOSTILE, "kill#0"]  # in the order of their times
    times, symbols = moments(page)
    assert times == {
        "planned": {0: 1.5, 1: 3.0},
        "applied": {0: 2.0, 1: 4.0},
        "verified": {0: 2.25, 1: 4.5},
        "healed": {0: 3.5},
        "first round after": {0: 6.0},
    }
    assert len(set(symbols)) == 5


def test_a_fault_that_never_healed_lasts_to_the_end_and_one_that_never_fired_has_no_band(page):
    bands = page.evaluate(f"{FIGURE}.built.option.series[0].data.map((each) => each.value)")
    assert bands[0] == [0, 2.0, 3.5]
    assert bands[1] == [1, 4.0, 8.0]
    assert len(page.evaluate(DRAWN)) == 2


def test_a_click_on_a_band_chooses_the_fault_everywhere(page):
    box = page.locator("#figure-faults-faults .chart")
    box.scroll_into_view_if_needed()
    x, y = page.evaluate(f"{FIGURE}.chart.convertToPixel({{gridIndex: 0}}, [3.0, 0])")
    box.click(position={"x": x, "y": y})
    assert page.evaluate("prisam.selection.fault") == "cut#0"
    assert "fault=cut%230" in page.url
    label = page.evaluate(f"{FIGURE}.built.option.yAxis.axisLabel.formatter('', 0)")
    assert label == "▶ ✓ cut#0"


def test_verdict_reason_and_evidence_stand_in_the_table_as_text(page):
    page.locator("#figure-faults-faults button[aria-expanded]").click()
    rows = page.locator("#table-faults-faults tbody tr").all()
    texts = [row.locator("td").all_inner_texts() for row in rows]
    columns = page.locator("#table-faults-faults th").all_inner_texts()
    shown = [dict(zip(columns, row, strict=True)) for row in texts]
    assert [row["verdict"] for row in shown] == ["true", "unknown", "false"]
    assert shown[0]["evidence"] == "p00: 12 packets dropped"
    assert (shown[0]["peers"], shown[0]["links"]) == ("p00 p01", "p00→p01")
    assert (shown[1]["occurrence"], shown[1]["evidence"]) == (HOSTILE, "<b>stopped</b>")
    assert shown[2]["why"] == "it never fired"
    assert page.locator("img, main b").count() == 0


def test_a_run_without_a_plan_says_so(open_page, written):
    payload = network_payload()
    payload["runs"][0]["tables"]["faults"]["columns"] = {}
    page = open_page(written(payload))
    page.evaluate(DRAW)
    assert "no fault plan" in page.locator("#figure-faults-faults .empty").inner_text()
