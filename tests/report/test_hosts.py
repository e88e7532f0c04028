"""A run on several hosts: who was where, what passed within and between hosts, and a lost host."""

import json

import pytest
from click.testing import CliRunner
from hand_hosts import ADDRESSES, LOST_S, WHY, HandHosts, on_two_hosts
from hand_runs import orderly

from prisam_p2p.cli import main
from prisam_p2p.report.closure import closure, closure_lines
from prisam_p2p.report.connection_rows import connection_rows
from prisam_p2p.report.digest import print_parts
from prisam_p2p.report.host_summary import host_lines
from prisam_p2p.report.hosts import run_hosts
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import write_summary


@pytest.fixture
def made(tmp_path):
    """Writes a run and returns its ledger."""

    def make(run):
        return make_ledger(run.write(tmp_path))

    return make


def lost_run(**more):
    """h2 is lost: p03 wrote no more, and h2's kernel told nothing of the connection's end."""
    return on_two_hosts(lost="h2", killed=("p03",), states={"p03": "lost with host h2"}, **more)


def restarted_run():
    """h2 is lost, and p03 goes on from h1: it opens another connection from there."""
    run = on_two_hosts(lost="h2", moved=("p03",))
    again = run.connect("p03", "p01", "control", began_s=LOST_S + 2, ended_s=LOST_S + 8)
    again.at = f"{ADDRESSES['h1']}:40100", run.connections[1].addresses[1]
    again.there.both("hello", -1, (1, 0, 55, 2, 1))
    again.back.both("hello", -1, (1, 0, 4, 2, 1))
    again.back.both("mask", 1, (1, 44, 7, 4, 1))
    return run


# --- both ends' figures come from two kernels ---


def test_a_connection_between_hosts_closes_by_the_figures_of_two_kernels(made):
    found = closure(made(on_two_hosts()))
    assert (found["verdict"], found["source"]) == ("true", "kernel")
    assert (found["connections"], found["judged_connections"]) == (2, 2)
    assert found["lost_hosts"] == []


def test_a_byte_too_many_at_the_other_host_is_found(made):
    run = on_two_hosts()
    run.connections[1].there.lost = 1  # p01's kernel received one byte less than p03's sent
    found = closure(made(run))
    assert (found["verdict"], found["unexplained_bytes"]) == ("false", 1)
    assert "p03 -> p01" in found["failures"][0]


def test_each_mtu_is_that_of_the_way(made):
    """Segments are the kernel's between hosts; within one they are modelled, as on loopback."""
    rows = list(connection_rows(made(on_two_hosts())))
    sources = {(row.sender, row.receiver): row.source for row in rows}
    assert sources["p03", "p01"] == sources["p01", "p03"] == "kernel"
    assert sources["p01", "p02"] == "kernel+model"
    hosts = {(row.sender, row.sender_host, row.receiver_host) for row in rows}
    assert hosts == {
        ("p02", "h1", "h1"),
        ("p01", "h1", "h1"),
        ("p03", "h2", "h1"),
        ("p01", "h1", "h2"),
    }


def test_jumbo_frames_between_hosts_are_modelled(made):
    rows = connection_rows(made(on_two_hosts(between_mtu=9000)))
    assert {row.source for row in rows} == {"kernel+model"}


def test_the_mtu_of_a_lost_host_is_what_its_agent_told_first(made):
    ledger = made(lost_run(between_mtu=9000))
    assert {row.source for row in ledger.rows if "p03" in (row.sender, row.receiver)} == {
        "kernel+model"
    }


def test_hosts_are_known_from_the_plan_where_the_launcher_told_nothing(made):
    ledger = made(on_two_hosts(addressed=False))
    assert {(row.sender_host, row.receiver_host) for row in ledger.rows} == {
        ("h1", "h1"),
        ("h1", "h2"),
        ("h2", "h1"),
    }


