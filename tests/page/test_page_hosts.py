"""The page of a run on several hosts: its hosts, where each peer was, and a lost host."""

import json

import pytest
from hand_hosts import ADDRESSES, HOMES, LOST_S, WHY, on_two_hosts
from hand_runs import orderly

from prisam_p2p.page.data.checked_lines import parse
from prisam_p2p.page.data.host_rows import kernels_in
from prisam_p2p.page.data.run_page import SoundRun, begun, page_data_of
from prisam_p2p.page.redact import LEFT_OUT
from prisam_p2p.report.summary import write_summary


def rows_of(payload, table):
    columns = payload["runs"][0]["tables"][table]["columns"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.fixture
def made(tmp_path):
    """Writes a run, and returns its payload."""

    def make(run, redact=False):
        return page_data_of(run.write(tmp_path), redact)

    return make


def lost_run(**more):
    return on_two_hosts(lost="h2", states={"p03": "lost with host h2"}, **more)


def test_each_host_has_a_row(made, tmp_path):
    payload = made(on_two_hosts())
    h1, h2 = rows_of(payload, "hosts")
    assert (h1["host"], h1["node"], h1["address"]) == ("h1", "node-of-h1", ADDRESSES["h1"])
    assert (h1["peers"], h2["peers"]) == ([0, 1], [2])
    assert (h1["cores"], h1["memory_mib"], h1["clock_bound_s"]) == (2, 4096, 0.0004)
    assert h1["lost_s"] is None
    summary = write_summary(SoundRun(tmp_path))["hosts"]["hosts"]
    assert h1["within_bytes"] == summary["h1"]["wire"]["within"] > 0
    assert h2["sent_bytes"] == summary["h2"]["wire"]["out"] == h1["received_bytes"] > 0
    assert {row["id"]: row["host"] for row in rows_of(payload, "peers")} == HOMES
    assert payload["runs"][0]["facts"]["missing"] == [
        "summary.json is not there: the figures are computed from the journals",
        "this run has no phases of peers (spans): an older version recorded it, or it ended too "
        "early",
    ]


def test_a_lost_host_is_an_event_of_the_run_and_of_its_peers(made):
    payload = made(lost_run())
    _, h2 = rows_of(payload, "hosts")
    assert (h2["lost_s"], h2["reason"]) == (LOST_S, WHY)
    notes = {(row["at_s"], row["peer"], row["text"]) for row in rows_of(payload, "notes")}
    assert (LOST_S, -1, f"host h2 lost with 1 peer: {WHY}") in notes
    assert (LOST_S, 2, "lost with host h2") in notes
    (row,) = (row for row in rows_of(payload, "peers") if row["id"] == "p03")
    assert row["reason"] == f"lost with host h2: {WHY}"


def test_a_peer_that_went_on_elsewhere_is_there(made):
    payload = made(on_two_hosts(lost="h2", moved=("p03",)))
    assert [row["peers"] for row in rows_of(payload, "hosts")] == [[0, 1, 2], []]
    assert {row["host"] for row in rows_of(payload, "peers")} == {"h1"}


def test_a_run_without_hosts_has_no_rows(made):
    payload = made(orderly())
    assert rows_of(payload, "hosts") == []
    assert {row["host"] for row in rows_of(payload, "peers")} == {""}


def test_a_redacted_page_names_no_node_and_no_address(made):
    run = lost_run()
    run.records["p01"] = [
        {"t_s": 5.0, "record": "state_not_written", "round": 0, "reason": "node-of-h2: no room"},
        {"t_s": 6.0, "record": "state_not_written", "round": 0, "reason": "elsewhere-h1 is full"},
    ]
    run.nodes = {"h1": "elsewhere-h1.lab"}  # the host's own name, which the plan does not know
    payload = made(run, redact=True)
    text = json.dumps(payload)
    assert "node-of" not in text
    assert "elsewhere" not in text
    assert all(address not in text for address in ADDRESSES.values())
    assert {row["node"] for row in rows_of(payload, "hosts")} == {LEFT_OUT}
    assert [row["host"] for row in rows_of(payload, "hosts")] == ["h1", "h2"]


def test_a_page_that_followed_the_run_is_the_one_made_afterwards(tmp_path):
    run = lost_run().write(tmp_path)
    data = begun(SoundRun(tmp_path))
    names = ["launcher", *run.peers, *kernels_in(run.plan)]
    for name in names:
        path = tmp_path / "journal" / f"{name}.jsonl"
        for line in path.read_bytes().splitlines() if path.exists() else ():
            data.take(name, parse(line))
    followed = data.payload()["tables"]
    afterwards = page_data_of(run)["runs"][0]["tables"]
    known = ("host", "node", "address", "peers", "clock_bound_s", "lost_s", "reason")
    for column in known:
        assert followed["hosts"]["columns"][column] == afterwards["hosts"]["columns"][column]
    assert followed["notes"] == afterwards["notes"]
    assert names[-2:] == ["kernel-h1", "kernel-h2"]


@pytest.mark.parametrize("hosts", ["no table", {"hosts": ["h1"]}, {"hosts": {"h1": 5}}])
def test_hosts_of_a_plan_from_anybody(tmp_path, hosts):
    on_two_hosts().write(tmp_path)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hosts": hosts}))
    payload = page_data_of(SoundRun(tmp_path))
    assert {row["host"] for row in rows_of(payload, "hosts")} >= {"h1", "h2"}
