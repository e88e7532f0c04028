"""View 4: whose accuracy fell by averaging, when, and what happened there."""

import pytest
from hand_timelines import a_timed_payload, a_timed_run

DRAW_ALL = "prisam.views.figures().forEach((each) => { each.near = true; each.draw(); })"
FIGURE = "prisam.views.figure('fell-changes')"
HOVER = "#figure-fell-changes .hover"
FALL = -0.125


def a_fallen_run():
    """Peer c (2) falls by 12.5 points in round 1; all else gains one."""
    run = a_timed_run()
    columns = run["tables"]["accuracy"]["columns"]
    for row, key in enumerate(
        zip(columns["peer"], columns["round"], columns["moment"], strict=True)
    ):
        fell = FALL if key == (2, 1, 2) else 0.0
        columns["test"][row] = 0.5 + 0.01 * (key[2] == 2) * (not fell) + fell
    return run


@pytest.fixture
def fell(open_page, written):
    """The page of a run in which one peer fell once, scrolled to the view."""
    page = open_page(written({"format": 1, "runs": [a_fallen_run()]}))
    show(page)
    return page


def show(page):
    page.evaluate(DRAW_ALL)
    page.evaluate(f"{FIGURE}.element.scrollIntoView()")


def cell(page, peer, at):
    """Return the pixel of the window in the middle of a peer's cell in a round."""
    row = page.evaluate("prisam.testing.fell().peers").index(peer)
    x, y = page.evaluate(f"prisam.testing.fell().centre({row}, {at})")
    box = page.locator("#figure-fell-changes .chart").bounding_box()
    return box["x"] + x, box["y"] + y


def hovered(page, peer, at):
    page.mouse.move(*cell(page, peer, at))
    page.wait_for_selector(HOVER)
    return page.locator(HOVER).inner_text()


def told_there(page):
    return dict(page.evaluate("prisam.views.figure('fell-round').table().rows"))


NUMBERS = """prisam.views.figure('fell-changes').chart.getZr().storage.getDisplayList()
  .map((each) => each.style).filter((style) => style.text && style.stroke)
  .map((style) => [style.fill, style.stroke].map((colour) => echarts.color.parse(colour)))"""


def luminance(colour):
    parts = [each / 255 for each in colour[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_the_numbers_of_cells_can_be_read(open_page, written, dark):
    page = open_page(written({"format": 1, "runs": [a_fallen_run()]}), dark=dark)
    show(page)
    pairs = [sorted(map(luminance, pair)) for pair in page.evaluate(NUMBERS)]
    assert len(pairs) > 3
    assert all((light + 0.05) / (shade + 0.05) >= 3.5 for shade, light in pairs)


def test_a_cell_tells_the_change_with_its_sign(fell):
    told = hovered(fell, 2, 1)
    assert told.startswith("c, round 1")
    assert "trained\n50.0 %" in told
    assert "aggregated\n37.5 %" in told
    assert "−12.5 points" in told
    assert "+1.0 points" in hovered(fell, 0, 1)


def test_nothing_selected_shows_the_deepest_fall(fell):
    assert (
        "c in round 1: the deepest fall." in fell.locator("#figure-fell-round .notes").inner_text()
    )
    assert "deepest fall: −12.5 points at c in round 1" in fell.evaluate(f"{FIGURE}.built.summary")


def test_a_click_shows_what_happened_there(fell):
    fell.mouse.click(*cell(fell, 0, 0))
    assert fell.evaluate("[prisam.selection.peer, prisam.selection.round]") == [0, 0]
    told = told_there(fell)
    assert told["its group"] == "a, c"
    assert told["rejected weights"] == "c: check norm"
    assert told["failed pulls"] == "b: <b>closed</b>"
    assert told["missing masks"] == "c: late"
    assert told["prune ratio rho"] == "0.500"
    assert told["waited for masks"] == "1.25 s; the last came from b"


def test_the_classes_of_the_deepest_fall_are_shown_before_and_after(fell):
    table = fell.evaluate("prisam.views.figure('fell-classes').table()")
    assert table["columns"] == [
        "class",
        *("trained: right", "trained: of"),
        *("aggregated: right", "aggregated: of"),
    ]
    assert table["rows"] == [["0", 9, 10, 9, 10], ["1", 8, 10, 2, 10]]


def test_classes_that_are_not_recorded_are_said_to_be_missing(fell):
    fell.mouse.click(*cell(fell, 0, 0))
    assert "every few rounds" in fell.locator("#figure-fell-classes .empty").inner_text()


def test_the_scale_ends_at_twice_the_deepest_fall_so_that_gains_do_not_hide_it(open_page, written):
    run = a_fallen_run()
    run["tables"]["accuracy"]["columns"]["test"][2] = 1.0  # peer a gains 50 points
    page = open_page(written({"format": 1, "runs": [run]}))
    show(page)
    legend = page.evaluate(f"{FIGURE}.option.visualMap.text")
    assert legend == ["+25.0 points or more", "−25.0 points"]


def test_the_validation_images_can_be_looked_at_instead(fell):
    fell.locator("#control-fell-changes-measure").select_option("validation")
    assert "+2.0 points" in hovered(fell, 2, 1)


def test_a_round_without_both_accuracies_has_no_change(open_page, written):
    run = a_fallen_run()
    columns = run["tables"]["accuracy"]["columns"]
    keep = [i for i, m in enumerate(columns["moment"]) if (columns["round"][i], m) != (0, 0)]
    run["tables"]["accuracy"]["columns"] = {n: [c[i] for i in keep] for n, c in columns.items()}
    page = open_page(written({"format": 1, "runs": [run]}))
    show(page)
    told = hovered(page, 0, 0)
    assert "trained\nnot known" in told
    assert "change of test accuracy\nnot known" in told


def test_a_run_without_accuracies_says_so(open_page, written):
    payload = a_timed_payload()
    payload["runs"][0]["tables"]["accuracy"] = {"columns": {}}
    page = open_page(written(payload))
    show(page)
    assert "No round was evaluated" in page.locator("#figure-fell-changes .empty").inner_text()
