"""The live page in a browser: it follows a run, comes back, and ends as the report."""

from __future__ import annotations

import pytest
from big_run import BigRun, write_big_run
from growing_run import GrowingRun
from launching import (
    DEADLINE_S,
    SMALL,
    asked,
    journal,
    launch,
    launcher,
    patient,
    topology,
    wait_for,
)
from viewing import viewer

from prisam_p2p.page.data.run_page import SoundRun, begun
from prisam_p2p.page.report_file import write_report
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import write_summary

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
STATE = "document.getElementById('banner').dataset.state"
ROWS = "prisam.store.table('accuracy').n"
SHOWN = """() => {
  for (const figure of prisam.views.figures()) {
    figure.near = true;
    figure._dirty = true;
    figure.draw();
    figure._openTable(true);
  }
  const texts = ['name', 'headline', 'facts', 'missing', 'views'].map(
    (id) => document.getElementById(id).innerText);
  return [...texts, document.querySelectorAll('table').length];
}"""
"""What a reader sees, with the table behind each figure."""


@pytest.fixture
def run(tmp_path):
    run = GrowingRun(tmp_path / "run")
    run.evaluate("p01", 0)
    yield run
    run.die()


def wait(page, expression):
    """Wait until an expression holds in the page; its policy forbids to ask for that within it."""
    return wait_for(expression, lambda: page.evaluate(expression), 60.0)


def test_a_record_that_is_appended_is_shown(run, open_page):
    with viewer(run.path) as view:
        page = open_page(view.address, requests=3)
        wait(page, f"{STATE} === 'live'")
        took = []
        for at in range(2):
            before = page.evaluate(ROWS)
            run.evaluate("p02", at)
            took.append(wait(page, f"{ROWS} > {before}"))
        assert page.evaluate(ROWS) == 3
        page.close()  # before its viewer ends: it would miss it
        print(f"shown after {', '.join(f'{each:.2f}' for each in took)} s")


def test_text_of_a_journal_is_text(run, open_page):
    with viewer(run.path) as view:
        page = open_page(view.address, requests=3)
        wait(page, f"{STATE} === 'live'")
        states = dict.fromkeys(("p01", "p02", "p03"), HOSTILE)
        run.add("launcher", "run_ended", status="completed", duration_s=9.0, states=states)
        run.die()
        write_summary(RunFolder(run.path))
        wait(page, f"{STATE} === 'ended'")
        text = page.evaluate(SHOWN)
        assert any(HOSTILE in str(each) for each in text)
        assert page.locator("img").count() == 0
        assert "owned" not in page.title()
        page.close()


def test_a_page_that_comes_back_to_a_new_server_has_nothing_twice(run, browser):
    context = browser.new_context()
    page = context.new_page()
    with viewer(run.path) as first:
        page.goto(first.address)
        wait(page, f"{STATE} === 'live'")
        port = first.port
        first.process.kill()
        first.process.wait()
        wait(page, f"{STATE} === 'disconnected'")
    run.evaluate("p01", 1)
    run.evaluate("p02", 0)
    with viewer(run.path, "--port", port) as second:
        context.new_page().goto(second.address)  # the new key, for all tabs of this browser
        wait(page, f"{STATE} === 'live'")
        wait(page, f"{ROWS} >= 3")
        keys = page.evaluate("prisam.store.table('accuracy').rows().map((r) => [r.peer, r.round])")
        assert keys == [[0, 0], [0, 1], [1, 0]]
        run.evaluate("p03", 0)
        wait(page, f"{ROWS} === 4")
    context.close()


def test_a_hidden_page_asks_for_nothing_and_catches_up(run, open_page):
    with viewer(run.path) as view:
        page = open_page(view.address, requests=None)
        wait(page, f"{STATE} === 'live'")
        hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        tell = "document.dispatchEvent(new Event('visibilitychange'));"
        page.evaluate(hide % "true" + tell)
        run.evaluate("p02", 0)
        run.evaluate("p02", 1)
        with view.client() as client:  # another page has been told: this one could have been
            assert client.get("/").status_code == 200
        assert page.evaluate(ROWS) == 1
        page.evaluate(hide % "false" + tell)
        wait(page, f"{ROWS} === 3")
        page.close()


def test_every_view_can_be_drawn_at_any_moment_of_a_run(tmp_path, open_page, written):
    """The page fails the test where a figure cannot be drawn (`open_page`)."""
    whole = write_big_run(tmp_path / "run", BigRun(peers=6, rounds=3, degree=4))
    run = SoundRun(whole)
    lines = [(line["t_s"], name, line) for name, read in run.read.items() for line in read[0]]
    lines.sort(key=lambda each: each[0])
    data = begun(run)
    page = open_page(written({"format": 1, "runs": [data.payload()]}))
    step = len(lines) // 24
    for at in range(0, len(lines), step):
        for _, name, line in lines[at : at + step]:
            data.take(name, line)
        page.evaluate("(run) => prisam.store.replace({format: 1, runs: [run]})", data.payload())
        assert "could not be drawn" not in str(page.evaluate(SHOWN))


@pytest.mark.network
def test_the_page_of_a_launch_ends_as_its_report_and_changed_nothing(tmp_path, open_page):
    path, unwatched = tmp_path / "run", tmp_path / "unwatched"
    net = topology(tmp_path, patient(SMALL))
    with launcher(net, "--run-dir", path, "--baseline", "local", "--ui", "--quiet") as process:
        try:
            line = process.stderr.readline()
            assert line.startswith("view: http://127.0.0.1:"), line
            page = open_page(line.split()[1], requests=None)
            process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    wait(page, f"{STATE} === 'ended'")
    report = tmp_path / "report.html"
    write_report([path], report)
    assert page.evaluate(SHOWN) == open_page(report).evaluate(SHOWN)
    assert "completed, 3 rounds" in page.locator("#headline").inner_text()
    first, last = (each for each in journal(path, "launcher") if each["record"] == "watched")
    assert first["to_s"] is None
    assert page.evaluate("prisam.store.facts.watched") == [[first["from_s"], last["to_s"]]]
    assert launch(net, "--run-dir", unwatched, "--baseline", "none", "--quiet")[0] == 0
    code, told = asked("verify", path, unwatched)
    assert code == 0, told
