"""`prisam init`: copy the starter project, whose files explain themselves."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.files import write_whole
from prisam_p2p.shipped import STARTER


def write_project(folder: Path) -> list[Path]:
    """Write the starter project into `folder`, which is made; return the files.

    Raises:
        ConfigError: a file of its is already there, or `folder` is none; nothing was written.
    """
    sources = sorted(p for p in STARTER.rglob("*") if p.is_file() and p.suffix != ".pyc")
    targets = [folder / path.relative_to(STARTER) for path in sources]
    if folder.exists() and not folder.is_dir():
        raise ConfigError("DIR", "", str(folder), "a folder, or a path where one can be made")
    for path in targets:
        if path.exists():
            right = f"a folder without a {path.relative_to(folder)}, which would be overwritten"
            raise ConfigError("DIR", "", str(folder), right)
    for source, target in zip(sources, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, source.read_text(encoding="utf-8"))
    return targets
