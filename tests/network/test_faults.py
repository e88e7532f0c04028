"""Faults of real processes, messages and links: each fired, bit and was contained.

Whether it bit is seen against the control run (control_runs.py).
"""

import json

import pytest
from control_runs import (
    FIVE_ROUNDS,
    contained,
    heard_missing,
    is_the_control_run_before,
    members,
    records,
)
from launching import SMALL, asked, journal, launch, paced, refused, topology
from named_time import named_shares
from whole_summaries import whole_summary

pytestmark = pytest.mark.network

OPTIONS = ("--quiet", "--round-timeout-s", "30", "--reconnect-timeout-s", "1")


def scenario(folder, *faults):
    """Write a scenario of faults, each the text of its table, and return its path."""
    path = folder / "scenario.toml"
    tables = [f'[[fault]]\nid = "f{i}"\n{text}\n' for i, text in enumerate(faults)]
    path.write_text('description = "for a test"\n' + "".join(tables))
    return path


def run_with(folder, *faults, name="run", code=0, options=(), text=FIVE_ROUNDS):
    run = folder / name
    path = scenario(folder, *faults)
    net = topology(folder, text)
    got, _, err = launch(net, "--run-dir", run, "--faults", path, *OPTIONS, *options)
    assert got == code, err
    summary = json.loads((run / "summary.json").read_text())
    assert summary == whole_summary(run)
    return run, summary


def lost_pulls(run, peer):
    return records(run, peer, "pull_failed")


def epochs(run, peer):
    return [x["epochs"] for x in records(run, peer, "trained")]


def hellos(summary):
    return summary["bytes"]["hello"]["messages"]


def test_a_killed_peer_is_gone_and_the_others_go_on(tmp_path, control):
    run, summary = run_with(
        tmp_path, 'kind = "kill"\npeers = ["p05"]\nat = { round = 2, phase = "announce" }'
    )
    (verdict,) = summary["faults"]
    assert (verdict["id"], verdict["fired"], verdict["verdict"]) == ("f0#0", True, "true")
    assert summary["peers"]["p05"]["state"] == "died with -9 as planned"
    assert summary["headline"].endswith("; 1 lost as planned: p05 (killed, round 2)")
    assert heard_missing(run, "p00", "p05") == [2, 3, 4]  # before its mask of round 2
    assert heard_missing(control.path, "p00", "p05") == []
    assert verdict["detected_s"] < 30  # at the end of its connections, not of the round's deadline
    is_the_control_run_before(run, control, 2)
    averaged = members(control.path, "p04")
    without = {t: [peer for peer in averaged[t] if t < 2 or peer != "p05"] for t in averaged}
    assert members(run, "p04") == without != averaged
    sent, of_control = (each["bytes"]["weights"]["payload"] for each in (summary, control.summary))
    assert sent < of_control
    contained(summary, control, "p05")


def test_restarted_peers_go_on_from_their_state_or_from_a_neighbors_weights(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "restart"\npeers = ["p01"]\nat = { round = 2, phase = "train" }',
        'kind = "restart"\nfrom = "neighbor"\npeers = ["p03", "p04"]\n'
        'at = { round = 3, phase = "announce" }',
        options=("--similarity-ratio", "0"),  # no groups, which a neighbor's weights may mix up
    )
    assert [fault["verdict"] for fault in summary["faults"]] == ["true", "true"]
    (resumed,) = records(run, "p01", "resumed")
    assert (resumed["state_round"], resumed["round"]) == (2, 2)
    assert [x["incarnation"] for x in records(run, "p01", "started")] == [0, 1]
    assert 4 not in heard_missing(run, "p00", "p01")
    for peer in ("p03", "p04"):
        lines = journal(run, peer)
        (resumed,) = [x for x in lines if x["record"] == "resumed"]
        assert (resumed["source"], resumed["state_round"]) == ("neighbor", 0)
        assert resumed["round"] in (2, 3, 4)  # the others wait in round 3, if they are there yet
        before = [x for x in lines[: lines.index(resumed)] if x["record"] == "pulled"][-1]
        assert (before["donor"], before["round"] <= resumed["round"]) == (resumed["donor"], True)
        assert [x for x in lines if x["record"] == "trained"][-1]["epochs"] == 2  # no warm-up
    assert hellos(summary) > hellos(control.summary)
    contained(summary, control)


