"""A real run with faults: spans, bands, arrows and mask cells are those of its journals."""

from collections import defaultdict

import pytest
from launching import journal, launch, topology
from page_steps import draw_all

from prisam_p2p.page.assembly import page_of
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.report.run_folder import RunFolder

pytestmark = pytest.mark.network

SCENARIO = """
description = "two peers restart in round 1, one is paused"
[[fault]]
id = "churn"
kind = "restart"
peers = { pick = 2 }
at = { round = 1, phase = "train" }
[[fault]]
id = "nap"
kind = "pause"
peers = { pick = 1 }
at = { round = 0, phase = "announce" }
heal = { after_s = 0.3 }
"""
PEERS = [f"p{i:02d}" for i in range(6)]


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
    draw_all(page)
    return page


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
    assert len(applied) == 2
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
