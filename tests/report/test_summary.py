import json

import duckdb
import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.report.groups import ari_by_round, chosen_in_group
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import read_summary, write_summary
from prisam_p2p.report.summary import summarize as summarize_with
from prisam_p2p.report.verdicts import complaint

PROFILE = {
    "name": "watch",
    "speed": 0.5,
    "memory_mib": 64,
    "storage_mib": None,
    "storage_share": 0.5,
    "macs": 2000,
    "macs_share": None,
    "up_mbit_s": 10.0,
    "down_mbit_s": None,
}
GROUPS = {"a": 0, "b": 0, "c": 1, "d": 1}
PLAN = {
    "topology": "square",
    "settings": {"algorithm": "prisam", "seed": 5, "rounds": 2, "chunk_kib": 512},
    "model": {"n_bytes": 4 * 2**20, "macs": 8000},
    "peers": {
        peer: {
            "profile": PROFILE,
            "prune_ratio": 0.3,
            "group": group,
            "n_bytes": 2**20,
            "macs": 1000,
        }
        for peer, group in GROUPS.items()
    },
}
# Each peer hears the masks of the next one; it pulls a's weights, if it is b. Counts of both ends
# agree: rows of a connection's client, as its server has them with in and out exchanged.
NEXT = {"a": "b", "b": "c", "c": "d", "d": "a"}
ROWS = [
    ["out", "hello", -1, 1, 0, 55, 2, 1],
    ["in", "hello", -1, 1, 0, 4, 2, 1],
    ["in", "mask", 0, 1, 10, 7, 4, 1],
    ["in", "mask", 1, 1, 10, 7, 4, 1],
    ["out", "request", 1, 5, 0, 150, 10, 5],
    ["in", "weights", 1, 5, 5000, 125, 20, 5],
]
OTHER_WAY = {"in": "out", "out": "in"}


def connection(peer, side):
    """The connection that `peer` opened to NEXT[peer], as one of its ends recorded it."""
    other = NEXT[peer]
    client, server = f"127.1.0.{ord(peer)}:40000", f"127.1.0.{ord(other)}:5000"
    number, neighbor = (0, other) if side == "client" else (1, peer)
    return records.Connection(number, side, client, server, neighbor, "control", 1000, "plain")


def traffic(t, final):
    """Counts of both connections of a peer up to round t."""
    rows = [[0, *row] for row in ROWS if row[2] <= t]
    rows += [[1, OTHER_WAY[way], *rest] for way, *rest in ROWS if rest[1] <= t]
    return records.Traffic(t, final, rows)


def summarize(run):
    return summarize_with(run, make_ledger(run))


def trained(t):
    return records.Trained(t, 2, 6, 96, 0.5, 0.05, 1000, 1.5, 3.5, 0.5, 0.43)


