"""A real run with faults: what the page shows is what the run folder holds."""

import json
from collections import defaultdict

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
PEERS = [f"p{i:02d}" for i in range(6)]
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
        name = "none" if at["round"] < 0 else str(at["round"])
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


def records(run, peer, name):
    return [line for line in journal(run, peer) if line["record"] == name]


def test_the_timelines_spans_are_the_journals_in_number_and_sum(page, run):
    told = defaultdict(list)
    for peer in PEERS:
        for line in records(run, peer, "spans"):
            for phase, begin_s, end_s in line["spans"]:
                told[peer, phase].append(end_s - begin_s)
    shown = defaultdict(list)
    for row in page.evaluate("prisam.views.figure('timeline-spans').table().rows"):
        if row[1] == "span":
            shown[row[0], row[2]].append(row[5] - row[4])
    assert {key: len(each) for key, each in shown.items()} == {k: len(v) for k, v in told.items()}
    for key, each in told.items():
        assert sum(shown[key]) == pytest.approx(sum(each), abs=1e-4 * len(each))
    assert page.evaluate("prisam.testing.timeline().spans") == sum(map(len, told.values()))


def test_a_band_of_the_timeline_begins_within_a_pixel_of_its_journals_time(page, run):
    applied = {}
    for line in records(run, "launcher", "fault_applied"):
        applied.setdefault(line["fault"], line["t_s"])
    assert len(applied) == 3
    seen = page.evaluate("prisam.testing.timeline()")
    assert {band["occurrence"] for band in seen["bands"]} == applied.keys()
    chart = "prisam.views.figure('timeline-spans').chart"
    for band in seen["bands"]:
        at_s = applied[band["occurrence"]]
        wanted = page.evaluate(f"{chart}.convertToPixel({{xAxisIndex: 0}}, {at_s})")
        assert abs(band["begin_px"] - wanted) < 1


def test_arrows_of_masks_end_when_the_journal_says_that_they_arrived(page, run):
    arrivals = records(run, "p00", "arrivals")
    wanted = [line["t0_s"] + ms / 1000 for line in arrivals for ms in line["ms"] if ms is not None]
    assert wanted
    arrows = page.evaluate(
        """() => {
          const { modelOf, arrowsTo } = prisam.timelineModel;
          const found = arrowsTo(modelOf(prisam.store), prisam.store, prisam.store.peerOf("p00"));
          return found.filter((each) => each.kind === "mask");
        }"""
    )
    assert sorted(each["end_s"] for each in arrows) == pytest.approx(sorted(wanted), abs=1e-3)
    assert all(each["begin_s"] <= each["end_s"] for each in arrows)


def test_a_hovered_cell_is_the_hamming_share_of_the_masks_in_the_journals(page, run):
    at = page.evaluate("prisam.testing.masks().round")
    masks = {}
    for peer in PEERS:
        lines = [line for line in records(run, peer, "masked") if line["round"] == at]
        masks[peer] = bytes.fromhex(lines[-1]["similarity"])
    n_bits = page.evaluate("prisam.store.facts.mask_bits")
    page.evaluate("prisam.views.figure('masks-matrix').element.scrollIntoView()")
    order = page.evaluate("prisam.testing.masks().peers.map(prisam.store.peerId)")
    box = page.locator("#figure-masks-matrix .chart").bounding_box()
    for one, other in (("p00", "p01"), ("p02", "p05"), ("p04", "p03")):
        x, y = page.evaluate(
            f"prisam.testing.masks().centre({order.index(one)}, {order.index(other)})"
        )
        page.mouse.move(box["x"] + x, box["y"] + y)
        told = page.locator("#figure-masks-matrix .hover").inner_text()
        differ = sum((a ^ b).bit_count() for a, b in zip(masks[one], masks[other], strict=True))
        assert told.startswith(f"{one} and {other}, round {at}")
        assert f"{differ} of {n_bits} (all layers)" in told
        assert f"{100 * (1 - differ / n_bits):.2f} %" in told
