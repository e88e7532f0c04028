"""View 2: what the timeline draws is what the journals say, and the mouse finds it."""

import pytest
from hand_timelines import PHASES, a_timed_payload, a_timed_run, spans

DRAW_ALL = "prisam.views.figures().forEach((each) => { each.near = true; each.draw(); })"
FIGURE = "prisam.views.figure('timeline-spans')"
CHART = "#figure-timeline-spans .chart"
HOVER = "#figure-timeline-spans .hover"


@pytest.fixture
def timeline(open_page, written):
    """The page of the hand-written run, scrolled to its timeline."""
    page = open_page(written(a_timed_payload()))
    page.evaluate(DRAW_ALL)
    page.evaluate(f"{FIGURE}.element.scrollIntoView()")
    return page


def drawn(page):
    return page.evaluate("prisam.testing.timeline()")


def place(page, t_s, y):
    """Return the pixel of the window at a moment and `y` pixels below the plot's upper edge."""
    seen = drawn(page)
    box = page.locator(CHART).bounding_box()
    zero, one = seen["pixelOf"]
    return box["x"] + zero + t_s * (one - zero), box["y"] + seen["area"]["y"] + y


def row_y(page, row, within=0.0):
    return (row + 0.5 + within) * drawn(page)["area"]["height"] / 4


def hovered(page, t_s, y):
    page.mouse.move(*place(page, t_s, y))
    page.wait_for_selector(HOVER)
    return page.locator(HOVER).inner_text()


def test_the_table_has_every_span_in_number_and_sum(timeline):
    rows = [row for row in timeline.evaluate(f"{FIGURE}.table().rows") if row[1] == "span"]
    assert len(rows) == len(spans()) == drawn(timeline)["spans"]
    for number, phase in enumerate(PHASES):
        told = sum(end - begin for _, begin, which, _, end in spans() if which == number)
        assert sum(r[5] - r[4] for r in rows if r[2] == phase) == pytest.approx(told, abs=1e-9)


def test_a_faults_band_begins_within_a_pixel_of_its_time(timeline):
    bands = {band["occurrence"]: band for band in drawn(timeline)["bands"]}
    assert bands.keys() == {"kill-1", "cut-1"}
    ink = inked(timeline)
    assert len(ink) < 20
    for occurrence, applied_s in (("kill-1", 4.01), ("cut-1", 6.7)):
        asked = timeline.evaluate(f"{FIGURE}.chart.convertToPixel({{xAxisIndex: 0}}, {applied_s})")
        assert abs(bands[occurrence]["begin_px"] - asked) < 1
        # The line stands on the canvas, too: little else is drawn just above the plot.
        assert any(abs(x - asked) <= 1 for x in ink), (ink, asked)
    notes = timeline.locator("#figure-timeline-spans .notes").inner_text()
    assert "Faults without a band, because they were not applied: 1." in notes


def inked(page):
    """Return the x of all pixels with ink in the line two pixels above the plot."""
    return page.evaluate(
        f"""() => {{
          const canvas = document.querySelector('{CHART} canvas');
          const ratio = canvas.width / canvas.clientWidth;
          const y = Math.round((prisam.testing.timeline().area.y - 2) * ratio);
          const {{ data }} = canvas.getContext('2d').getImageData(0, y, canvas.width, 1);
          const all = Array.from({{ length: canvas.width }}, (_, x) => x);
          return all.filter((x) => data[4 * x + 3] > 100).map((x) => x / ratio);
        }}"""
    )


def test_a_label_tells_the_verdict_and_a_click_on_it_selects_the_fault(timeline):
    told = hovered(timeline, 4.1, -52)
    assert "Fault kill-1" in told
    assert "true" in told
    timeline.mouse.click(*place(timeline, 4.1, -52))
    assert timeline.evaluate("prisam.selection.fault") == "kill-1"


def test_a_span_tells_phase_round_and_seconds(timeline):
    told = hovered(timeline, 1.0, row_y(timeline, 0, -0.3))
    assert told.startswith("a: training")
    assert "1.000 s" in told
    assert "0.500 s to 1.500 s" in told


