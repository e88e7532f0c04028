"""Compares two runs exactly: masks, groups, chosen peers, averages, accuracy, final weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.record import CodeRecord, sha256_of
from prisam_p2p.plan.toml_file import validate
from prisam_p2p.report.run_folder import Line, RunFolder
from prisam_p2p.report.verdicts import NOT_JUDGED

# What is compared -> (record, its fields that must be equal in every round).
_ASPECTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "masks": ("masked", ("round", "structure", "similarity")),
    "groups": ("grouped", ("round", "labels")),
    "chosen peers": ("grouped", ("round", "group")),
    "averaged members": ("aggregated", ("round", "members")),
    "accuracy": ("evaluated", ("round", "moment", "validation", "test")),
    "final weights": ("deployed", ("digest",)),
}


@dataclass(frozen=True)
class Difference:
    """The first record in which two runs differ, of one peer in one aspect."""

    aspect: str
    peer: str
    one: dict[str, Any]
    other: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.aspect} of {self.peer}: {_short(self.one)} against {_short(self.other)}"


def compare(one: RunFolder, other: RunFolder) -> list[Difference]:
    """Return the first difference of each peer in each aspect; none: the runs are the same.

    Raises:
        ConfigError: a run has no record to compare.
    """
    for run in (one, other):
        if not any(compared(run).values()):
            raise ConfigError(str(run.path), "journal", "no records", "a run that trained")
    differences = []
    for aspect, (record, fields) in _ASPECTS.items():
        for peer in sorted({*one.peers, *other.peers}):
            mine, theirs = (_values(run, peer, record, fields) for run in (one, other))
            for i in range(max(len(mine), len(theirs))):
                a, b = (lines[i] if i < len(lines) else {} for lines in (mine, theirs))
                if a != b:
                    differences.append(Difference(aspect, peer, a, b))
                    break
    return differences


def code_differences(one: RunFolder, other: RunFolder) -> list[str]:
    """Return in words how the runs' code differs. It need not lead to another result.

    Code is compared by the hash of its file, and each run's copy with the hash that it recorded;
    nothing is imported.
    """
    found = []
    for run in (one, other):
        for key, record in _code(run).items():
            if sha256_of(record.copy_in(run.path, key)) != record.sha256:
                copy = record.copy_in(run.path, key)
                found.append(f"code of {key}: {copy} is not what the run recorded, {record}")
    mine, theirs = _code(one), _code(other)
    for key in sorted(mine.keys() | theirs.keys()):
        a, b = mine.get(key), theirs.get(key)
        if (a and a.sha256) != (b and b.sha256):
            found.append(f"code of {key}: {a or 'built in'} against {b or 'built in'}")
    return found


def _code(run: RunFolder) -> dict[str, CodeRecord]:
    """Return setting -> its users' code; a run of an earlier version has none."""
    path = str(run.path / "plan.json")
    recorded = run.plan.get("code", {})
    return {key: validate(each, CodeRecord, path) for key, each in recorded.items()}


def compared(*runs: RunFolder) -> dict[str, int]:
    """Return aspect -> number of records compared, of the run that has most."""
    return {
        aspect: max(_count(run, record, fields) for run in runs)
        for aspect, (record, fields) in _ASPECTS.items()
    }


def not_judged(counts: Mapping[str, int]) -> list[str]:
    """Return the aspects that neither run has a record of."""
    return [aspect for aspect, n in counts.items() if not n]


def outcome(differences: Sequence[Difference], counts: Mapping[str, int]) -> str:
    """Return the outcome of a comparison in a line, with the aspects that have no record."""
    told = ", ".join(f"{n} {aspect}" for aspect, n in counts.items() if n)
    nothing = ", ".join(not_judged(counts))
    line = f"{'different' if differences else 'the same'}: {told}"
    return f"{line}; {NOT_JUDGED}: {nothing}" if nothing else line


def _count(run: RunFolder, record: str, fields: tuple[str, ...]) -> int:
    """Return the number of records with something in these fields: top-m finds no labels."""
    lines = [line for peer in run.peers for line in run.records(peer, record)]
    return sum(any(line[field] for field in fields if field != "round") for line in lines)


def _values(run: RunFolder, peer: str, record: str, fields: tuple[str, ...]) -> list[Line]:
    """Return the values of each round; of a round that was repeated, those of the last time."""
    lines = run.records(peer, record) if peer in run.peers else []
    last = {(line.get("round"), "round" in line and line.get("moment")): line for line in lines}
    return [{field: line[field] for field in fields} for line in last.values()]


def _short(values: dict[str, Any]) -> str:
    shown = (f"{k} {str(v)[:40]}" for k, v in values.items())
    return ", ".join(shown) if values else "nothing"
