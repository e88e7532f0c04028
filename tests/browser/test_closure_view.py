"""From the payload to the wire: every step's bytes, and the kernel's beside them."""

import pytest
from hand_network_page import network_payload

FIGURE = "prisam.views.figure('closure-closure')"
DRAW = f"(() => {{ const f = {FIGURE}; f.near = true; f.draw(); return f.built; }})()"
BARS = f"""{FIGURE}.chart.getZr().storage.getDisplayList()
  .filter((each) => each.name === "bar")
  .map((each) => [each.shape.x, each.shape.x + each.shape.width])"""
AT = f"(n) => {FIGURE}.chart.convertToPixel({{xAxisIndex: 0}}, n)"


def opened(open_page, written, **facts):
    page = open_page(written(network_payload(**facts)))
    page.evaluate(DRAW)
    return page


def test_each_step_begins_where_the_one_before_it_ended(open_page, written):
    page = opened(open_page, written)
    page.locator("#control-closure-closure-range").select_option("whole")
    steps = [(0, 9000), (9000, 9500), (0, 9500), (9500, 9800), (0, 9800)]
    wanted = [[page.evaluate(AT, a), page.evaluate(AT, b)] for a, b in steps]
    drawn = page.evaluate(BARS)
    assert drawn == [pytest.approx(each, abs=2.0) for each in wanted]


def test_the_table_says_what_the_kernel_counted_beside_each_step(open_page, written):
    page = opened(open_page, written)
    assert page.evaluate(f"{FIGURE}.table().rows") == [
        ["payload", 9000, 9000, None, "nothing to compare with"],
        ["header", 500, 9500, None, "nothing to compare with"],
        ["stream", 9500, 9500, 9500, "9,500 B, the same"],
        ["ACK, SYN, FIN", 300, 9800, 300, "300 B, the same"],
        ["wire", 9800, 9800, 9790, "9,790 B, 10 B fewer"],
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["closure: 30 connections, 0 B unexplained (kernel)"],
        ["closure: 3 connections, not judged; 3 cut off, and not judged"],
        ["closure: 3 connections, 12 B unexplained (kernel)", "  p01 -> p02: <b>12 B</b>"],
    ],
)
def test_what_is_unexplained_stands_below_in_words(open_page, written, words):
    page = opened(open_page, written, closure_words=words)
    section = page.locator("#figure-closure-closure .notes li")
    *found, axis = [each.strip() for each in section.all_inner_texts()]
    assert found == [each.strip() for each in words]
    assert axis.startswith("The axis begins at 8.6 KiB")
    page.select_option("#control-closure-closure-range", "whole")
    assert section.count() == len(words)


def test_a_run_that_goes_on_says_that_its_bytes_come_at_its_end(open_page, written):
    payload = network_payload(status="running", closure_words=[])
    payload["runs"][0]["tables"]["closure"]["columns"] = {}
    page = open_page(written(payload))
    page.evaluate(DRAW)
    shown = page.locator("#figure-closure-closure .empty").inner_text()
    assert shown == "The bytes are accounted for when the run has ended."