def test_a_run_without_hosts_has_none(tmp_path):
    summary = write_summary(orderly().write(tmp_path))
    assert summary["hosts"] is None
    assert host_lines(summary) == []
    assert not run_hosts(RunFolder(tmp_path))
    with_old = {key: each for key, each in summary.items() if key != "hosts"}
    assert host_lines(with_old) == []


# --- a lost host ---


def test_a_connection_with_an_end_on_a_lost_host_is_listed_and_not_judged(made):
    ledger = made(lost_run())
    found = closure(ledger)
    assert (found["verdict"], found["unexplained_bytes"]) == ("true", 0)
    assert (found["connections"], found["judged_connections"]) == (2, 1)
    (listed,) = found["lost_hosts"]
    assert (listed["client"], listed["server"], listed["hosts"]) == ("p03", "p01", ["h2"])
    assert listed["client_address"].startswith(ADDRESSES["h2"])
    line, below = closure_lines(found)
    assert line.endswith("; 1 with an end on a lost host, and not judged")
    assert "cut off" not in line
    assert below == "  not judged, with an end on h2: p03 -> p01 (control)"


def test_what_a_lost_host_took_with_it_is_no_unexplained_byte(made):
    """p03's counts came through whole and p01's kernel saw less: elsewhere that would not close."""
    run = on_two_hosts(lost="h2", states={"p03": "lost with host h2"})
    run.connections[1].there.lost = 1
    found = closure(made(run))
    assert (found["unexplained_bytes"], found["judged_connections"]) == (0, 1)


def test_if_all_connections_lead_to_a_lost_host_the_closure_is_not_judged(made):
    run = lost_run()
    run.connections = run.connections[1:]
    found = closure(made(run))
    assert found["verdict"] == "not judged"
    assert closure_lines(found)[0].startswith("closure: 1 connections, not judged; 1 with an end")


def test_a_peer_that_moved_is_judged_on_its_new_host(made):
    ledger = made(restarted_run())
    found = closure(ledger)
    assert (found["connections"], found["judged_connections"]) == (3, 2)
    assert len(found["lost_hosts"]) == 1
    ways = {(row.sender_host, row.receiver_host) for row in ledger.rows if row.sender == "p03"}
    assert ways == {("h2", "h1"), ("h1", "h1")}


def test_many_connections_to_a_lost_host_are_not_all_printed(made):
    run = lost_run()
    for _ in range(8):
        run.connect("p03", "p02", "bulk")
    line = closure_lines(closure(made(run)))[-1]
    assert line.endswith("p03 -> p02 (bulk), and 3 more, see summary.json")


# --- what the summary says ---


def test_the_summary_of_hosts(tmp_path):
    told = write_summary(on_two_hosts().write(tmp_path))
    hosts = told["hosts"]["hosts"]
    assert hosts["h1"]["peers"] == ["p01", "p02"]
    assert (hosts["h2"]["node"], hosts["h2"]["address"]) == ("node-of-h2", "10.77.0.2")
    assert hosts["h2"]["clock_bound_s"] == 0.0004  # the largest
    assert hosts["h2"]["line_bytes"] == {"out": 700, "in": 9000}
    assert not hosts["h2"]["lost"]
    assert hosts["h2"]["wire"]["within"] == 0
    assert hosts["h2"]["wire"]["out"] == hosts["h1"]["wire"]["in"] > 0
    parts = told["hosts"]["bytes"]
    for kind, each in told["bytes"].items():
        both = [parts[where][kind] for where in ("within", "across")]
        assert {key: sum(part[key] for part in both) for key in each} == each
    assert parts["across"]["mask"]["payload"] == 44
    assert parts["within"]["weights"]["payload"] == 300_000
    assert parts["across"]["weights"]["messages"] == 0


def test_the_line_of_hosts(tmp_path):
    (line,) = host_lines(write_summary(on_two_hosts().write(tmp_path)))
    assert line.startswith("hosts: 2 (h1 2 peers, h2 1 peer); on the wire between them ")
    assert line.endswith("; clocks right within 0.40 ms")


