"""The folder of a run on a host: who may read it, what may be written, and what is left of it."""

import os
import stat
import tempfile
from contextlib import closing

import pytest

from prisam_p2p.errors import ControlError
from prisam_p2p.hosts.local_folder import LocalFolder
from prisam_p2p.hosts.messages import DATA, FileForHost


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_for_this_user_alone_and_goes(temporary):
    with closing(LocalFolder()) as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert folder.path.parent == temporary
    assert [*temporary.iterdir()] == []


def test_a_file_comes_in_parts_and_is_there_with_the_last():
    with closing(LocalFolder()) as folder:
        path = folder.path / "code" / "model" / "net.py"
        folder.write(FileForHost("code/model/net.py", 0, 5), b"abc")
        assert not path.exists()
        folder.write(FileForHost("code/model/net.py", 3, 5), b"de")
        assert path.read_bytes() == b"abcde"
        assert [*path.parent.iterdir()] == [path]


def test_an_empty_file_comes_too():
    with closing(LocalFolder()) as folder:
        folder.write(FileForHost("code/model/net.py", 0, 0), b"")
        assert (folder.path / "code/model/net.py").read_bytes() == b""


def test_the_images_are_in_a_file_that_has_no_name(temporary):
    with closing(LocalFolder()) as folder:
        folder.write(FileForHost(DATA, 0, 6), b"abc")
        folder.write(FileForHost(DATA, 3, 6), b"def")
        assert os.pread(folder.data_fd, 10, 0) == b"abcdef"
        assert [*temporary.iterdir()] == [folder.path]


@pytest.mark.parametrize(
    "path", ["../x/y", "/etc/passwd", "state/../../x", "alone", "", ".", "state/.."]
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    with closing(LocalFolder()) as folder, pytest.raises(ControlError, match="in a folder of the"):
        folder.write(FileForHost(path, 0, 1), b"x")


def test_the_next_agent_removes_what_one_that_was_killed_has_left(temporary):
    left = temporary / "prisam-host-left"
    (left / "state").mkdir(parents=True)
    being_made = temporary / "prisam-host-new"
    being_made.mkdir()
    with closing(LocalFolder()) as mine, closing(LocalFolder()) as other:
        assert {*temporary.iterdir()} == {mine.path, other.path, being_made}


def test_a_disk_that_takes_no_more_is_named():
    """/dev/full refuses every write."""
    with closing(LocalFolder()) as folder:
        (folder.path / "state" / ".p01.safetensors.part").symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left") as refused:
            folder.write(FileForHost("state/p01.safetensors", 0, 3), b"abc")
        assert refused.value.filename == str(folder.path / "state" / "p01.safetensors")