def test_a_restart_from_nothing_begins_again_with_w0_where_the_others_are(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "restart"\nfrom = "fresh"\npeers = ["p01"]\nat = { round = 3, phase = "pull" }',
    )
    assert summary["faults"][0]["verdict"] == "true"
    (resumed,) = records(run, "p01", "resumed")
    assert resumed["state_round"] == 0
    assert resumed["round"] in (3, 4)  # the others may be a round further by then
    assert epochs(run, "p01")[:5] == [3, 2, 2, 2, 3]
    assert epochs(control.path, "p01") == [3, 2, 2, 2, 2]
    is_the_control_run_before(run, control, 3)
    assert hellos(summary) > hellos(control.summary)
    contained(summary, control)


def test_a_paused_peer_holds_its_neighbors_up_until_it_is_let_go(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "pause"\npeers = ["p02"]\nat = { round = 1, phase = "announce" }\n'
        "heal = { after_s = 2.0 }",
    )
    assert summary["faults"][0]["verdict"] == "true"
    waited = [x["waited_s"] for x in records(run, "p00", "heard")]
    assert waited[1] > 1
    without = [x["waited_s"] for x in records(control.path, "p00", "heard")]
    assert waited[1] > without[1]
    assert 4 not in heard_missing(run, "p00", "p02")
    assert min(named_shares(run).values()) >= 0.97
    is_the_control_run_before(run, control, 1)
    contained(summary, control)


def test_a_peer_that_was_paused_for_rounds_goes_on_where_the_others_are(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "pause"\npeers = ["p02"]\nat = { round = 1, phase = "announce" }\n'
        "heal = { rounds = 3 }",
        options=("--round-timeout-s", "10"),  # the others wait for it so long, three times
    )
    assert summary["faults"][0]["verdict"] == "true"
    assert heard_missing(run, "p00", "p02") == [1, 2, 3]
    assert heard_missing(control.path, "p00", "p02") == []
    is_the_control_run_before(run, control, 1)
    contained(summary, control)


def test_a_donor_that_is_paused_for_a_round_is_given_up_like_one_that_is_gone(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "pause"\npeers = ["p02"]\nat = { round = 1, phase = "pull" }\n'
        "heal = { rounds = 1 }",
    )
    lost = {x["round"]: x["reason"] for x in lost_pulls(run, "p00") if x["donor"] == "p02"}
    assert lost[1] == "connection closed"  # and not 60 s without a byte
    assert lost_pulls(control.path, "p00") == []
    assert "p02" in members(control.path, "p00")[1]
    assert "p02" not in members(run, "p00")[1]
    is_the_control_run_before(run, control, 2)
    contained(summary, control)


def test_a_killed_peer_that_would_be_back_after_the_end_is_not_waited_for(tmp_path, control):
    _, summary = run_with(
        tmp_path,
        'kind = "kill"\npeers = ["p02"]\nat = { round = 3, phase = "announce" }\n'
        "heal = { rounds = 2 }",
    )
    assert summary["faults"][0]["verdict"] == "true"
    assert summary["peers"]["p02"]["state"] == "died with -9 as planned"
    contained(summary, control, "p02")


def test_a_peer_that_is_told_to_leave_is_waited_for_no_more(tmp_path, control):
    run, summary = run_with(
        tmp_path, 'kind = "leave"\npeers = ["p04"]\nat = { round = 1, phase = "train" }'
    )
    assert summary["faults"][0]["verdict"] == "true"
    assert summary["peers"]["p04"]["state"] == "stopped as planned"
    assert heard_missing(run, "p00", "p04") == [1, 2, 3, 4]
    assert heard_missing(control.path, "p00", "p04") == []
    is_the_control_run_before(run, control, 1)
    contained(summary, control, "p04")


def test_a_fault_that_never_fires_fails_the_run_and_changes_nothing(tmp_path, control):
    run, summary = run_with(
        tmp_path, 'kind = "kill"\npeers = ["p05"]\nat = { time_s = 3600.0 }', code=4
    )
    (verdict,) = summary["faults"]
    assert (verdict["fired"], verdict["contained"], verdict["verdict"]) == (False, None, "false")
    assert verdict["why"] == "it never fired"
    code, differences = asked("verify", run, control.path)
    assert code == 0, differences


