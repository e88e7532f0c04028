"""`prisam sql`, and the questions of docs/sql.md: each is run, and its answer known by hand."""

import json
import re
import typing
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hand_runs import PEERS, announced, orderly, plan

from prisam_p2p.cli import main
from prisam_p2p.measure import records
from prisam_p2p.report.connection_rows import ConnectionRow
from prisam_p2p.report.ledger import LedgerRow, make_ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.run_tables import PeerRow, columns_of, record_name, run_tables

SQL_MD = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
QUESTIONS = re.findall(r"^```sql\n(.*?)^```", SQL_MD, re.DOTALL | re.MULTILINE)


def told():
    """Records for the questions: p01 and p02 are of one group in the data, p03 of another."""
    run = announced(orderly())
    for i, peer in enumerate(PEERS):
        lines = run.records.setdefault(peer, [])
        for t in range(2):
            at = {"t_s": 4.0 + t, "round": t}
            accuracy = 0.5 + 0.1 * i + 0.2 * t
            lines += [
                {**at, "record": "trained", "wall_s": 1.5, "loss": None, "steps": 3},
                {**at, "record": "heard", "peers": [], "missing": {"p09": "?"}, "waited_s": i},
                {**at, "record": "evaluated", "moment": "after_training", "test": 0.0},
                {**at, "record": "evaluated", "moment": "after_aggregation", "test": accuracy},
            ]
    for t, group in enumerate((["p01", "p03"], ["p01", "p02"])):
        labels = dict.fromkeys(PEERS, t)
        line = {"t_s": 4.5, "record": "grouped", "round": t, "labels": labels, "group": group}
        run.records["p01"].append(line)
    return run


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    told().write(folder)
    return folder


def asked(run, query, *options):
    result = CliRunner().invoke(main, ["sql", str(run), query, *map(str, options)])
    return result.exit_code, result.output


def rows(run, query):
    code, text = asked(run, query, "--format", "json")
    assert code == 0, text
    return [tuple(row.values()) for row in json.loads(text)]


# --- the questions of the docs ---


def test_there_are_five_questions():
    assert len(QUESTIONS) == 5


def test_what_a_round_costs(run):
    found = rows(run, QUESTIONS[0])
    assert [(t, kind, n) for t, kind, n, _ in found] == [
        (-1, "hello", 4),
        (-1, "control", 0),
        (0, "weights", 2),
        (0, "request", 3),
        (0, "hello", 2),
        (0, "mask", 2),
        (1, "mask", 1),
    ]

    ledger = make_ledger(RunFolder(run))
    assert sum(wire for *_, wire in found) == sum(row.wire for row in ledger.rows)


def test_accuracy_by_bytes(run):
    wire = dict(rows(run, "SELECT round, sum(wire) FROM ledger GROUP BY round"))
    assert rows(run, QUESTIONS[1]) == [
        (0, pytest.approx(0.6), wire[-1] + wire[0]),
        (1, pytest.approx(0.8), wire[-1] + wire[0] + wire[1]),
    ]


def test_who_waits(run):
    assert rows(run, QUESTIONS[2]) == [
        ("fast", "p03", 3.0, 4.0),
        ("fast", "p02", 3.0, 2.0),
        ("fast", "p01", 3.0, 0.0),
    ]


def test_who_is_chosen(run):
    assert rows(run, QUESTIONS[3]) == [(0, 0.0, 1), (1, 1.0, 1)]


def test_what_was_cut(tmp_path):
    hand = told()
    hand.killed = ("p02",)
    hand.connections[1].back.extra = -100_000
    hand.connections[1].back.received["weights", 0] = (1, 150_000, 26, 11, 104)
    hand.write(tmp_path)
    assert rows(tmp_path, QUESTIONS[4]) == [
        ("p01", "p02", "bulk", 200_187, 100_000, 0, 0, 0),
    ]


# --- the schema ---


