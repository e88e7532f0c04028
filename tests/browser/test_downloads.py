"""Every figure of every view saves as SVG, PNG and CSV, and has a table. Found by the registry."""

import csv
import xml.etree.ElementTree as ET
from contextlib import suppress

import pytest
from hand_pages import a_payload
from page_steps import draw_all, figures

sync_api = pytest.importorskip("playwright.sync_api")

PNG = b"\x89PNG\r\n\x1a\n"


TRIES = 10


def saved(page, figure, label):
    """Click a button until it saves a file: Chromium drops what is beyond ten in a second."""
    button = page.locator(f"#figure-{figure} .buttons button", has_text=label)
    for _ in range(TRIES):
        with suppress(sync_api.TimeoutError), page.expect_download(timeout=2000) as waited:
            button.click()
            return waited.value.suggested_filename, waited.value.path().read_bytes()
    raise AssertionError(f"{label} of {figure} saved nothing")


@pytest.fixture
def page(open_page, written):
    opened = open_page(written(a_payload(runs=2)))
    draw_all(opened)
    return opened


def test_every_figure_saves_its_table_and_its_picture(page):
    drawn = 0
    for figure in figures(page):
        name, table = saved(page, figure["id"], "CSV")
        assert name == f"run-1-{figure['id']}.csv"
        lines = list(csv.reader(table.decode("utf-8-sig").splitlines()))
        assert lines[0] == figure["columns"]
        assert len(lines) == 1 + figure["rows"]
        pictures = page.locator(f"#figure-{figure['id']} .buttons button:enabled")
        if not figure["drawn"]:
            assert pictures.all_inner_texts() == ["Table", "CSV"]
            continue
        drawn += 1
        root = ET.fromstring(saved(page, figure["id"], "SVG")[1])
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(list(root.iter())) > 10
        picture = saved(page, figure["id"], "PNG")[1]
        assert picture.startswith(PNG)
        width = int.from_bytes(picture[16:20], "big")
        assert width == 2 * figure["width"]
    assert drawn >= 4


def test_every_figure_has_a_table_that_opens_and_closes(page):
    for figure in figures(page):
        button = page.locator(f"#figure-{figure['id']} .buttons button", has_text="Table")
        box = page.locator(f"#table-{figure['id']}")
        if box.is_hidden():
            button.click()
        assert button.get_attribute("aria-expanded") == "true"
        assert box.locator("th").all_inner_texts() == figure["columns"]
        assert box.locator("tbody tr").count() == min(500, figure["rows"])
        button.click()
        assert box.is_hidden()


def test_a_text_that_a_spreadsheet_would_compute_is_quoted(page):
    table = {"columns": ["=a", "b"], "rows": [["=1+1", -1.5], ['say "no", twice', None]]}
    text = page.evaluate("(table) => prisam.table.csv(table)", table)
    assert text == '\'=a,b\r\n\'=1+1,-1.5\r\n"say ""no"", twice",\r\n'