def test_a_wait_tells_whom_it_waited_for(timeline):
    told = hovered(timeline, 2.0, row_y(timeline, 0, -0.14))
    assert told.startswith("a: waiting for masks")
    assert "waited for\nb" in told
    assert "missing: c\nlate" in told


def test_a_pull_is_found_in_its_lane_and_its_reason_is_text(timeline):
    told = hovered(timeline, 3.2, row_y(timeline, 0, 0.25))
    assert told.startswith("a pulls from c")
    assert "2.0 KiB" in told
    assert "failed: <b>closed</b>" in hovered(timeline, 3.2, row_y(timeline, 0, 0.4))


def test_a_gap_says_that_nothing_is_recorded(timeline):
    rows = timeline.evaluate("prisam.store.peersByGroup().map(prisam.store.peerId)")
    assert rows == ["a", "c", "b", "d"]
    told = hovered(timeline, 5.0, row_y(timeline, 2, -0.2))
    assert told.startswith("b: no record")
    assert "kill-1 (kill): true" in told


def test_a_click_selects_the_peer_and_the_round(timeline):
    timeline.mouse.click(*place(timeline, 5.0, row_y(timeline, 1, -0.3)))
    assert timeline.evaluate("[prisam.selection.peer, prisam.selection.round]") == [2, 1]


def test_the_window_follows_the_sliders_by_keyboard(timeline):
    slider = timeline.locator("#control-timeline-spans-from")
    slider.focus()
    for _ in range(10):
        timeline.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "10 %"
    assert drawn(timeline)["from_s"] == pytest.approx(0.9, abs=0.02)


def test_the_window_shows_the_selected_round_of_the_selected_peer(timeline):
    timeline.locator("#control-timeline-spans-window").select_option("round")
    timeline.locator("#select-peer").select_option("0")
    timeline.locator("#select-round").select_option("1")
    seen = drawn(timeline)
    assert seen["from_s"] == pytest.approx(4.5 - 0.15, abs=0.01)
    assert seen["to_s"] == pytest.approx(7.5 + 0.15, abs=0.01)


def test_new_spans_are_drawn_and_the_zoom_stays(timeline):
    timeline.evaluate(f"{FIGURE}.chart.dispatchAction({{type: 'dataZoom', start: 20, end: 40}})")
    timeline.evaluate(
        """prisam.store.upsert({facts: {duration_s: 18, now_s: 18}, tables: {spans: {columns:
          {peer: [0], begin_s: [8], phase: [0], round: [2], end_s: [8.5]}}}})"""
    )
    timeline.evaluate(f"{FIGURE}.draw()")
    assert drawn(timeline)["spans"] == len(spans()) + 1
    assert drawn(timeline)["from_s"] == pytest.approx(1.8, abs=0.02)


def test_a_run_of_an_older_version_says_that_it_has_no_phases(open_page, written):
    run = a_timed_run()
    run["tables"]["spans"] = {"columns": {}}
    page = open_page(written({"format": 1, "runs": [run]}))
    page.evaluate(DRAW_ALL)
    assert "older version" in page.locator("#figure-timeline-spans .notes").inner_text()


def test_bars_closer_than_a_pixel_are_one_and_nothing_else_is_lost(timeline):
    told = timeline.evaluate(
        """() => {
          const { bars } = prisam.spanIndex;
          const list = { begin: [0, 2, 2.6, 5, 9], end: [1, 2.5, 3, 6, 9.5] };
          const asked = [[0, 10, 0], [0, 10, 0.2], [2.2, 5.5, 0], [6, 9, 0]];
          return asked.map((each) => bars(list, ...each));
        }"""
    )
    assert told == [
        [0, 1, 2, 2.5, 2.6, 3, 5, 6, 9, 9.5],
        [0, 1, 2, 3, 5, 6, 9, 9.5],
        [2.2, 2.5, 2.6, 3, 5, 5.5],
        [9, 9],
    ]
