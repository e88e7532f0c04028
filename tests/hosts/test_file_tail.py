"""What is new in a run's files on a host, part by part."""

import os
from pathlib import Path

import pytest

from prisam_p2p.hosts.local_folder import FOLDERS
from prisam_p2p.hosts.messages import FileAppended, FileFromHost
from prisam_p2p.hosts.tail import PART_BYTES, FileTail
from prisam_p2p.measure.files import written_beside


@pytest.fixture
def folder(tmp_path):
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    return tmp_path


def whole(path, data):
    with written_beside(path) as beside:
        beside.write_bytes(data)


def test_of_a_journal_whole_lines_are_sent_each_once(folder):
    tail, path = FileTail(folder), folder / "journal" / "p01.jsonl"
    path.write_bytes(b"{1}\n{2}\n{3")
    assert [*tail.parts()] == [(FileAppended("journal/p01.jsonl", 0), b"{1}\n{2}\n")]
    assert [*tail.parts()] == []
    with path.open("ab") as file:
        file.write(b"}\n")
    assert [*tail.parts()] == [(FileAppended("journal/p01.jsonl", 8), b"{3}\n")]


def test_a_last_line_that_was_cut_off_may_be_removed(folder):
    """The next process of the peer does."""
    tail, path = FileTail(folder), folder / "journal" / "p01.jsonl"
    path.write_bytes(b"{1}\n{2")
    assert [data for _, data in tail.parts()] == [b"{1}\n"]
    path.write_bytes(b"{1}\n{3}\n")
    assert [*tail.parts()] == [(FileAppended("journal/p01.jsonl", 4), b"{3}\n")]


def test_a_line_longer_than_a_part_comes_whole(folder):
    line = b"x" * (2 * PART_BYTES) + b"\n"
    (folder / "journal" / "p01.jsonl").write_bytes(line + b"{}\n")
    parts = [data for _, data in FileTail(folder).parts()]
    assert b"".join(parts) == line + b"{}\n"
    assert all(part.endswith(b"\n") for part in parts)


def test_a_log_is_sent_as_it_is_printed(folder):
    (folder / "logs" / "p01.log").write_bytes(b"no line")
    assert [*FileTail(folder).parts()] == [(FileAppended("logs/p01.log", 0), b"no line")]


def test_a_file_that_was_written_whole_is_sent_when_it_is_another_one(folder):
    tail, path = FileTail(folder), folder / "state" / "p01.safetensors"
    data = os.urandom(PART_BYTES + 5)
    whole(path, data)
    name, n_bytes = "state/p01.safetensors", len(data)
    assert [*tail.parts()] == [
        (FileFromHost(name, 0, n_bytes), data[:PART_BYTES]),
        (FileFromHost(name, PART_BYTES, n_bytes), data[PART_BYTES:]),
    ]
    assert [*tail.parts()] == []
    whole(path, b"later")
    assert [*tail.parts()] == [(FileFromHost(name, 0, 5), b"later")]


def test_states_are_looked_at_without_other_journals_than_their_peers(folder):
    tail = FileTail(folder)
    for peer in ("p01", "p02"):
        (folder / "journal" / f"{peer}.jsonl").write_bytes(b"{1}\n")
    whole(folder / "state" / "p02.safetensors", b"state")
    found = [(part.path, data) for part, data in tail.parts(growing=False)]
    assert found == [("journal/p02.jsonl", b"{1}\n"), ("state/p02.safetensors", b"state")]
    assert [part.path for part, _ in tail.parts()] == ["journal/p01.jsonl"]


def test_a_file_that_is_replaced_while_it_is_sent_is_sent_to_its_end(folder):
    tail, path = FileTail(folder), folder / "state" / "p01.safetensors"
    data = os.urandom(2 * PART_BYTES)
    whole(path, data)
    (folder / "journal" / "p01.jsonl").write_bytes(b"{}\n")
    parts = tail.parts()
    assert next(parts)[1] == b"{}\n"
    assert next(parts)[1] == data[:PART_BYTES]
    whole(path, b"later")
    (folder / "journal" / "p02.jsonl").write_bytes(b"{}\n")
    assert [part for _, part in tail.parts()] == [b"{}\n", data[PART_BYTES:], b"later"]


def test_a_state_that_is_kept_when_a_new_one_is_written_is_not_sent_again(folder):
    tail, path = FileTail(folder), folder / "state" / "p01.safetensors"
    before = path.with_name("p01.before.safetensors")
    whole(path, b"1")
    assert [data for _, data in tail.parts()] == [b"1"]
    path.replace(before)
    whole(path, b"22")
    assert [*tail.parts()] == [
        (FileFromHost("state/p01.safetensors", 0, 2), b"22"),
    ]
    assert [*tail.parts()] == []


def test_every_state_is_sent_however_late_and_an_earlier_one_then_removed(folder):
    tail, path = FileTail(folder), folder / "state" / "p01.safetensors"
    earlier = path.with_name("p01.before-1.safetensors")
    for each in (earlier, path.with_name("p01.before.safetensors"), path):
        whole(each, each.name.encode())
    sent = [part.path for part, _ in tail.parts()]
    assert sent == [
        "state/p01.before-1.safetensors",
        "state/p01.before.safetensors",
        "state/p01.safetensors",
    ]
    assert earlier.exists()  # until it is known to have been sent to its end
    assert [*tail.parts()] == []
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "p01.before.safetensors",
        "p01.safetensors",
    ]


def test_no_state_is_sent_twice_whatever_it_is_called_and_when_it_is_seen(folder):
    """The new state was sent before the old one was seen under its other name."""
    tail, path = FileTail(folder), folder / "state" / "p01.safetensors"
    whole(path, b"1")
    [*tail.parts()]
    kept = folder / "kept"
    path.replace(kept)
    whole(path, b"22")
    [*tail.parts()]
    kept.replace(path.with_name("p01.before.safetensors"))
    assert [*tail.parts()] == []
    path.with_name("p01.before.safetensors").replace(path.with_name("p01.before-1.safetensors"))
    assert [*tail.parts()] == []
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_no_state_is_sent_before_an_older_one(folder):
    """Whatever its peer writes while another peer's file is sent."""
    tail = FileTail(folder)
    whole(folder / "state" / "p01.safetensors", b"a1")
    mine = folder / "state" / "p02.safetensors"
    whole(mine, b"b1")
    parts = tail.parts()
    assert next(parts)[1] == b"a1"
    mine.rename(mine.with_name("p02.before.safetensors"))
    whole(mine, b"b2")
    assert [*parts] == []
    mine.with_name("p02.before.safetensors").rename(mine.with_name("p02.before-9.safetensors"))
    mine.rename(mine.with_name("p02.before-10.safetensors"))
    whole(mine, b"b3")
    assert [data for _, data in tail.parts()] == [b"b1", b"b2", b"b3"]


def test_no_state_is_sent_before_an_older_one_that_is_getting_another_name(folder):
    """Its peer stands still between two renames."""
    tail = FileTail(folder)
    whole(folder / "state" / "p01.safetensors", b"a1")
    mine = folder / "state" / "p02.safetensors"
    before = mine.with_name("p02.before.safetensors")
    whole(before, b"b1")
    whole(mine, b"b2")
    parts = tail.parts()
    assert next(parts)[1] == b"a1"
    before.rename(mine.with_name("p02.before-1.safetensors"))
    assert [*parts] == []
    assert [data for _, data in tail.parts()] == [b"b1", b"b2"]


def test_no_state_is_sent_before_one_that_was_called_so_when_files_were_listed(folder, monkeypatch):
    tail, mine = FileTail(folder), folder / "state" / "p02.safetensors"
    whole(mine, b"b1")
    stat, asked = Path.stat, []

    def stat_later(path, **options):
        """Meanwhile the peer writes its next state, once."""
        if path == mine and not asked:
            asked.append(path)
            mine.rename(mine.with_name("p02.before.safetensors"))
            whole(mine, b"b2")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", stat_later)
    assert [*tail.parts()] == []
    assert asked
    assert [data for _, data in tail.parts()] == [b"b1", b"b2"]


def test_what_the_launcher_has_sent_is_not_sent_back(folder):
    tail, path = FileTail(folder), folder / "state" / "p01.safetensors"
    whole(path, b"of the run before")
    tail.skip()
    assert [*tail.parts()] == []
    whole(path, b"new")
    assert [data for _, data in tail.parts()] == [b"new"]


def test_what_is_being_written_is_left_alone(folder):
    (folder / "models" / ".p01.safetensors.77.part").write_bytes(b"half")
    assert [*FileTail(folder).parts()] == []


def test_an_empty_file_is_one_part(folder):
    whole(folder / "models" / "p01.safetensors", b"")
    parts = [*FileTail(folder).parts()]
    assert parts == [(FileFromHost("models/p01.safetensors", 0, 0), b"")]