def test_a_run_with_faults_is_repeated_from_its_plans_to_the_same_weights(tmp_path, control):
    faults = (
        'kind = "kill"\npeers = { percent = 20 }\nat = { round = 1, phase = "announce" }',
        'kind = "restart"\npeers = { pick = 2 }\nat = { round = 2, phase = "pull" }',
        'kind = "drop"\npeers = { pick = 1 }\nmessage = "request"\nprobability = 0.5\n'
        'at = { round = 3, phase = "pull" }',
    )
    # Deadlines that nobody meets who is only slow: a hundred peers may start beside this test.
    patience = ("--heartbeat-s", "10", "--round-deadline-k", "0", "--round-timeout-s", "120")
    pulls = ("--reconnect-timeout-s", "30", "--pull-timeout-s", "20")
    run, summary = run_with(tmp_path, *faults, options=(*patience, *pulls, "--control-run"))
    connections = records(run, "p00", "connection")
    assert {x["heartbeat_ms"] for x in connections} == {0, 10_000}
    again = tmp_path / "again"
    plans = (run / "plan.json", "--faults", run / "faults.json")
    code, _, err = launch(*plans, "--run-dir", again, fresh=True)
    assert code == 0, err
    assert (run / "faults.json").read_bytes() == (again / "faults.json").read_bytes()
    repeated = json.loads((again / "summary.json").read_text())
    told = ("id", "peers", "verdict")
    verdicts = [[[f[key] for key in told] for f in s["faults"]] for s in (summary, repeated)]
    assert verdicts[0] == verdicts[1]
    assert {f["verdict"] for f in summary["faults"]} == {"true"}
    code, differences = asked("verify", run, again)
    assert code == 0, differences
    restarted = summary["faults"][1]
    assert isinstance(restarted["accuracy_change"], float)  # against the twin
    assert asked("verify", run, run / "twin")[0] == 4
    assert asked("verify", control.path, run / "twin")[0] == 0  # how long it waits is no matter


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ('kind = "kil"\npeers = ["p01"]\nat = { round = 1, phase = "train" }', "kil"),
        ('kind = "kill"\npeers = ["p99"]\nat = { round = 1, phase = "train" }', "p99"),
        ('kind = "join"\npeers = "all"\nat = { round = 1, phase = "train" }', "from the start"),
    ],
)
def test_a_scenario_that_cannot_be_run_starts_nothing(tmp_path, fault, says):
    net, run = topology(tmp_path, FIVE_ROUNDS), tmp_path / "run"
    assert says in refused("launch", net, "--run-dir", run, "--faults", scenario(tmp_path, fault))
    assert not run.exists()


# -- messages ----------------------------------------------------------------------------------


def test_masks_that_are_lost_are_missed_and_the_next_one_is_asked_for_whole(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "drop"\nmessage = "mask"\npeers = ["p03"]\n'
        'at = { round = 2, phase = "announce" }\nheal = { rounds = 1 }',
        options=("--round-timeout-s", "5"),
    )
    assert summary["faults"][0]["verdict"] == "true"
    assert heard_missing(run, "p00", "p03") == [2]
    (acted,) = records(run, "p03", "policy_acted")
    assert acted["acted"] == 5  # a mask for each neighbor
    assert heard_missing(control.path, "p00", "p03") == []
    is_the_control_run_before(run, control, 3)
    asking, without = (s["bytes"]["control"]["messages"] for s in (summary, control.summary))
    assert (asking, without) == (5, 0)
    contained(summary, control)


def test_corrupt_weights_are_left_out(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "corrupt"\nmessage = "weights"\npeers = ["p00"]\n'
        'at = { round = 1, phase = "announce" }\nheal = { rounds = 1 }',
    )
    assert summary["faults"][0]["verdict"] == "true"
    rejected = [x for p in ("p01", "p02") for x in records(run, p, "rejected")]
    assert {(x["donor"], x["round"]) for x in rejected} == {("p00", 1)}
    assert records(control.path, "p01", "rejected") == []
    averaged, without = (members(each, "p01") for each in (control.path, run))
    assert ("p00" in averaged[1], "p00" in without[1]) == (True, False)
    assert {t: averaged[t] for t in (0, 2)} == {t: without[t] for t in (0, 2)}
    is_the_control_run_before(run, control, 2)
    contained(summary, control)


