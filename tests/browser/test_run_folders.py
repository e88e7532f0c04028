"""Pages of run folders: what the summary prints stands in the tiles, and a torn folder opens."""

import json

import pytest
from click.testing import CliRunner
from hand_runs import announced, orderly
from page_steps import draw_all

from prisam_p2p.cli import main
from prisam_p2p.page.report_file import write_report

NOT_PRINTED = {"none", "-"}
"""What a tile has where the summary prints no line."""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "ring-one"
    folder.mkdir(parents=True)
    announced(orderly()).write(folder)
    return folder


@pytest.fixture
def page_of_run(open_page, run, tmp_path):
    def opened():
        write_report([run], tmp_path / "page.html")
        return open_page(tmp_path / "page.html")

    return opened


def test_every_tile_is_printed_so_by_prisam_summary(page_of_run, run):
    page = page_of_run()
    printed = " ".join(CliRunner().invoke(main, ["summary", str(run)]).output.split())
    tiles = {
        tile.get_attribute("data-tile"): tile.locator(".printed").inner_text()
        for tile in page.locator(".tile").all()
    }
    assert len(tiles) == 8
    sent = json.loads((run / "summary.json").read_text())["bytes"].values()
    assert tiles.pop("wire") == f"{sum(each['wire'] for each in sent) / 2**20:.2f}"
    for value in tiles.values():
        for words in value.split(", "):
            assert value in NOT_PRINTED or words in printed, value
    assert page.locator("#headline").inner_text() in printed


def test_every_tile_leads_to_the_view_that_has_its_evidence(page_of_run):
    page = page_of_run()
    for tile in page.locator(".tile").all():
        tile.press("Enter")
        focused = page.evaluate("document.activeElement.id")
        assert focused == f"view-{tile.get_attribute('href').removeprefix('#view=')}"


def test_a_torn_folder_opens_and_says_what_is_torn(page_of_run, run):
    journals = sorted((run / "journal").glob("p*.jsonl"))
    journals[0].write_bytes(journals[0].read_bytes()[:-20] + b"\xff\x00")
    journals[1].unlink()
    page = page_of_run()
    draw_all(page)
    missing = page.locator("#missing").inner_text()
    assert "p01" in missing
    assert "the journal of p02 is not there" in missing
