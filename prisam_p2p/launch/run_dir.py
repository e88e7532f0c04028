"""A run folder: made at the beginning, and tidied when the last process has ended."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.files import remove_parts
from prisam_p2p.system.refusals import refusal_of

_FOLDERS = ("journal", "logs", "models", "state")


def create_run_dir(path: Path) -> None:
    """Make the run folder.

    Raises:
        ConfigError: it exists, or cannot be made.
        ResourceError: the machine has no room for it.
    """
    if path.exists():
        raise ConfigError("--run-dir", "", str(path), "a folder that does not exist yet")
    try:
        for name in _FOLDERS:
            (path / name).mkdir(parents=True)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)  # what was made of it
        if (shortage := refusal_of(error)) and error.errno != errno.EROFS:
            raise shortage from error
        right = f"a folder that can be made: {error.strerror}"
        raise ConfigError("--run-dir", "", str(path), right) from error


def remove_temporary_files(path: Path) -> None:
    """Remove what processes that were killed have left of files in a run folder."""
    for folder in (path, *map(path.joinpath, _FOLDERS)):
        remove_parts(folder)
