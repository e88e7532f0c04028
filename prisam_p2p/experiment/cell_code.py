"""Checks that an interrupted run names the code of its cell, before a resume runs it as trusted.

The folder of an experiment may come from a stranger: then its plan.json, or a copy of a file in it,
can name other code than the cell that it claims to be. Nothing is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.installed import entry_point
from prisam_p2p.extensions.record import CodeRecord, sha256_of
from prisam_p2p.extensions.reference import CodeKind, parse
from prisam_p2p.plan.plan import Plan, read_plan
from prisam_p2p.plan.user_code import code_named
from prisam_p2p.settings import RunSettings

_NOTHING = "no code"


@dataclass(frozen=True)
class _Named:
    """What a plan.json must record of the code that a setting names.

    Attributes:
        file, sha256: of a file; None and "" of a module, whose file a resume compares itself.
    """

    reference: str
    origin: str
    file: Path | None = None
    sha256: str = ""

    def matches(self, record: CodeRecord) -> bool:
        """Tell whether a record is of this code."""
        if (record.reference, record.origin) != (self.reference, self.origin):
            return False
        return self.file is None or (record.file, record.sha256) == (self.file, self.sha256)

    def __str__(self) -> str:
        where = f" in {self.file}, sha256 {self.sha256[:12]}" if self.file else ""
        return f"{self.reference} ({self.origin}){where}"


def check_code(run_dir: Path, settings: RunSettings) -> None:
    """Check that the run in `run_dir` names the code that the settings of its cell name.

    A plan.json that cannot be read passes: `prisam resume` reads it likewise, and refuses it.

    Raises:
        ConfigError: it names other code, or its copy of a file is another.
    """
    path = run_dir / "plan.json"
    try:
        plan = read_plan(path)
    except ConfigError:
        return
    for key, found, wanted in _differences(plan, settings, run_dir):
        right = f"the code of this cell, {wanted}, or a folder without that run; it was not run"
        raise ConfigError(str(path), f"code.{key}", found, right)


def _differences(
    plan: Plan, settings: RunSettings, run_dir: Path
) -> Iterator[tuple[str, str, str]]:
    """Yield setting, what the plan names there, what it should name."""
    mine, theirs = code_named(settings), code_named(plan.settings)
    for key in sorted({*mine, *theirs, *plan.code}):
        record, (_, text) = plan.code.get(key), theirs.get(key, (None, _NOTHING))
        found = _told(record) if record else text
        if key not in mine:
            yield key, found, _NOTHING
            continue
        wanted = _named(*mine[key], f"--{key}")
        if record is None or mine[key] != theirs.get(key) or not wanted.matches(record):
            yield key, found, str(wanted)
        elif wanted.file and (other := _other_copy(record.copy_in(run_dir, key), wanted)):
            yield key, other, str(wanted)


def _other_copy(copy: Path, wanted: _Named) -> str:
    """Return in words what a copy in the run is, "" if it is there not at all, or is the file."""
    sha256 = sha256_of(copy)
    return "" if sha256 in ("", wanted.sha256) else f"{copy}, sha256 {sha256[:12]}"


def _named(kind: CodeKind, text: str, option: str) -> _Named:
    """Return what `extensions.loading` would record of this code."""
    entry = entry_point(kind, text, option)
    reference = parse(entry.value if entry else text)
    assert reference is not None  # it names code
    if reference.file:
        file = reference.file.expanduser().resolve()
        return _Named(text, "file", file, sha256_of(file))
    place = f"{reference.module}:{reference.attribute}"
    return _Named(place, "entry point" if entry else "module")


def _told(record: CodeRecord) -> str:
    return f"{record.reference} ({record.origin}) in {record.file}, sha256 {record.sha256[:12]}"
