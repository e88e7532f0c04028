"""Files for a host: all bytes, in order, and only those of its peers."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.hosts.codec import decode_order
from prisam_p2p.hosts.files_for_hosts import (
    PART_BYTES,
    code_files,
    data_parts,
    file_parts,
    state_files,
)
from prisam_p2p.hosts.messages import DATA, FileForHost


def test_a_file_is_sent_in_parts(tmp_path: Path) -> None:
    content = bytes(range(256)) * (PART_BYTES // 128) + b"end"
    (tmp_path / "file").write_bytes(content)
    got = bytearray()
    for frames in file_parts(tmp_path, "file"):
        order, data = decode_order(frames)
        assert order == FileForHost("file", len(got), len(content))
        got += data
    assert got == content


def test_an_empty_file_is_sent_and_a_missing_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert [decode_order(f) for f in file_parts(tmp_path, "empty")] == [
        (FileForHost("empty", 0, 0), b"")
    ]
    assert list(file_parts(tmp_path, "missing")) == []


def test_the_images_go_by_their_descriptor(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(b"images")
    with (tmp_path / "images").open("rb") as file:
        sent = [decode_order(frames) for frames in data_parts(file.fileno())]
    assert sent == [(FileForHost(DATA, 0, 6), b"images")]


def test_a_host_gets_the_states_of_its_peers_and_all_code(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for name in ("p1.safetensors", "p1.before.safetensors", "p10.safetensors", ".p1.7.part"):
        (tmp_path / "state" / name).touch()
    (tmp_path / "code" / "model").mkdir(parents=True)
    (tmp_path / "code" / "model" / "net.py").touch()
    assert state_files(tmp_path, ["p1"]) == [
        "state/p1.before.safetensors",
        "state/p1.safetensors",
    ]
    assert code_files(tmp_path) == ["code/model/net.py"]