def test_a_lost_host_in_the_summary(tmp_path):
    told = write_summary(lost_run().write(tmp_path))
    assert told["lost"] == [
        {
            "peer": "p03",
            "reason": f"lost with host h2: {WHY}",
            "round": 2,
            "planned": False,
            "host": "h2",
        }
    ]
    assert told["hosts"]["lost"] == [
        {
            "host": "h2",
            "t_s": LOST_S,
            "reason": WHY,
            "silent_s": 10.0,
            "peers": ["p03"],
            "moved": [],
        }
    ]
    assert told["hosts"]["hosts"]["h2"]["lost"]
    assert told["headline"].endswith(f"; host h2 lost with 1 peer ({WHY}, after the last round)")
    assert host_lines(told)[1] == f"  host h2 lost with 1 peer ({WHY}) at 12.0 s"


def test_peers_that_went_on_elsewhere_are_not_lost(tmp_path):
    told = write_summary(restarted_run().write(tmp_path))
    assert told["lost"] == []
    assert told["hosts"]["lost"][0]["moved"] == ["p03"]
    assert told["hosts"]["hosts"]["h1"]["peers"] == ["p01", "p02", "p03"]
    assert told["headline"].endswith(f"; host h2 lost, its 1 peer restarted elsewhere ({WHY})")


def test_a_planned_loss_of_a_host_is_said_to_be_planned(tmp_path):
    run = on_two_hosts(lost="h2", killed=("p03",), states={"p03": "lost with host h2 as planned"})
    told = write_summary(run.write(tmp_path))
    assert "as planned, after the last round)" in told["headline"]


def test_a_run_whose_launcher_was_killed_after_a_host_was_lost(tmp_path):
    run = lost_run().write(tmp_path)
    path = tmp_path / "journal" / "launcher.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("".join(line + "\n" for line in lines if "run_ended" not in line))
    told = write_summary(run)
    assert [each["peer"] for each in told["lost"]] == ["p03"]
    assert told["lost"][0]["host"] == "h2"


# --- what is printed, bytes and SQL ---


