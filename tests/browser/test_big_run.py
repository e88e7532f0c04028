"""A run of 200 peers and 100 rounds: its page is small enough, opens, and draws every figure."""

import pytest
from big_run import BigRun, write_big_run
from page_steps import draw_all, figures

from prisam_p2p.page.report_file import write_report

MOST_BYTES = 6e6


@pytest.mark.timeout(600)
def test_a_run_of_200_peers_and_100_rounds_opens_and_says_what_is_thinned_out(open_page, tmp_path):
    run = write_big_run(tmp_path / "run", BigRun(200, 100))
    assert write_report([run], tmp_path / "page.html") < MOST_BYTES
    page = open_page(tmp_path / "page.html")
    draw_all(page)
    drawn = {each["id"] for each in figures(page) if each["drawn"]}
    assert {"timeline-spans", "accuracy-accuracy", "fell-changes", "masks-matrix"} <= drawn
    assert page.evaluate("prisam.store.peersByGroup().length") == 200
    assert "the run is too large for all of them" in page.locator("#missing").inner_text()
