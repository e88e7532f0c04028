"""A real run with faults: the page's bytes, closure and faults are those of the run folder."""

import json

import pytest
from launching import asked, journal, launch, topology

from prisam_p2p.page.assembly import page_of
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.report.run_folder import RunFolder

pytestmark = pytest.mark.network

SCENARIO = """
description = "two peers restart in rounds 1 and 2, one is paused"
[[fault]]
id = "churn"
kind = "restart"
peers = { pick = 2 }
at = { phase = "train" }
every = { rounds = 1, from = 1 }
[[fault]]
id = "nap"
kind = "pause"
peers = { pick = 1 }
at = { round = 0, phase = "announce" }
heal = { after_s = 0.3 }
"""
DRAW_ALL = "prisam.views.figures().forEach((each) => { each.near = true; each.draw(); })"
FIGURE = "prisam.views.figure('{}')"
BANDS = """prisam.views.figure('faults-faults').chart.getZr().storage.getDisplayList()
  .filter((each) => each.name === "band").map((each) => each.shape.x)"""
PIXEL = "(s) => prisam.views.figure('faults-faults').chart.convertToPixel({xAxisIndex: 0}, s)"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("churn")
    faults = folder / "churn.toml"
    faults.write_text(SCENARIO)
    code, _, err = launch(topology(folder), "--faults", faults, "--run-dir", folder / "run")
    assert code == 0, err
    return folder / "run"


@pytest.fixture
def page(run, tmp_path, open_page):
    path = tmp_path / "report.html"
    path.write_text(page_of(page_data_of(RunFolder(run)), "churn"), encoding="utf-8")
    page = open_page(path)
    page.evaluate(DRAW_ALL)
    return page


def rows_of(page, figure):
    table = page.evaluate(f"{FIGURE.format(figure)}.table()")
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_the_bytes_are_those_of_prisam_bytes_to_the_byte(page, run):
    code, text = asked("bytes", run, "--format", "json")
    assert code == 0, text
    told = json.loads(text)
    layers = ("payload", "header", "framing", "stream", "wire")
    shown = {row["kind"]: row for row in rows_of(page, "bytes-kinds")}
    for kind in told["by_kind"]:
        assert [shown[kind["kind"]][f"{each}, B"] for each in layers] == [kind[e] for e in layers]
    every = [row for row in rows_of(page, "bytes-rounds") if not row["kind"].startswith("push")]
    for at in told["by_round"]:
        name = "before" if at["round"] < 0 else str(at["round"])
        of = [row for row in every if row["round"] == name]
        assert [sum(row[f"{e}, B"] for row in of) for e in layers] == [at[e] for e in layers]
    links = rows_of(page, "bytes-links")
    listed = [(each["sender"], each["receiver"], each["wire, B"]) for each in links]
    top = [(each["sender"], each["receiver"], each["wire"]) for each in told["by_link"]]
    assert sorted(listed, key=lambda link: (-link[2], link))[: len(top)] == top


def test_the_closure_is_that_of_summary_json(page, run):
    summary = json.loads((run / "summary.json").read_text())
    steps = {row["step"]: row for row in rows_of(page, "closure-closure")}
    for sum_of in ("payload", "header", "stream", "wire"):
        wanted = sum(of_kind[sum_of] for of_kind in summary["bytes"].values())
        inner = steps[sum_of]["bytes"]
        lost = steps.get("cut off", {}).get("bytes", 0) if sum_of in ("stream", "wire") else 0
        assert inner - lost == wanted
    told = page.locator("#figure-closure-closure .notes").inner_text()
    assert f"{summary['closure']['unexplained_bytes']} B unexplained" in told
    assert f"{summary['closure']['connections']} connections" in told


def test_each_fault_has_its_verdict_and_its_band_begins_at_its_journals_time(page, run):
    summary = json.loads((run / "summary.json").read_text())
    rows = rows_of(page, "faults-faults")
    verdicts = {row["occurrence"]: (row["verdict"], row["why"]) for row in rows}
    assert verdicts == {each["id"]: (each["verdict"], each["why"]) for each in summary["faults"]}
    assert len(verdicts) == 3
    applied = {}
    for line in journal(run, "launcher"):
        if line["record"] == "fault_applied":
            applied.setdefault(line["fault"], line["t_s"])
    wanted = [page.evaluate(PIXEL, applied[row["occurrence"]]) for row in rows]
    assert page.evaluate(BANDS) == pytest.approx(wanted, abs=1.0)
