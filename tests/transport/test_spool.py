import os
import tempfile

import psutil
import pytest

from prisam_p2p.transport.spool import Spool


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The only place where a file can be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def spool():
    spool = Spool(100)
    yield spool
    spool.close()


def n_open():
    return psutil.Process().num_fds()


def test_what_was_put_is_got_under_its_digest_only(spool):
    spool.put("b", b"one", b"weights of b")
    assert spool.get("b", b"one") == b"weights of b"
    assert spool.get("b", b"two") is None
    assert spool.get("c", b"one") is None


def test_each_donor_has_its_own(spool):
    spool.put("b", b"one", b"of b")
    spool.put("c", b"one", b"of c")
    assert (spool.get("b", b"one"), spool.get("c", b"one")) == (b"of b", b"of c")


@pytest.mark.parametrize("later", [b"short", b"longer than before", b""])
def test_only_the_last_of_a_donor_is_kept(spool, later):
    spool.put("b", b"one", b"weights of b")
    spool.put("b", b"two", later)
    assert spool.get("b", b"one") is None
    assert spool.get("b", b"two") == later


def test_the_same_digest_again_is_not_written_again(spool):
    spool.put("b", b"one", b"weights of b")
    spool.put("b", b"one", b"never looked at")
    assert spool.get("b", b"one") == b"weights of b"


def test_what_is_got_is_the_takers(spool):
    spool.put("b", b"one", bytearray(b"weights of b"))
    spool.get("b", b"one")[:7] = b"nothing"
    assert spool.get("b", b"one") == b"weights of b"


def test_the_limit_is_over_all_donors(spool):
    spool.put("b", b"one", bytes(60))
    spool.put("c", b"two", bytes(41))
    assert spool.get("c", b"two") is None
    spool.put("c", b"two", bytes(40))
    assert spool.get("c", b"two") == bytes(40)
    spool.put("b", b"one more", bytes(61))
    assert spool.get("b", b"one more") is None
    assert spool.get("b", b"one") == bytes(60)  # what does not fit replaces nothing


def test_what_it_replaces_does_not_count(spool):
    spool.put("b", b"one", bytes(100))
    spool.put("b", b"two", bytes(99))
    assert spool.get("b", b"two") == bytes(99)


def test_without_room_nothing_is_kept():
    spool, before = Spool(0), n_open()
    spool.put("b", b"one", b"x")
    assert spool.get("b", b"one") is None
    assert n_open() == before


def test_a_file_that_lost_its_end_is_as_good_as_none(spool):
    spool.put("b", b"one", b"weights of b")
    spool._kept["b"][2].truncate(5)
    assert spool.get("b", b"one") is None


def test_nothing_has_a_name_and_nothing_is_left(folder):
    spool, before = Spool(100), n_open()
    for donor in "bc":
        for digest in (b"one", b"two"):
            spool.put(donor, digest, digest)
    assert os.listdir(folder) == []
    assert n_open() == before + 2  # a file a donor
    spool.close()
    assert n_open() == before
    assert spool.get("b", b"two") is None


@pytest.mark.parametrize("held", [False, True])
def test_a_full_disk_only_means_fetching_again(spool, monkeypatch, held):
    if held:
        spool.put("b", b"one", b"weights of b")
    full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    if held:
        monkeypatch.setitem(spool._kept, "b", (b"one", 12, full))
    spool.put("b", b"two", b"other weights of b")
    assert spool.get("b", b"two") is None
    assert spool.get("b", b"one") is None
    full.close()
