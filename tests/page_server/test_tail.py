"""Journals that grow, come late, are cut, are replaced, and vanish."""

import json
import shutil

import pytest

from prisam_p2p.measure.journal import Journal
from prisam_p2p.measure.records import CaughtUp
from prisam_p2p.page_server import tail
from prisam_p2p.page_server.tail import JournalTail, Replaced, RunTail, signature


def add(path, *texts):
    with path.open("ab") as file:
        file.write(b"".join(texts))


def line(number):
    return json.dumps({"record": "x", "n": number}).encode() + b"\n"


def numbers(lines):
    return [json.loads(each)["n"] for each in lines]


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "journal").mkdir()
    return tmp_path


def test_each_line_comes_once_and_only_when_it_is_whole(tmp_path):
    path = tmp_path / "p.jsonl"
    follow = JournalTail(path)
    assert list(follow.new_lines()) == []
    whole, half = line(2)[:5], line(2)[5:]
    add(path, line(0), line(1), whole)
    assert numbers(follow.new_lines()) == [0, 1]
    assert list(follow.new_lines()) == []
    add(path, half, line(3))
    assert numbers(follow.new_lines()) == [2, 3]


def test_a_line_longer_than_what_is_read_at_a_time_comes_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "_PART_BYTES", 16)
    path = tmp_path / "p.jsonl"
    long = json.dumps({"n": 1, "text": "y" * 3000}).encode() + b"\n"
    add(path, line(0), long, line(2))
    assert numbers(JournalTail(path).new_lines()) == [0, 1, 2]


def test_a_line_that_no_journal_has_is_read_no_further(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "_LONGEST_LINE_BYTES", 1 << 21)
    path = tmp_path / "p.jsonl"
    add(path, line(0), b"y" * (1 << 22), b"\n", line(1))
    assert numbers(JournalTail(path).new_lines()) == [0]


def test_a_resumed_journal_goes_on_where_its_cut_off_line_began(tmp_path):
    path = tmp_path / "p.jsonl"
    follow = JournalTail(path)
    add(path, line(0), b'{"record": "cut')
    assert numbers(follow.new_lines()) == [0]
    with Journal(path, 0.0) as later:  # removes the rest of the line
        later.write(CaughtUp(1, 2))
    assert [json.loads(each)["record"] for each in follow.new_lines()] == ["caught_up"]


def test_a_journal_that_is_another_file_now_is_told(tmp_path):
    path, other = tmp_path / "p.jsonl", tmp_path / "other"
    follow = JournalTail(path)
    add(path, line(0))
    assert numbers(follow.new_lines()) == [0]
    add(other, line(5), line(6), line(7))
    other.replace(path)
    with pytest.raises(Replaced, match=r"p\.jsonl"):
        list(follow.new_lines())


def test_a_journal_that_became_shorter_is_told(tmp_path):
    path = tmp_path / "p.jsonl"
    follow = JournalTail(path)
    add(path, line(0), line(1))
    assert numbers(follow.new_lines()) == [0, 1]
    path.write_bytes(line(5))
    with pytest.raises(Replaced):
        list(follow.new_lines())


def test_journals_are_read_in_their_order_as_they_appear(run_dir):
    follow = RunTail(run_dir, ["launcher", "b", "a", "../a", "c\0"])
    assert list(follow.new_lines()) == []
    add(run_dir / "journal" / "b.jsonl", line(0))
    add(run_dir / "journal" / "stranger.jsonl", line(9))
    add(run_dir / "a.jsonl", line(9))
    assert [(name, json.loads(each)["n"]) for name, each in follow.new_lines()] == [("b", 0)]
    add(run_dir / "journal" / "a.jsonl", line(1))
    add(run_dir / "journal" / "b.jsonl", line(2))
    add(run_dir / "journal" / "launcher.jsonl", line(3))
    found = [(name, json.loads(each)["n"]) for name, each in follow.new_lines()]
    assert found == [("launcher", 3), ("b", 2), ("a", 1)]


def test_a_folder_that_is_not_there_or_vanishes_has_no_lines(tmp_path):
    follow = RunTail(tmp_path / "run", ["a"])
    assert list(follow.new_lines()) == []
    (tmp_path / "run" / "journal").mkdir(parents=True)
    add(tmp_path / "run" / "journal" / "a.jsonl", line(0))
    assert len(list(follow.new_lines())) == 1
    shutil.rmtree(tmp_path / "run")
    assert list(follow.new_lines()) == []


def test_a_signature_tells_a_file_that_was_written_anew(tmp_path):
    path = tmp_path / "summary.json"
    assert signature(path) is None
    path.write_text("{}")
    before = signature(path)
    assert signature(path) == before
    (tmp_path / "new").write_text("{}")
    (tmp_path / "new").replace(path)
    assert signature(path) != before