def test_messages_on_bad_ways(tmp_path, control):
    when = 'at = { round = 1, phase = "announce" }\nheal = { rounds = 2 }'
    kinds = {"delay": "ms = 200\n", "duplicate": "", "reorder": "", "hold": ""}
    faults = [
        f'kind = "{kind}"\nmessage = "mask"\npeers = ["p0{i}"]\n{more}{when}'
        for i, (kind, more) in enumerate(kinds.items())
    ]
    run, summary = run_with(tmp_path, *faults, options=("--round-timeout-s", "3"))
    assert [(f["kind"], f["verdict"]) for f in summary["faults"]] == [(k, "true") for k in kinds]
    twice = {x["sender"] for x in records(run, "p05", "turned") if x["verdict"] == "duplicate"}
    assert "p01" in twice
    assert {1, 2} <= set(heard_missing(run, "p05", "p03"))  # held until the heal
    assert records(control.path, "p05", "turned") == []
    assert heard_missing(control.path, "p05", "p03") == []
    is_the_control_run_before(run, control, 2)
    contained(summary, control)


# -- links: in a namespace for each peer, where this machine can ------------------------------


FAR = SMALL.replace("[run]", "delay_ms = 20\nrate_mbit_s = 50\n[run]") + (
    '[[link]]\nfrom = "p01"\nto = "p00"\ndelay_ms = 120\nboth_ways = false\n'
)


def test_links_with_rates_and_delays_have_them_and_the_kernel_explains_every_byte(
    tmp_path, control, namespaces
):
    run = tmp_path / "run"
    code, _, err = launch(topology(tmp_path, FAR), "--run-dir", run, "--quiet")
    assert (code, err) == (0, "")
    (made,) = (x for x in records(run, "launcher", "network_made"))
    assert (made["kind"], made["reason"]) == ("namespaces", "for the topology's links")
    assert [x["what"] for x in made["measured"]] == ["rate, Mbit/s", "loss", "delay, ms"]
    pulled = {peer: records(run, peer, "pulled") for peer in ("p00", "p02")}
    all_pulls = [x for lines in pulled.values() for x in lines]
    assert min(x["wall_s"] for x in all_pulls) >= 0.08  # there and back twice: offer, chunk
    assert max(x["mbit_s"] for x in all_pulls) < 50
    there = [x["wall_s"] for x in pulled["p00"] if x["donor"] == "p01"]
    assert min(there) >= 0.28
    is_the_control_run_before(run, control, 3)  # a delay changes no result
    assert min(x["wall_s"] for x in records(control.path, "p02", "pulled")) < 0.08
    closure = json.loads((run / "summary.json").read_text())["closure"]
    assert (closure["verdict"], closure["source"]) == ("true", "kernel")
    code, out = asked("sql", run, "SELECT DISTINCT source FROM ledger", "--format", "json")
    assert (code, json.loads(out)) == (0, [{"source": "kernel"}])  # no segment is modelled


def test_a_partition_parts_the_sides_and_heals(tmp_path, control, namespaces):
    run, summary = run_with(
        tmp_path,
        'kind = "partition"\ngroups = [["p00", "p01", "p02"], ["p03", "p04", "p05"]]\n'
        'at = { round = 1, phase = "announce" }\nheal = { rounds = 2 }',
        options=(*namespaces, "--rounds", "10"),
        text=paced(FIVE_ROUNDS),  # to meet again takes a second
    )
    assert summary["faults"][0]["verdict"] == "true"
    assert {1, 2} <= set(heard_missing(run, "p00", "p03"))
    # its own side; when they meet again, who is behind may skip a round to catch up
    assert {1, 2}.isdisjoint(heard_missing(run, "p00", "p01"))
    healed_s = [x["t_s"] for x in records(run, "launcher", "fault_healed")]
    met = records(run, "p00", "neighbor_joined")
    assert {x["neighbor"] for x in met if x["t_s"] > min(healed_s)} == {"p03", "p04", "p05"}
    assert heard_missing(control.path, "p00", "p03") == []
    is_the_control_run_before(run, control, 1)
    contained(summary, control)


def test_a_pull_across_a_cut_is_given_up_when_the_kernel_answers_no_more(
    tmp_path, control, namespaces
):
    run, summary = run_with(
        tmp_path,
        'kind = "isolate"\npeers = ["p00"]\nat = { round = 2, phase = "pull" }\n'
        "heal = { rounds = 1 }",
        options=namespaces,
    )
    lost = lost_pulls(run, "p00")
    assert 2 in {x["round"] for x in lost}
    assert {x["reason"] for x in lost} == {"connection closed"}  # and not 60 s without a byte
    assert lost_pulls(control.path, "p00") == []
    is_the_control_run_before(run, control, 3)
    contained(summary, control)


