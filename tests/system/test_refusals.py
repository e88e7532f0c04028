"""What the system refused, in words."""

import errno
import os

import pytest

from prisam_p2p.errors import ConfigError, LaunchError, ResourceError
from prisam_p2p.system.refusals import refusal_in, refusal_of, refused

SHORTAGES = {
    errno.ENOSPC: ("disk", "free space"),
    errno.EDQUOT: ("disk quota", "quota"),
    errno.EFBIG: ("file size", "ulimit -f"),
    errno.EIO: ("disk", "kernel's log"),
    errno.EROFS: ("disk", "mount it writable"),
    errno.EMFILE: ("open files", "ulimit -n"),
    errno.ENFILE: ("open files", "fs.file-max"),
    errno.EAGAIN: ("processes", "ulimit -u"),
    errno.ENOMEM: ("memory", "ulimit -v"),
}


def oserror(number, *path):
    return OSError(number, os.strerror(number), *path)


@pytest.mark.parametrize("number", SHORTAGES)
def test_a_shortage_names_what_is_short_and_what_to_do(number):
    short, to_do = SHORTAGES[number]
    found = refusal_of(oserror(number))
    assert found is not None
    assert (found.what, found.reason) == (short, os.strerror(number))
    assert to_do in found.to_do
    assert str(found) == f"{found.what}: {found.reason}; {found.to_do}"


@pytest.mark.parametrize("number", SHORTAGES)
def test_a_path_is_named_instead_where_it_is_known(number):
    found = refusal_of(oserror(number, "/runs/a/journal/p01.jsonl"))
    assert found is not None
    assert found.what == "/runs/a/journal/p01.jsonl"


@pytest.mark.parametrize("number", SHORTAGES)
def test_a_shortage_is_known_by_its_words_in_the_message_of_a_library(number):
    text = f"It failed.\nIO Error: could not do it: {os.strerror(number)} (os error {number})"
    found = refusal_of(RuntimeError(text))
    assert found is not None
    assert found.what == SHORTAGES[number][0]
    assert found.reason == text.splitlines()[1]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), "memory"),
        (MemoryError("Unable to allocate 2 GiB"), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"), "memory"),
        (RuntimeError("std::bad_alloc"), "memory"),
        (ImportError("duckdb.so: failed to map segment from shared object"), "memory"),
        (RuntimeError("can't start new thread"), "processes"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/t']"), "temporary files"),
    ],
)
def test_what_has_no_number_is_known_too(error, what):
    found = refusal_of(error)
    assert found is not None
    assert found.what == what


@pytest.mark.parametrize(
    "error",
    [
        oserror(errno.ENOENT, "x"),
        oserror(errno.EACCES, "x"),
        oserror(errno.ECONNRESET),
        ValueError("a bug of ours"),
        ConfigError("net.toml", "rounds", -1, "more than 0"),
        LaunchError("peer p01", "ended", ["No space left on device"]),
    ],
)
def test_what_is_no_shortage_is_none(error):
    assert refusal_of(error) is None


def test_a_refusal_stays_what_it_is():
    error = ResourceError("disk", "full", "free some")
    assert refusal_of(error) is error


@pytest.mark.parametrize(
    ("number", "to_do"),
    [
        (errno.ENOENT, "make its folder"),
        (errno.EACCES, "get the right"),
        (errno.ELOOP, "see what the system says"),
    ],
)
def test_any_error_of_the_system_can_be_told(number, to_do):
    told = refused(oserror(number, "out/x.csv"))
    assert str(told).startswith(f"out/x.csv: {os.strerror(number)}; ")
    assert to_do in told.to_do


def test_an_error_without_number_keeps_its_words():
    assert refused(OSError("nothing left")).reason == "nothing left"


def test_the_text_of_a_healthy_process_tells_of_nothing():
    assert refusal_in("round 3 of 4\nall is well") is None