def asked(*command):
    result = CliRunner().invoke(main, [*map(str, command)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_printed_summary_tells_each_peers_host(tmp_path):
    lost_run().write(tmp_path)
    text = asked("summary", tmp_path)
    words = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert words["peer"][2] == "host"
    assert [words[peer][2] for peer in ("p01", "p02", "p03")] == ["h1", "h1", "h2"]
    assert f"\n  host h2 lost with 1 peer ({WHY}) at 12.0 s\n" in text


def test_many_peers_are_summed_up_by_host(tmp_path, capsys):
    summary = write_summary(on_two_hosts().write(tmp_path))
    print_parts(summary, None)
    by_host = capsys.readouterr().out.split("by host, means over its peers:\n")[1]
    assert [line.split()[:2] for line in by_host.splitlines()[2:4]] == [["h1", "2"], ["h2", "1"]]


def test_bytes_by_host(tmp_path):
    on_two_hosts().write(tmp_path)
    rows = json.loads(asked("bytes", tmp_path, "--by", "host", "--format", "json"))
    assert [(x["sender_host"], x["receiver_host"], x["kind"]) for x in rows] == [
        ("h1", "h1", "request"),
        ("h1", "h1", "weights"),
        ("h1", "h1", "hello"),
        ("h1", "h2", "mask"),
        ("h1", "h2", "hello"),
        ("h2", "h1", "hello"),
    ]
    text = asked("bytes", tmp_path)
    assert "an MTU of 65536 (plain loopback) within hosts, of 1500 between them" in text
    assert "By host" in text


def test_bytes_by_host_of_a_run_without(tmp_path):
    orderly().write(tmp_path)
    assert json.loads(asked("bytes", tmp_path, "--by", "host", "--format", "json")) == []
    assert "By host" not in asked("bytes", tmp_path)


def test_hosts_in_sql(tmp_path):
    lost_run().write(tmp_path)

    def rows(query):
        answer = json.loads(asked("sql", tmp_path, query, "--format", "json"))
        return [tuple(row.values()) for row in answer]

    assert rows("SELECT peer, host FROM peers ORDER BY peer") == [
        ("p01", "h1"),
        ("p02", "h1"),
        ("p03", "h2"),
    ]
    assert rows("SELECT host, peers FROM host_lost") == [("h2", ["p03"])]
    assert rows("SELECT DISTINCT host FROM sockets") == [("h1",)]
    assert rows("SELECT host, mtu, between_mtu FROM watch") == [("h1", 65536, 1500)]
    lost = "SELECT DISTINCT sender, receiver FROM connections WHERE host_lost ORDER BY ALL"
    assert rows(lost) == [("p01", "p03"), ("p03", "p01")]


def test_kernels_of_an_earlier_launch_without_hosts_are_read_too(tmp_path):
    run = on_two_hosts().write(tmp_path)
    (tmp_path / "journal" / "kernel.jsonl").write_text(
        (tmp_path / "journal" / "kernel-h1.jsonl").read_text()
    )
    (tmp_path / "journal" / "kernels.jsonl").write_text("no journal")
    (tmp_path / "journal" / "kernel-h1.jsonl").unlink()
    assert run.kernels == ["kernel", "kernel-h2"]
    assert closure(make_ledger(run))["verdict"] == "true"


def test_hosts_that_changed_their_addresses_between_launches(tmp_path):
    """`prisam resume` on other hosts: what h1's address was first is h2's later."""
    hosts = run_hosts(HandHosts().write(tmp_path))
    for t_s, host, address in ((50.0, "h1", "10.77.0.9"), (50.0, "h2", "10.77.0.1")):
        up = {"t_s": t_s, "record": "host_up", "host": host, "node": "n", "address": address}
        hosts.take({**up, "mtu": 1500})
    assert hosts.of_address("10.77.0.1:1", "p01", 5.0) == "h1"
    assert hosts.of_address("10.77.0.1:1", "p01", 60.0) == "h2"
    assert hosts.of_address("10.77.0.9:1", "p01", 60.0) == "h1"


def test_where_peers_have_addresses_of_their_own_the_peer_tells_the_host(tmp_path):
    hosts = run_hosts(HandHosts(lost="h2", moved=("p03",)).write(tmp_path))
    assert hosts.of_address("10.200.0.3:5555", "p03", 5.0) == "h2"
    assert hosts.of_address("10.200.0.3:5555", "p03", LOST_S + 5) == "h1"
    assert hosts.of_address("10.200.0.99:5555", "", 5.0) == ""


def test_the_headline_tells_the_rounds_of_a_lost_hosts_peers(tmp_path):
    homes = {"p01": "h1", "p02": "h2", "p03": "h2"}
    states = dict.fromkeys(("p02", "p03"), "lost with host h2")
    run = HandHosts(lost="h2", homes=homes, states=states, killed=("p02", "p03"))
    run.records["p02"] = [{"t_s": 3.0, "record": "masked", "round": 1, "prune_ratio": 0.5}]
    written = run.write(tmp_path)
    for peer, rounds in (("p02", 7), ("p03", 4)):
        path = tmp_path / "journal" / f"{peer}.jsonl"
        path.write_text(
            path.read_text().replace('"round": 1, "final"', f'"round": {rounds - 1}, "final"')
        )
    plan = json.loads((tmp_path / "plan.json").read_text())
    plan["settings"]["rounds"] = 20
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    told = write_summary(written)["headline"]
    assert told.endswith(f"; host h2 lost with 2 peers ({WHY}, rounds 4 to 7)")