def peer_records(peer):
    """The journal of a peer that completed two rounds."""
    accuracy = {"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.8}[peer]
    before = next(each for each in NEXT if NEXT[each] == peer)
    lines = [
        records.Started(peer, 100 + ord(peer), 0, "127.1.0.1", 5, 0.3),
        connection(peer, "client"),
        connection(before, "server"),
    ]
    for t in range(2):
        lines += [
            trained(t),
            records.Masked(t, 0.3 - 0.05 * t, "f0", "f0"),
            records.Evaluated(t, "after_training", 0.1, accuracy - 0.2 + 0.1 * t),
            records.Heard(t, [p for p in GROUPS if p != peer], {}, 0.1, 10.0),
            records.Grouped(t, labels_of(t), [p for p in GROUPS if GROUPS[p] == GROUPS[peer]]),
            records.Evaluated(t, "after_aggregation", 0.1, accuracy - 0.1 + 0.1 * t),
            traffic(t, final=False),
        ]
    return [
        *lines,
        records.Deployed("after_training", 0.1, accuracy - 0.1, 0.25, 700, 900, 2800, "d" * 32),
        records.Finished("completed", 2, "", 3.0, 48.5, 9.5, 4.25),
        traffic(2, final=True),
    ]


def labels_of(t):
    """Round 0 is half right (ARI -0.5), round 1 is right, whatever the labels are called."""
    return {"a": 0, "b": 1, "c": 0, "d": 1} if t == 0 else {"a": 1, "b": 1, "c": 0, "d": 0}


def completed():
    states = dict.fromkeys(GROUPS, "completed")
    launcher = [
        records.RunStarted("ab" * 8, "prisam", 4, 1),
        records.AllReady(2.0, 0.3, 47.0),
        records.RunEnded("completed", 12.5, states),
    ]
    return {"launcher": launcher, **{peer: peer_records(peer) for peer in GROUPS}}


@pytest.fixture
def folder(tmp_path):
    """Writes a run folder of a plan and journals."""

    def write(journals, plan=PLAN):
        (tmp_path / "journal").mkdir()
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        for name, lines in journals.items():
            with Journal(tmp_path / "journal" / f"{name}.jsonl", 0.0) as journal:
                for line in lines:
                    journal.write(line)
        return RunFolder(tmp_path)

    return write


def test_what_the_whole_run_came_to(folder):
    summary = summarize(folder(completed()))
    assert summary["schema"] == 1
    assert summary["status"] == "completed"
    assert (summary["algorithm"], summary["seed"], summary["rounds"]) == ("prisam", 5, 2)
    assert summary["duration_s"] == 12.5
    assert summary["topology"] == "square"
    assert summary["start"] == {"wall_s": 2.0, "cpu_s_per_peer": 0.3, "pss_mib_per_peer": 47.0}
    assert sorted(summary["peers"]) == ["a", "b", "c", "d"]
    assert summary["left_out"] == {"masks": 0, "pulls": 0, "rounds": 0, "judged": 24}


def test_what_a_peer_came_to(folder):
    peer = summarize(folder(completed()))["peers"]["c"]
    assert peer["pid"] == 100 + ord("c")
    assert peer["state"] == "completed"
    assert peer["profile"] == "watch"
    assert peer["prune_ratio"] == 0.25  # that of the last round
    assert (peer["group"], peer["data_group"]) == (["c", "d"], 1)
    assert (peer["params"], peer["macs"]) == (700, 900)
    assert peer["accuracy"] == {
        "after_aggregation": pytest.approx(0.7),
        "after_training": pytest.approx(0.6),
        "deployed": pytest.approx(0.6),
    }
    assert peer["deployed_from"] == "after_training"
    mask = {"messages": 2, "payload": 20, "header": 14, "framing": 8}
    assert peer["bytes"]["out"]["mask"] == peer["bytes"]["in"]["mask"] == mask
    hello = {"messages": 2, "payload": 0, "header": 59, "framing": 4}  # Hello and Welcome
    assert peer["bytes"]["in"]["hello"] == hello


def test_what_was_asked_of_a_device_and_what_it_did(folder):
    budgets = summarize(folder(completed()))["peers"]["a"]["budgets"]
    assert budgets == {
        "speed": {"asked": 0.5, "achieved": 0.4286},  # 3 s of CPU in 7
        "memory_mib": {"asked": 64, "achieved": 48.5, "exceeded": False},
        "storage_share": {"asked": 0.5, "achieved": 0.25},
        "macs_share": {"asked": 0.25, "achieved": 0.125},
        "down_mbit_s": {"asked": None, "achieved": 4.25},
        "up_mbit_s": {"asked": 10.0, "achieved": 9.5},
    }


def test_a_budget_in_mib_is_a_share_of_the_dense_model(folder):
    profile = {**PROFILE, "storage_mib": 3, "storage_share": None, "macs": None}
    peers = {peer: {**plan, "profile": profile} for peer, plan in PLAN["peers"].items()}
    summary = summarize(folder(completed(), {**PLAN, "peers": peers}))
    assert summary["peers"]["a"]["budgets"]["storage_share"]["asked"] == 0.75
    assert summary["peers"]["a"]["budgets"]["macs_share"]["asked"] is None


def test_accuracy_is_the_mean_over_the_peers(folder):
    assert summarize(folder(completed()))["accuracy"] == {
        "after_aggregation": pytest.approx(0.65),
        "after_training": pytest.approx(0.55),
        "deployed": pytest.approx(0.55),
    }


def test_bytes_are_those_of_the_ledger(folder):
    """Without the kernel's figures: four connections, handshakes of 110 (id "c:a") and 107."""
    run = folder(completed())
    sent = summarize(run)["bytes"]
    wire = {kind: count.pop("wire") for kind, count in sent.items()}
    assert sent == {
        "mask": {"messages": 8, "payload": 80, "header": 56, "framing": 32, "stream": 168},
        "request": {"messages": 20, "payload": 0, "header": 600, "framing": 40, "stream": 640},
        "weights": {
            "messages": 20,
            "payload": 20_000,
            "header": 500,
            "framing": 80,
            "stream": 20_580,
        },
        "hello": {"messages": 8, "payload": 0, "header": 236, "framing": 872, "stream": 1108},
        "control": {"messages": 0, "payload": 0, "header": 0, "framing": 0, "stream": 0},
    }
    assert sum(wire.values()) == sum(row.wire for row in make_ledger(run).rows)
    assert wire["control"] == 0
    assert all(wire[kind] > sent[kind]["stream"] for kind in sent if kind != "control")


def test_bytes_are_checked(folder):
    closed = summarize(folder(completed()))["closure"]
    assert (closed["connections"], closed["unexplained_bytes"]) == (4, 0)
    assert closed["source"] == "model"
    assert complaint(closed) is None


def test_bytes_that_do_not_close_are_named(folder):
    journals = completed()
    journals["a"][-1].rows[-1][6] += 1  # a, as server, counts a header byte more
    closed = summarize(folder(journals))["closure"]
    assert closed["unexplained_bytes"] == 1
    assert "a -> d (control, 127.1.0.97:5000 -> 127.1.0.100:40000)" in complaint(closed)


def test_rounds_are_counted_where_a_peer_could_not_say(folder):
    journals = completed()
    journals["b"] = [r for r in journals["b"] if not isinstance(r, records.Finished)]
    assert summarize(folder(journals))["rounds_done"] == 2


def test_groups_are_compared_with_the_datas(folder):
    """By hand: 4 peers in 2 groups of 2. All pairs wrong: (0 - 2/3) / (2 - 2/3) = -1/2."""
    run = folder(completed())
    grouping = summarize(run)["grouping"]
    assert grouping["ari_by_round"] == pytest.approx([-0.5, 1.0])
    assert grouping["ari"] == pytest.approx(1.0)
    assert grouping["chosen_in_group"] == 1.0
    assert ari_by_round(run) == pytest.approx({0: -0.5, 1: 1.0})


def test_the_index_is_the_mean_over_peers_that_hear_different_ones(folder):
    """a finds {a, b} and {c}: right, 1. b takes all three for one group: 0."""
    journals = {
        "a": [records.Grouped(0, {"a": 0, "b": 0, "c": 1}, ["a", "b"])],
        "b": [records.Grouped(0, {"a": 0, "b": 0, "c": 0}, ["a", "b", "c"])],
    }
    run = folder(journals)
    assert ari_by_round(run) == pytest.approx({0: 0.5})
    assert chosen_in_group(run) == pytest.approx(2 / 3)  # b; a and c


def test_groups_are_compared_with_the_data_groups_of_their_round(folder):
    """a and b are of one group, c of the other; from round 1 on a is of c's."""
    change = {"round": 1, "group": 1, "classes": [], "fault": "f#0"}
    peers = {**PLAN["peers"], "a": {**PLAN["peers"]["a"], "data_changes": [change]}}
    grouped = [records.Grouped(t, {"a": 0, "b": 0, "c": 1}, ["a", "b"]) for t in range(2)]
    run = folder({"a": grouped}, {**PLAN, "peers": peers})
    assert ari_by_round(run) == pytest.approx({0: 1.0, 1: -0.5})
    assert chosen_in_group(run) == 0.5


def test_chosen_peers_are_judged_without_a_clustering(folder):
    """top-m has no labels, so no index."""
    run = folder({"a": [records.Grouped(t, {}, ["a", "b", "d"]) for t in range(2)]})
    assert ari_by_round(run) == {}
    assert chosen_in_group(run) == 0.5


def test_a_split_without_groups_has_no_index(folder):
    peers = {peer: {**plan, "group": None} for peer, plan in PLAN["peers"].items()}
    grouping = summarize(folder(completed(), {**PLAN, "peers": peers}))["grouping"]
    assert grouping == {"ari": None, "ari_by_round": [], "chosen_in_group": None}


def test_a_killed_run_can_be_read(folder):
    """No run_ended, one peer in the middle of round 0, one without a journal."""
    journals = completed()
    del journals["launcher"][-1], journals["d"]
    journals["c"] = journals["c"][:5]
    run = folder(journals)
    with (run.path / "journal" / "a.jsonl").open("ab") as file:
        file.write(b'{"t_s":1.0,"record":"fini')
    summary = summarize(run)
    assert summary["status"] == "killed"
    assert summary["duration_s"] is None
    peers = summary["peers"]
    assert {peer["state"] for peer in peers.values()} == {"unknown"}
    assert (peers["c"]["params"], peers["c"]["group"]) == (None, ["c"])
    assert peers["c"]["accuracy"] == dict.fromkeys(peers["c"]["accuracy"])
    assert peers["c"]["budgets"]["speed"]["achieved"] == 0.4286
    assert (peers["d"]["pid"], peers["d"]["prune_ratio"]) == (None, 0.3)
    assert peers["d"]["budgets"]["speed"]["achieved"] is None
    assert peers["d"]["budgets"]["memory_mib"]["achieved"] is None
    assert peers["d"]["bytes"]["out"]["weights"]["payload"] == 0
    assert summary["accuracy"]["deployed"] == pytest.approx(0.45)  # of those that got there
    json.dumps(summary)


def test_a_run_that_was_killed_before_it_began(folder):
    summary = summarize(folder({}))
    assert (summary["status"], summary["start"]) == ("killed", {})
    assert summary["accuracy"] == dict.fromkeys(summary["accuracy"])
    assert set(summary["bytes"]["mask"].values()) == {0}
    assert (summary["closure"]["connections"], summary["closure"]["failures"]) == (0, [])


def test_an_exceeded_memory_shows(folder):
    journals = completed()
    journals["b"] += [records.MemoryExceeded(1, 64, 63.9, "can't allocate memory")]
    states = {"b": "out-of-memory"}
    journals["launcher"][-1] = records.RunEnded("completed", 1.0, states)
    peers = summarize(folder(journals))["peers"]
    assert peers["b"]["budgets"]["memory_mib"]["exceeded"]
    assert not peers["a"]["budgets"]["memory_mib"]["exceeded"]
    assert (peers["a"]["state"], peers["b"]["state"]) == ("unknown", "out-of-memory")


def test_the_summary_is_written_whole(folder):
    run = folder(completed())
    summary = write_summary(run)
    assert json.loads((run.path / "summary.json").read_text()) == summary
    assert write_summary(run) == summary  # over the old one
    assert read_summary(run) == summary
    assert sorted(path.name for path in run.path.iterdir()) == [
        "connections.parquet",
        "journal",
        "ledger.parquet",
        "plan.json",
        "summary.json",
    ]


def test_the_ledger_is_written_beside_it(folder):
    run = folder(completed())
    summary = write_summary(run)
    for name, query in (
        ("ledger", "sum(wire) FILTER (kind = 'mask')"),
        ("connections", "count(DISTINCT client || server)"),
    ):
        path = run.path / f"{name}.parquet"
        ((found,),) = duckdb.sql(f"SELECT {query} FROM read_parquet('{path}')").fetchall()
        right = {"ledger": summary["bytes"]["mask"]["wire"], "connections": 4}
        assert found == right[name]


@pytest.mark.parametrize("text", [None, "", "{", "no json"])
def test_what_is_no_run_folder_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ConfigError, match="no readable plan"):
        summarize(RunFolder(tmp_path))
