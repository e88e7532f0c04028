"""The views of a run on several hosts: the hosts themselves, and peers ordered by host."""

import pytest
from hand_hosts import HOMES, on_two_hosts
from hand_pages import a_payload

from prisam_p2p.page.data.run_page import page_data_of

MIXED = {**HOMES, "p01": "h2", "p03": "h1"}
"""By data group p01 and p02 come first; by host p02 and p03."""
DRAWN = "(id) => { const f = prisam.views.figure(id); f.near = true; f.draw(); return f.built; }"
CHOICE = "#control-network-network-order"


@pytest.fixture
def opened(open_page, written, tmp_path):
    """Returns the page of a run of two hosts."""

    def opening(**more):
        (tmp_path / "run").mkdir()
        return open_page(
            written(page_data_of(on_two_hosts(**more).write(tmp_path / "run"))).as_uri()
        )

    return opening


def test_a_bar_for_each_way_of_each_host(opened):
    page = opened(lost="h2", states={"p03": "lost with host h2"})
    built = page.evaluate(DRAWN, "hosts-bytes")
    assert built["option"]["yAxis"]["data"] == ["h1", "h2 ✗"]
    within, sent, received = (each["data"] for each in built["option"]["series"])
    assert within[0] > 300_000
    assert within[1] == 0
    assert (sent[0], sent[1]) == (received[1], received[0])
    assert built["notes"][0].startswith("Host h2 was lost after 12.0 s: no answer for 10 s.")
    assert built["table"]["rows"][1][:4] == ["h2", "node-of-h2", "10.77.0.2", "p03"]


def test_peers_are_ordered_by_host_where_the_reader_asks_for_it(opened):
    page = opened(homes=MIXED)
    names = "prisam.views.figure('network-network').built.option.series[0].data.map(d => d.name)"
    page.evaluate(DRAWN, "network-network")
    assert page.evaluate(names) == ["p01", "p02", "p03"]
    page.locator(CHOICE).select_option("host")
    assert page.evaluate(names) == ["p02", "p03", "p01"]
    table = page.evaluate("prisam.views.figure('network-network').table()")
    assert table["columns"][-2:] == ["host of sender", "host of receiver"]
    assert ["p03", "p01", "h1", "h2"] in [[*row[:2], *row[-2:]] for row in table["rows"]]


def test_devices_tell_their_hosts(opened):
    built = opened().evaluate(DRAWN, "devices-budgets")
    assert built["table"]["columns"][3] == "host"
    assert [row[3] for row in built["table"]["rows"]] == ["h1", "h1", "h2"]


def test_a_run_without_hosts_has_none_of_it(open_page, written):
    page = open_page(written(a_payload()).as_uri())
    assert page.evaluate("prisam.views.all().map(view => view.id)").count("hosts") == 0
    assert page.locator("#control-timeline-spans-order").count() == 0
    assert "host" not in page.evaluate(DRAWN, "devices-budgets")["table"]["columns"]