def test_links_that_are_healed_at_the_end_are_given_time_to_be_used_again(
    tmp_path, control, namespaces
):
    run, summary = run_with(
        tmp_path,
        'kind = "partition"\ngroups = [["p00", "p01", "p02"], ["p03", "p04", "p05"]]\n'
        'at = { round = 3, phase = "announce" }\nheal = { never = true }',
        options=namespaces,
    )
    (settled,) = records(run, "launcher", "settled")
    assert settled["late"] == []
    assert heard_missing(run, "p00", "p03") == [3, 4]
    assert records(control.path, "launcher", "settled") == []
    is_the_control_run_before(run, control, 3)
    contained(summary, control)


def test_a_slow_and_lossy_link_is_slow_and_loses(tmp_path, control, namespaces):
    run, summary = run_with(
        tmp_path,
        'kind = "shape"\nlinks = { of = ["p01"] }\nloss = 0.1\ndelay_ms = 20\n'
        'at = { round = 1, phase = "announce" }\nheal = { never = true }',
        options=namespaces,
    )
    assert summary["faults"][0]["verdict"] == "true"
    is_the_control_run_before(run, control, 5)  # TCP loses nothing: the results are the same
    assert fastest_pull_s(control.path, "p01", 2) < 0.08 <= fastest_pull_s(run, "p01", 2)
    assert again(run) > 4 * again(control.path)  # a busy kernel sends a segment again, too
    contained(summary, control)


def fastest_pull_s(run, peer, since):
    """Return how long the fastest pull of a peer took from a round on: two round trips."""
    return min(x["wall_s"] for x in records(run, peer, "pulled") if x["round"] >= since)


def again(run):
    """Return the bytes that the kernel sent again."""
    code, out = asked(
        "sql", run, "SELECT sum(retransmitted) n FROM connections", "--format", "json"
    )
    assert code == 0, out
    return json.loads(out)[0]["n"]


def test_a_reset_connection_comes_back(tmp_path, control, namespaces):
    run, summary = run_with(
        tmp_path,
        'kind = "cut"\nlinks = ["p00-p01"]\nhow = "reset"\nat = { round = 1, phase = "announce" }\n'
        "heal = { after_s = 0.5 }",
        options=(*namespaces, "--rounds", "8"),
        text=paced(FIVE_ROUNDS),
    )
    assert summary["faults"][0]["verdict"] == "true"
    left = [x["neighbor"] for x in records(run, "p00", "neighbor_left")]
    assert "p01" in left
    joined = [x["neighbor"] for x in records(run, "p00", "neighbor_joined")]
    assert joined.count("p01") >= 2
    before = [x["neighbor"] for x in records(control.path, "p00", "neighbor_joined")]
    assert before.count("p01") == 1
    contained(summary, control)


# -- links: on loopback, by rules for messages -------------------------------------------------


def test_on_loopback_nothing_crosses_a_partition(tmp_path, control):
    run, summary = run_with(
        tmp_path,
        'kind = "partition"\ngroups = [["p00", "p01", "p02"], ["p03", "p04", "p05"]]\n'
        'at = { round = 1, phase = "announce" }\nheal = { rounds = 1 }',
        options=("--network", "loopback", "--rounds", "4", "--round-timeout-s", "10"),
    )
    assert summary["faults"][0]["verdict"] == "true"
    one, other = {"p00", "p01", "p02"}, {"p03", "p04", "p05"}
    for peer in one | other:
        across = other if peer in one else one
        heard = {x["round"]: x for x in records(run, peer, "heard")}
        assert set(heard[1]["missing"]) == across
        assert [heard[t]["missing"] for t in (0, 2, 3)] == [{}, {}, {}]
        pulled = {(x["round"], x["donor"]) for x in records(run, peer, "pulled")}
        assert not {(1, donor) for donor in across} & pulled
        assert [x["missing"] for x in records(control.path, peer, "heard")] == [{}] * 5
    is_the_control_run_before(run, control, 2)
    contained(summary, control)


def test_what_loopback_cannot_do_is_refused(tmp_path):
    fault = 'kind = "cut"\nhow = "reset"\nat = { round = 1, phase = "train" }'
    net, run = topology(tmp_path, FIVE_ROUNDS), tmp_path / "run"
    options = ("--run-dir", run, "--faults", scenario(tmp_path, fault), "--network", "loopback")
    why = refused("launch", net, *options)
    assert not run.exists()
    assert "--network namespaces" in why
    assert "nothing can reset" in why
