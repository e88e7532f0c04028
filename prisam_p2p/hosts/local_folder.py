"""The run's folder on a host: temporary, for this user alone, and removed at the end.

The images of the run are in an unlinked file beside it, as at the launcher (learn/shared_data.py).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from prisam_p2p.errors import ControlError
from prisam_p2p.hosts.messages import DATA, FileForHost
from prisam_p2p.measure.files import naming

_PREFIX = "prisam-host-"
FOLDERS = ("journal", "logs", "models", "state", "code")


class LocalFolder:
    """Makes the folder, and removes those of agents of this user that were killed.

    Attributes:
        path: of the folder.

    Raises:
        OSError: the system refuses it.
    """

    def __init__(self) -> None:
        _remove_left_behind()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))  # mode 0700
        self._held = ExitStack()
        self._held.callback(shutil.rmtree, self.path, ignore_errors=True)
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
            self._held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # while this process lives
            for name in FOLDERS:
                (self.path / name).mkdir()
            self._data = self._held.enter_context(_unlinked_file())
            self._turns = self._held.enter_context(_unlinked_file())
        except BaseException:
            self._held.close()
            raise
        self._size_of_data = 0

    @property
    def data_fd(self) -> int:
        """The file of the images, at the end of what has come of them."""
        return self._data.fileno()

    @property
    def turns_fd(self) -> int:
        """A file whose locks are the turns on this host's cores."""
        return self._turns.fileno()

    def write(self, part: FileForHost, data: bytes) -> None:
        """Write a part of a file that the launcher sends.

        Raises:
            ControlError: its path leads out of the folder.
            OSError: the disk takes no more; it names the file.
        """
        if part.path == DATA:
            with naming(Path(tempfile.gettempdir())):
                self._data.seek(part.offset)
                self._data.write(data)
                self._data.flush()
            return
        path = self._inside(part.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        with naming(path):
            with beside.open("r+b" if part.offset else "wb") as file:
                file.seek(part.offset)
                file.write(data)
            if part.offset + len(data) >= part.n_bytes:
                beside.replace(path)

    def close(self) -> None:
        """Remove the folder; the kernel frees the images with the last process that has them."""
        self._held.close()

    def _inside(self, path: str) -> Path:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or len(pure.parts) < 2:
            raise ControlError(f"path {path!r}: expected one in a folder of the run")
        return self.path / pure


def _unlinked_file() -> BinaryIO:
    return tempfile.TemporaryFile(prefix=_PREFIX, buffering=0)


def _remove_left_behind() -> None:
    """Remove the folders of agents that were killed: nobody holds them.

    One that is just being made is not held yet; it is empty.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_uid != os.getuid() or not any(folder.iterdir()):
                continue
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
