"""The page of an experiment in a browser: without scripts, dark and light, at any width."""

from pathlib import Path

import pytest
from hand_experiment import HOSTILE, experiment_folder

from prisam_p2p.experiment.results_page import write_results_page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


@pytest.fixture
def path(tmp_path):
    return write_results_page(experiment_folder(tmp_path / "trial"))


def test_the_page_opens_with_its_figure_drawn_and_hostile_labels_as_text(open_page, path):
    page = open_page(path, ready=False)
    assert page.title() == "trial"
    assert HOSTILE in page.locator("header.head").inner_text()
    figure = page.locator("img")
    assert figure.count() == 1
    assert figure.evaluate("(it) => it.complete && it.naturalWidth > 100")
    assert page.evaluate("document.scripts.length") == 0


def test_the_values_of_a_figure_open_by_the_keyboard(open_page, path):
    page = open_page(path, ready=False)
    rows = page.locator("details tbody tr")
    assert not rows.first.is_visible()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    assert rows.first.is_visible()
    assert rows.count() == 12


def test_a_cells_report_is_one_click_away(open_page, path):
    page = open_page(path, ready=False, requests=2)
    page.locator("a", has_text="report").click()
    page.wait_for_url("**/cells/a/run/report.html")
    assert page.title() == "a cell"


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_the_systems_and_nothing_is_wider_than_the_window(open_page, path, dark):
    page = open_page(path, ready=False, dark=dark, width=600)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(15, 20, 25)" if dark else "rgb(245, 246, 248)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_violation(open_page, path, dark):
    page = open_page(path, ready=False, dark=dark)
    page.locator("summary").click()
    page.evaluate(AXE.read_text())  # the debugger's evaluation: the page allows no script
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10
    serious = [
        rule["id"] for rule in found["violations"] if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []
