"""Files from hosts: where they go, what is refused, and what a failure of the disk does."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_layouts import one_layer, random_weights

from prisam_p2p.errors import ControlError
from prisam_p2p.hosts.collection import CollectedFiles
from prisam_p2p.hosts.messages import FileAppended, FileFromHost
from prisam_p2p.measure.state import Progress, kept_states, save_state

P1, STATE = "journal/p01.jsonl", "state/p01.safetensors"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    for name in ("journal", "logs", "state", "models"):
        (tmp_path / name).mkdir()
    return tmp_path


def _collected(run_dir: Path, failures: list[OSError] | None = None) -> CollectedFiles:
    files = CollectedFiles(run_dir, (failures if failures is not None else []).append)
    files.expect("h1", ["p01", "p02"])
    files.expect("h2", ["p03"])
    return files


def _state(run_dir: Path, rounds_done: int) -> bytes:
    path, layout = run_dir / ".made", one_layer()
    progress = Progress(
        rounds_done=rounds_done,
        incarnation=0,
        prune_ratio=0.0,
        affinity={},
        validations=[],
        layout=layout.digest.hex(),
    )
    save_state(path, random_weights(layout), progress)
    return path.read_bytes()


def test_a_journal_grows_by_whole_lines(run_dir: Path) -> None:
    files = _collected(run_dir)
    files.take_in("h1", FileAppended(P1, 0), b"{1}\n{2}\n")
    files.take_in("h1", FileAppended(P1, 8), b"{3}\n")
    assert (run_dir / P1).read_bytes() == b"{1}\n{2}\n{3}\n"
    assert files.n_bytes == 12


def test_a_peer_that_moved_goes_on_in_the_same_file(run_dir: Path) -> None:
    files = _collected(run_dir)
    files.take_in("h1", FileAppended(P1, 0), b"{1}\n")
    files.expect("h2", ["p01"])
    files.take_in("h2", FileAppended(P1, 0), b"{2}\n")
    files.take_in("h2", FileAppended(P1, 4), b"{3}\n")
    assert (run_dir / P1).read_bytes() == b"{1}\n{2}\n{3}\n"


def test_a_line_that_an_earlier_launcher_tore_is_cut(run_dir: Path) -> None:
    (run_dir / P1).write_bytes(b'{1}\n{"tor')
    files = _collected(run_dir)
    files.take_in("h1", FileAppended(P1, 0), b"{2}\n")
    assert (run_dir / P1).read_bytes() == b"{1}\n{2}\n"


def test_a_state_of_the_round_before_keeps_its_bytes(run_dir: Path) -> None:
    files, name, before = _collected(run_dir), STATE, "state/p01.before.safetensors"
    first, second = _state(run_dir, 1), _state(run_dir, 2)
    files.take_in("h1", FileFromHost(name, 0, len(first)), first)
    assert (run_dir / name).read_bytes() == first
    files.take_in("h1", FileFromHost(name, 0, len(second)), second)
    assert [(run_dir / each).read_bytes() for each in (name, before)] == [second, first]


def test_a_log_may_grow_by_parts_of_lines(run_dir: Path) -> None:
    files = _collected(run_dir)
    files.take_in("h1", FileAppended("logs/p02.log", 0), b"half ")
    files.take_in("h1", FileAppended("logs/p02.log", 5), b"a line\n")
    assert (run_dir / "logs" / "p02.log").read_text() == "half a line\n"


def test_a_whole_file_is_there_when_its_last_part_is(run_dir: Path) -> None:
    files, name = _collected(run_dir), "models/p03.safetensors"
    (run_dir / name).write_bytes(b"old")
    files.take_in("h2", FileFromHost(name, 0, 6), b"new")
    assert (run_dir / name).read_bytes() == b"old"
    files.take_in("h2", FileFromHost(name, 3, 6), b"er!")
    assert (run_dir / name).read_bytes() == b"newer!"
    assert [each.name for each in (run_dir / "models").iterdir()] == ["p03.safetensors"]


def test_states_are_kept_until_every_peer_has_one_of_that_round(run_dir: Path) -> None:
    files = _collected(run_dir)

    def collect(host: str, peer: str, rounds_done: int) -> set[int]:
        data, name = _state(run_dir, rounds_done), f"state/{peer}.safetensors"
        files.take_in(host, FileFromHost(name, 0, len(data)), data)
        return set(kept_states(run_dir / name))

    for rounds_done in (1, 2, 3, 4):
        kept = collect("h1", "p01", rounds_done)
    assert kept == {1, 2, 3, 4}
    for rounds_done in (3, 4):
        collect("h1", "p02", rounds_done)
    collect("h2", "p03", 3)
    assert collect("h1", "p01", 5) == {3, 4, 5}


def test_what_is_no_state_is_refused(run_dir: Path) -> None:
    with pytest.raises(ControlError, match="expected the state of a peer"):
        _collected(run_dir).take_in("h1", FileFromHost("state/p01.safetensors", 0, 3), b"old")
    assert not (run_dir / "state" / "p01.safetensors").exists()


def test_a_whole_file_that_is_begun_anew_replaces_its_parts(run_dir: Path) -> None:
    files, name = _collected(run_dir), "models/p01.safetensors"
    files.take_in("h1", FileFromHost(name, 0, 6), b"left")
    files.take_in("h1", FileFromHost(name, 0, 3), b"all")
    assert (run_dir / name).read_bytes() == b"all"


@pytest.mark.parametrize(
    "path",
    [
        "journal/p03.jsonl",  # of another host
        "journal/launcher.jsonl",
        "journal/kernel-h2.jsonl",
        "journal/../plan.json",
        "journal/p01.jsonl/../../plan.json",
        "/etc/p01.jsonl",
        "journal/.p01.jsonl",
        "journal/p01",
        "plan.json",
        "p01.jsonl",
        "state/p01.safetensors",  # is written whole
        "",
    ],
)
def test_what_is_not_a_host_s_own_is_refused(run_dir: Path, path: str) -> None:
    with pytest.raises(ControlError, match="expected a file of a peer of h1 in journal or logs"):
        _collected(run_dir).take_in("h1", FileAppended(path, 0), b"x\n")
    assert not [each for each in run_dir.rglob("*") if each.is_file()]


@pytest.mark.parametrize("path", ["journal/p01.jsonl", "plan.json", "state/../plan.json"])
def test_only_states_and_models_are_written_whole(run_dir: Path, path: str) -> None:
    with pytest.raises(ControlError, match="in state or models"):
        _collected(run_dir).take_in("h1", FileFromHost(path, 0, 1), b"x")


def test_the_kernel_s_journal_of_a_host_and_its_zygote_s_log_belong_to_it(run_dir: Path) -> None:
    files = _collected(run_dir)
    files.take_in("h2", FileAppended("journal/kernel-h2.jsonl", 0), b"{}\n")
    files.take_in("h2", FileAppended("logs/zygote-h2.log", 0), b"ready\n")
    assert (run_dir / "journal" / "kernel-h2.jsonl").exists()
    assert (run_dir / "logs" / "zygote-h2.log").exists()


@pytest.mark.parametrize("offset", [3, 5])
def test_bytes_that_are_missing_or_come_twice_are_noticed(run_dir: Path, offset: int) -> None:
    files = _collected(run_dir)
    files.take_in("h1", FileAppended(P1, 0), b"{1}\n")
    with pytest.raises(ControlError, match=f"offset {offset}: expected 4"):
        files.take_in("h1", FileAppended(P1, offset), b"{2}\n")


def test_a_part_of_a_line_is_no_part_of_a_journal(run_dir: Path) -> None:
    with pytest.raises(ControlError, match="whole lines"):
        _collected(run_dir).take_in("h1", FileAppended(P1, 0), b"{1")


def test_a_disk_that_refuses_is_told_once(run_dir: Path) -> None:
    failures: list[OSError] = []
    files = _collected(run_dir, failures)
    (run_dir / "journal").rmdir()
    files.take_in("h1", FileAppended(P1, 0), b"{1}\n")
    files.take_in("h1", FileAppended(P1, 4), b"{2}\n")
    assert [error.filename for error in failures] == [str(run_dir / P1)]