def documented(table):
    """Return the names in code type in the first column of the table that follows `table`:."""
    rest = SQL_MD.split(f"\n`{table}`: ")[1].split("\n\n")[1]
    first = [line.split("|")[1] for line in rest.splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`(\w+)`", cell)]


def test_the_columns_of_the_ledger_are_documented():
    assert documented("ledger") == list(columns_of(LedgerRow))


def test_the_columns_of_connections_are_documented():
    assert documented("connections") == list(columns_of(ConnectionRow))


def test_the_columns_of_peers_are_documented():
    paragraph = SQL_MD.split("\n`peers`: ")[1].split("\n\n")[0]
    assert re.findall(r"`(\w+)`", paragraph) == list(columns_of(PeerRow))


def test_every_record_is_a_table(run):
    there = {name for (name,) in rows(run, "SHOW TABLES")}
    kernel = {"socket": "sockets"}
    expected = {kernel.get(n, n) for n in map(record_name, typing.get_args(records.Record))}
    assert there == expected | {"ledger", "connections", "peers", "data_groups"}
    assert rows(run, "SELECT count(*) FROM guard_acted") == [(0,)]


def test_types(run):
    types = {name: kind for name, kind, *_ in rows(run, "DESCRIBE heard")}
    assert types["peer"] == "VARCHAR"
    assert (types["t_s"], types["round"], types["waited_s"]) == ("DOUBLE", "BIGINT", "DOUBLE")
    assert (types["peers"], types["missing"]) == ("VARCHAR[]", "JSON")


def test_values(run):
    query = "SELECT peer, reached, n_bytes FROM announced ORDER BY peer LIMIT 1"
    assert rows(run, query) == [("p01", ["p02", "p03"], 300_000)]
    query = "SELECT missing, missing ->> 'p09' FROM heard LIMIT 1"
    assert rows(run, query) == [({"p09": "?"}, "?")]
    assert rows(run, "SELECT loss FROM trained LIMIT 1") == [(None,)]


def test_a_record_that_names_a_peer_keeps_it(run):
    line = {"t_s": 0.1, "record": "peer_started", "peer": "p02", "pid": 7, "incarnation": 0}
    (run / "journal" / "launcher.jsonl").write_text(json.dumps(line) + "\n")
    assert rows(run, "SELECT peer, pid FROM peer_started") == [("p02", 7)]


def test_the_kernels_sockets(run):
    assert rows(run, "SELECT count(*), min(t_s) FROM sockets") == [(6, 11.0)]
    assert rows(run, "SELECT available, overruns FROM watch") == [(True, 0)]


# --- forms of the answer ---


def test_a_table(run):
    code, text = asked(run, "SELECT 1234567 AS n, 'a' AS t, 0.5 AS x, NULL AS no, [1] AS l")
    assert code == 0
    assert text.splitlines()[-1].split() == ["1,234,567", "a", "0.5", "-", "[1]"]


def test_csv(run):
    code, text = asked(run, "SELECT 1 AS n, ['a', 'b'] AS l, NULL AS no", "--format", "csv")
    assert (code, text) == (0, 'n,l,no\n1,"[""a"", ""b""]",\n')


def test_json_of_types_that_json_lacks(run):
    query = "SELECT 1.25::DECIMAL(4, 2) AS d, DATE '2026-01-02' AS day"
    assert rows(run, query) == [("1.25", "2026-01-02")]


def test_parquet(run, tmp_path):
    out = tmp_path / "out.parquet"
    query = "SELECT kind, sum(payload) AS n FROM ledger GROUP BY kind ORDER BY n DESC; "
    assert asked(run, query, "--format", "parquet", "--out", out) == (0, "")
    found = duckdb.sql(f"SELECT * FROM read_parquet('{out}') LIMIT 1").fetchall()
    assert found == [("weights", 300_000)]
    assert asked(run, query, "--format", "parquet")[0] == 2


def test_a_failed_query_leaves_no_file(run, tmp_path):
    out = tmp_path / "out.parquet"
    assert asked(run, "SELECT nope", "--format", "parquet", "--out", out)[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


# --- what is refused ---


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", ""),
        ("SELEC 1", ": Parser Error: syntax error at or near"),
        ("SELECT nope FROM ledger", ': Binder Error: Referenced column "nope"'),
        ("SELECT * FROM nowhere", ": Catalog Error: Table with name nowhere does not exist"),
        ("SELECT 1; SELECT 2", ""),
        ("DROP TABLE ledger", ""),
        ("COPY ledger TO '/tmp/there.csv'", ""),
        ("ATTACH '/tmp/there.db'", ""),
        ("SET enable_external_access = true", ""),
        ("INSTALL httpfs", ""),
        ("SELECT * FROM read_csv('/etc/passwd')", ": Permission Error: "),
        ("SELECT * FROM '/etc/passwd.csv'", ": "),
        ("SELECT * FROM glob('/*')", ": Permission Error: "),
        ("SELECT * FROM query", ": Catalog Error: "),  # a variable of ours
    ],
)
def test_one_clear_line(run, query, reason):
    code, text = asked(run, query)
    assert code == 2
    assert text.startswith(f"error: SQL = {query!r}: expected one SELECT over the tables of")
    assert f"docs/sql.md{reason}" in text
    assert text.count("\n") == 1


def test_no_run_folder(tmp_path):
    code, text = asked(tmp_path, "SELECT 1")
    assert code == 2
    assert "no readable plan.json" in text


def test_tables_are_made_of_a_run_that_was_killed_at_once(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(plan()))

    run = RunFolder(tmp_path)
    assert all(
        not t.rows
        for t in run_tables(run, make_ledger(run))
        if t.name not in ("peers", "data_groups")
    )
