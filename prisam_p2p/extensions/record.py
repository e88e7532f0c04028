"""What a run records of the code that it used. Reading a record imports nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

FOLDER = "code"
"""Folder of a run that holds copies of the files."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal; "" if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


class CodeRecord(BaseModel):
    """A piece of users' code, as plan.json records it.

    Attributes:
        reference: as the user named it; of an entry point, where it leads: module:attribute.
        origin: how it was named. An entry point is trusted as its installed package is.
        distribution, version: of the installed package that the file belongs to; "" if none.
        file: absolute path of the source file.
        sha256: of the file, hexadecimal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str
    origin: Literal["entry point", "module", "file"]
    distribution: str
    version: str
    file: Path
    sha256: str

    def copy_in(self, run_dir: Path, key: str) -> Path:
        """Return where a run keeps its copy of the file, used for the setting `key`."""
        return run_dir / FOLDER / key / self.file.name

    def is_unchanged(self) -> bool:
        """Tell whether the file is there, and is what it was."""
        return sha256_of(self.file) == self.sha256

    def __str__(self) -> str:
        package = f" of {self.distribution} {self.version}" if self.distribution else ""
        return f"{self.reference}{package}, sha256 {self.sha256[:12]}"
