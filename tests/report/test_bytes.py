"""`prisam bytes`, as a user calls it."""

import csv
import io
import json

import duckdb
import pytest
from click.testing import CliRunner
from hand_runs import HandRun, announced, orderly

from prisam_p2p.cli import main


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    announced(orderly()).write(folder)
    return folder


def called(*arguments):
    result = CliRunner().invoke(main, ["bytes", *map(str, arguments)])
    return result.exit_code, result.output


def test_all_that_there_is_to_say(run):
    code, text = called(run)
    assert code == 0
    for part in ("By kind", "By layer", "Top 10 links", "By round"):
        assert part in text
    assert "closure: 3 connections, 0 B unexplained (kernel)" in text
    assert "pushing every snapshot to every neighbor: 800,000 B payload" in text
    assert "a dense model is 13,636 mask payloads (600,000 / 44.0 B)" in text
    assert "counted at an MTU of 65536 (plain loopback)" in text


def test_announcements_without_a_mask_are_no_masks(tmp_path):
    run = orderly()
    for connection in run.connections:
        for key, counts in list(connection.back.sent.items()):
            if key[0] == "mask":  # 6 bytes of header, one frame
                connection.back.both(*key, (counts[0], 0, 6, 2, 1))
    run.write(tmp_path)
    code, text = called(tmp_path)
    assert code == 0, text
    assert "0 B unexplained" in text
    assert "mask payloads" not in text
    assert "- and - times the masks'" in text


def test_the_same_for_programs(run):
    code, text = called(run, "--format", "json")
    told = json.loads(text)
    assert code == 0
    assert set(told) == {
        *(f"by_{name}" for name in ("kind", "link", "round", "layer", "peer", "host")),
        "closure",
        "comparisons",
    }
    assert told["by_kind"][0]["kind"] == "mask"
    assert told["by_kind"][0]["payload"] == 132


@pytest.mark.parametrize("by", ["kind", "link", "round", "layer", "peer"])
def test_one_breakdown_alone(run, by):
    code, text = called(run, "--by", by, "--format", "json")
    assert code == 0
    rows = json.loads(text)
    assert all("wire_share" in row for row in rows)
    code, text = called(run, "--by", by, "--format", "csv")
    assert next(iter(csv.DictReader(io.StringIO(text)))).keys() == rows[0].keys()
    assert called(run, "--by", by)[0] == 0


def test_top_links_and_peers(run):
    assert len(json.loads(called(run, "--by", "link", "--format", "json")[1])) == 4
    assert len(json.loads(called(run, "--by", "link", "--top", 1, "--format", "json")[1])) == 1
    assert len(json.loads(called(run, "--by", "kind", "--top", 1, "--format", "json")[1])) == 5


def test_into_a_file(run, tmp_path):
    out = tmp_path / "out.csv"
    assert called(run, "--format", "csv", "--out", out) == (0, "")
    assert out.read_text().startswith("kind,messages,payload,")


def test_into_parquet(run, tmp_path):
    out = tmp_path / "it's.parquet"
    assert called(run, "--by", "link", "--format", "parquet", "--out", out) == (0, "")
    (row,) = duckdb.sql(
        "SELECT receiver FROM read_parquet('" + str(out).replace("'", "''") + "') LIMIT 1"
    ).fetchall()
    assert row == ("p02",)
    assert [path.name for path in tmp_path.iterdir() if path.name != "run"] == ["it's.parquet"]


def test_parquet_needs_a_file(run):
    code, text = called(run, "--format", "parquet")
    assert code == 2
    assert text == "error: --out = '': expected a file to write Parquet to\n"


def test_bytes_that_are_not_explained_are_named(tmp_path):
    hand = orderly()
    hand.connections[1].there.extra = 1
    hand.write(tmp_path)
    code, text = called(tmp_path)
    assert code == 0
    assert "1 B unexplained (kernel)" in text
    assert "p02 -> p01 (bulk, 127.1.0.2:40001 -> 127.1.0.1:5555)" in " ".join(text.split())


def test_what_was_lost_is_said(tmp_path):
    hand = orderly()
    hand.killed = ("p02",)
    hand.connections[1].back.extra = -100_000
    hand.connections[1].back.received["weights", 0] = (1, 150_000, 26, 11, 104)
    hand.connect("p03", "p02", "bulk", recorded_by=())
    hand.connections[2].told_by = ()
    hand.write(tmp_path)
    text = called(tmp_path)[1]
    assert "0 B unexplained (partly kernel); 100,000 B never sent" in text
    assert "1 without the kernel's figures; 1 foreign ones left out" in text


def test_of_a_run_without_a_byte(tmp_path):
    HandRun().write(tmp_path)
    code, text = called(tmp_path)
    assert code == 0
    assert "closure: 0 connections" in text


def test_no_run_folder(tmp_path):
    code, text = called(tmp_path)
    assert code == 2
    assert "no readable plan.json" in text
