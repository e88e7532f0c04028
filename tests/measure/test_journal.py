import dataclasses
import errno
import json
import time
import types
import typing
from concurrent.futures import ThreadPoolExecutor

import pytest
from small_files import files_of_at_most

from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal, read_journal

LEFT = records.NeighborLeft("b", "closed")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.jsonl"


def written(path, *lines, epoch_s=0.0):
    with Journal(path, epoch_s) as journal:
        for line in lines:
            journal.write(line)
    return list(read_journal(path))


def example(hint):
    """Return a value of a field's type."""
    if isinstance(hint, types.UnionType):
        return example(typing.get_args(hint)[0])
    if origin := typing.get_origin(hint):
        inside = [example(each) for each in typing.get_args(hint)]
        return {inside[0]: inside[1]} if origin is dict else [inside[0]]
    return {str: 'two\n"lines" é', int: 7, float: 0.25, bool: True}[hint]


@pytest.mark.parametrize("kind", typing.get_args(records.Record), ids=lambda kind: kind.__name__)
def test_every_record_can_be_written_and_read(path, kind):
    hints = typing.get_type_hints(kind)
    fields = {field.name: example(hints[field.name]) for field in dataclasses.fields(kind)}
    [line] = written(path, kind(**fields))
    assert line.pop("t_s") >= 0
    name = line.pop("record")
    assert name.replace("_", "") == kind.__name__.lower()
    assert line == fields


def test_every_record_class_is_listed():
    classes = {c for c in vars(records).values() if dataclasses.is_dataclass(c)}
    assert classes == set(typing.get_args(records.Record))


def test_names_are_snake_case(path):
    [one, other] = written(path, LEFT, records.PullFailed(0, "b", "late"))
    assert (one["record"], other["record"]) == ("neighbor_left", "pull_failed")


def test_a_line_is_one_line_of_compact_json(path):
    written(path, records.NeighborLeft("b", "first\nsecond"))
    text = path.read_bytes()
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert b'"record":"neighbor_left","neighbor":"b"' in text


def test_times_count_from_the_epoch_and_never_fall(path):
    epoch_s = time.monotonic() - 100
    times = [line["t_s"] for line in written(path, *[LEFT] * 50, epoch_s=epoch_s)]
    assert times == sorted(times)
    assert 100 <= times[0] <= times[-1] <= time.monotonic() - epoch_s + 1e-6


def test_a_line_is_in_the_file_before_the_next_step(path):
    with Journal(path, 0.0) as journal:
        for n in range(1, 4):
            journal.write(LEFT)
            assert len(list(read_journal(path))) == n


def test_a_later_incarnation_appends(path):
    written(path, records.Started("a", 1, 0, "127.1.0.1", 5, 0.3))
    lines = written(path, records.Started("a", 2, 1, "127.1.0.1", 6, 0.3))
    assert [line["incarnation"] for line in lines] == [0, 1]


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_last_line_that_was_cut_off_is_left_out(path, kept):
    written(path, LEFT)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])  # -1: all but the newline
    assert [line["record"] for line in read_journal(path)] == ["neighbor_left"]


def test_an_empty_journal_has_no_lines(path):
    path.touch()
    assert list(read_journal(path)) == []


def test_what_follows_a_cut_off_line_is_not_lost(path):
    """A killed incarnation's half line; its successor writes on."""
    written(path, LEFT)
    with path.open("ab") as file:
        file.write(path.read_bytes()[:20])
    lines = written(path, records.NeighborJoined("b", 1))
    assert [line["record"] for line in lines] == ["neighbor_left", "neighbor_joined"]


def test_a_journal_is_json_to_anyone(path):
    written(path, records.Heard(2, ["b"], {"c": "late"}, 1.5, 120.0))
    line = json.loads(path.read_text())
    fields = ["round", "peers", "missing", "waited_s", "deadline_s"]
    assert list(line) == ["t_s", "record", *fields]


def test_the_file_is_closed_whatever_happens(path):
    def fail():
        with Journal(path, 0.0) as journal:
            opened.append(journal)
            raise ZeroDivisionError

    opened = []
    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(ValueError, match="closed"):
        opened[0].write(LEFT)


# -- a disk that takes no more ---------------------------------------------------------------


@pytest.mark.parametrize("part", [0, 1, 20])
def test_a_record_that_does_not_fit_is_not_written_at_all(path, part):
    written(path, LEFT)
    before = path.read_bytes()
    with Journal(path, 0.0) as journal:
        told = rf"\[Errno {errno.EFBIG}\] .*: '{path}'"
        with files_of_at_most(len(before) + part), pytest.raises(OSError, match=told):
            journal.write(LEFT)
        assert path.read_bytes() == before
        journal.write(records.NeighborJoined("b", 1))  # there is room again
    assert [x["record"] for x in read_journal(path)] == ["neighbor_left", "neighbor_joined"]


def test_who_asked_is_told_once_and_nothing_is_written_after_the_failure(path):
    told = []
    with Journal(path, 0.0, told.append) as journal:
        journal.write(LEFT)
        with files_of_at_most(path.stat().st_size + 5):
            journal.write(LEFT)
            journal.write(LEFT)
        journal.write(LEFT)  # a gap in a journal would be read as a fact
    assert [error.errno for error in told] == [errno.EFBIG]
    assert len(list(read_journal(path))) == 1


def test_a_journal_that_was_removed_takes_no_record(path):
    with Journal(path, 0.0) as journal:
        path.unlink()
        with pytest.raises(FileNotFoundError, match=r"a\.jsonl"):
            journal.write(LEFT)


@pytest.mark.parametrize("act", ["unlink", "rename", "replace"])
def test_it_tells_whether_it_is_still_at_its_path(path, act):
    with Journal(path, 0.0) as journal:
        assert journal.is_in_place()
        if act == "unlink":
            path.unlink()
        else:
            path.rename(path.with_name("b.jsonl"))
        if act == "replace":
            path.touch()
        assert not journal.is_in_place()


def test_threads_that_write_at_once_share_no_line(path):
    with Journal(path, 0.0) as journal, ThreadPoolExecutor(4) as pool:
        for n in range(400):
            pool.submit(journal.write, records.NeighborJoined("b", n))
    assert {x["incarnation"] for x in read_journal(path)} == {*range(400)}
