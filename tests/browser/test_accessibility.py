"""The page is read and used without a mouse, without colours, on paper and on small screens."""

import hashlib
import json
from pathlib import Path

import pytest
from hand_pages import a_payload
from page_steps import draw_all, figures, open_tables

VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe.min.js"


def test_axe_is_the_one_of_its_npm_package():
    vendored = json.loads((VENDOR / "vendor.json").read_text())
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == vendored["files"]["axe.min.js"]
    assert AXE.read_text().startswith(f"/*! axe v{vendored['version']}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_violation(open_page, written, dark):
    page = open_page(written(a_payload(runs=2)), dark=dark)
    draw_all(page)
    open_tables(page)
    page.evaluate(AXE.read_text())  # the debugger's evaluation: the page's own policy forbids it
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    serious = [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]][:3])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(open_page, written):
    page = open_page(written(a_payload()))
    draw_all(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    reached = set()
    for _ in range(300):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """(() => {
                const it = document.activeElement;
                if (it === document.body) return null;
                const all = [...document.querySelectorAll("a, button, select")];
                return [all.indexOf(it), getComputedStyle(it).outlineStyle];
            })()"""
        )
        if at is None or at[0] in reached:
            break
        if at[0] >= 0:
            reached.add(at[0])
            assert at[1] != "none"
    controls = page.evaluate(
        """[...document.querySelectorAll("a, button, select")]
            .map((it, at) => (it.disabled || it.id === "skip" ? -1 : at)).filter((at) => at >= 0)"""
    )
    assert set(controls) - reached == set()


def test_the_skip_link_and_a_tile_move_the_focus_and_keep_the_selection(open_page, written):
    page = open_page(written(a_payload()).as_uri() + "#peer=b")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "views"
    page.locator("[data-tile=deployed]").press("Enter")
    assert page.evaluate("document.activeElement.id") == "view-accuracy"
    assert page.url.endswith("#view=accuracy&peer=b")


def test_the_theme_can_be_chosen_and_is_kept(open_page, written):
    page = open_page(written(a_payload()), requests=2)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.locator("#theme").select_option("dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_on_paper_every_figure_is_drawn_light_and_without_tables(open_page, written):
    page = open_page(written(a_payload(runs=2)), dark=True)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    undrawn = page.evaluate("prisam.views.figures().filter((each) => !each.built).length")
    assert undrawn == 0
    assert page.locator(".table:not(.whole):visible, .tools:visible, nav:visible").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("width", [400, 800, 1440])
def test_nothing_is_wider_than_the_window(open_page, written, width):
    page = open_page(written(a_payload(runs=2)), width=width)
    draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for figure in figures(page):
        assert not figure["drawn"] or figure["width"] <= width
