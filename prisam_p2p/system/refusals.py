"""What the system refused, in words: the path or the limit, the reason, and what to do about it.

Libraries that keep no error number (DuckDB, torch, ZeroMQ's own threads) are known by the system's
words in their messages.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from prisam_p2p.errors import PrisamError, ResourceError
from prisam_p2p.system.process_limits import is_out_of_memory

_ELSEWHERE = "or write to a folder on another disk"
_FEWER = "or run fewer peers"

_RESOURCES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("disk", f"free space there, {_ELSEWHERE}"),
    errno.EDQUOT: ("disk quota", f"free some of your quota there, {_ELSEWHERE}"),
    errno.EFBIG: ("file size", f"raise the limit of file sizes (ulimit -f), {_ELSEWHERE}"),
    errno.EIO: ("disk", f"the device fails: see the kernel's log, {_ELSEWHERE}"),
    errno.EROFS: ("disk", f"mount it writable, {_ELSEWHERE}"),
    errno.EMFILE: ("open files", f"raise the limit of open files (ulimit -n), {_FEWER}"),
    errno.ENFILE: ("open files", f"raise the system's limit (fs.file-max), {_FEWER}"),
    errno.EAGAIN: (
        "processes",
        f"raise the limit of processes (ulimit -u, or the cgroup's pids.max), {_FEWER}",
    ),
    errno.ENOMEM: ("memory", f"free memory, raise its limit (ulimit -v), {_FEWER}"),
}
"""Error number -> what is short when no path is known, and what to do."""

_FILES: dict[int, str] = {
    errno.ENOENT: "make its folder, or name another",
    errno.ENOTDIR: "name a path whose parents are folders",
    errno.EISDIR: "name a file",
    errno.EACCES: "get the right to it, or name another",
    errno.EPERM: "get the right to it, or name another",
    errno.ESTALE: "mount its file system again",
}
"""Error number -> what to do about a file. Outside a run these are mistakes more than shortages."""

_NO_TEMPORARY = "No usable temporary directory"
"""Python's words where no folder for temporary files takes a byte, whatever the reason."""

_OTHERWISE = "see what the system says of it"
_NO_THREAD = "can't start new thread"
"""Python's words for EAGAIN."""


def refusal_of(error: BaseException) -> ResourceError | None:
    """Return `error` as the shortage that caused it; None where no shortage did.

    Shortages are of disk, memory, descriptors and processes; a missing file is none.
    """
    if isinstance(error, PrisamError):
        return error if isinstance(error, ResourceError) else None
    if isinstance(error, OSError):
        known = error.errno in _RESOURCES or _NO_TEMPORARY in str(error)
        return refused(error) if known else None
    if isinstance(error, MemoryError):
        return _shortage(errno.ENOMEM)
    return refusal_in(str(error))


def refused(error: OSError) -> ResourceError:
    """Return an error of the system as a refusal, whatever its number is."""
    number = error.errno or 0
    short, to_do = _RESOURCES.get(number, ("", _FILES.get(number, _OTHERWISE)))
    reason = error.strerror or str(error) or type(error).__name__
    if _NO_TEMPORARY in reason:
        return ResourceError("temporary files", reason, "set TMPDIR to a folder with free space")
    return ResourceError(_path_in(error) or short or "the system", reason, to_do)


def refusal_in(text: str, path: Path | None = None) -> ResourceError | None:
    """Return the shortage of which a library's message, or a process's last lines, tell.

    Args:
        path: what was to be written; None = the line that tells is shown.
    """
    for number in _RESOURCES:
        if (words := os.strerror(number)) in text:
            if path:
                return _shortage(number, str(path))
            line = next(line for line in text.splitlines() if words in line).strip()
            short, to_do = _RESOURCES[number]
            return ResourceError(short, line, to_do)
    if _NO_THREAD in text:
        return _shortage(errno.EAGAIN)
    return _shortage(errno.ENOMEM) if is_out_of_memory(RuntimeError(text)) else None


def _shortage(number: int, what: str = "") -> ResourceError:
    short, to_do = _RESOURCES[number]
    return ResourceError(what or short, os.strerror(number), to_do)


def _path_in(error: OSError) -> str:
    return (
        os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else ""
    )
