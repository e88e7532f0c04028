"""`prisam list`: what a run can be made of, and the runs that there are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.installed import installed, package_of
from prisam_p2p.extensions.reference import HOW, CodeKind
from prisam_p2p.learn.catalog import DATASETS, MODELS
from prisam_p2p.plan.named_files import (
    EXPERIMENT_FILES,
    FAULT_FILES,
    PROFILE_FILES,
    TOPOLOGY_FILES,
    NamedFiles,
)
from prisam_p2p.plan.toml_file import read_toml
from prisam_p2p.report.run_choice import RUNS, runs_in
from prisam_p2p.settings import Grouping, Split
from prisam_p2p.shipped import ROOT


@dataclass(frozen=True)
class Item:
    """One thing that has a name; `path`: its file or folder, if it has one."""

    name: str
    description: str
    path: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is a file of the user."""
        path = Path(self.path or "")
        return path.is_file() and not path.resolve().is_relative_to(ROOT)


@dataclass(frozen=True)
class ListKind:
    """A kind of things; `use`: how a name is used, `also`: what is possible beside the names."""

    items: Callable[[], list[Item]]
    use: str
    also: str = ""


def _files(files: NamedFiles) -> Callable[[], list[Item]]:
    def items() -> list[Item]:
        return [Item(name, _about(path), str(path)) for name, path in files.known().items()]

    return items


def _about(path: Path) -> str:
    """Return the description in a file; why it cannot be read if it cannot."""
    try:
        description = read_toml(path).get("description", "")
    except ConfigError as error:
        return f"cannot be read: {error}"
    return " ".join(str(description).split())


def _in_code(described: Mapping[str, str], code: CodeKind) -> Callable[[], list[Item]]:
    """Return what lists the built-in names, then those that installed packages offer."""

    def items() -> list[Item]:
        ours = [Item(name, text) for name, text in described.items()]
        theirs = {
            n: f"of {' and of '.join(map(package_of, e))}" for n, e in installed(code).items()
        }
        return ours + [Item(n, text) for n, text in theirs.items() if n not in described]

    return items


def _runs() -> list[Item]:
    return [Item(run.name, _about_run(run), str(run)) for run in runs_in(RUNS)]


def _about_run(run: Path) -> str:
    """Return what ran, when, and how it ended; a run without a summary runs, or was killed."""
    plan = _json(run / "plan.json")
    settings = plan.get("settings")
    if not isinstance(settings, dict):  # no plan of ours, but the other runs are to be listed
        settings = {}
    what = f"{settings.get('algorithm', '?')} on {plan.get('topology', '?')}"
    began = datetime.fromtimestamp((run / "plan.json").stat().st_mtime)
    summary = _json(run / "summary.json")
    end = "no summary yet"
    if summary:
        status, done, rounds = (summary.get(k, "?") for k in ("status", "rounds_done", "rounds"))
        end = f"{status}, {done} of {rounds} rounds"
    return f"{began:%Y-%m-%d %H:%M}, {what}, seed {settings.get('seed', '?')}: {end}"


def _json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; {} where there is none."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


KINDS = {
    "topologies": ListKind(
        _files(TOPOLOGY_FILES),
        "prisam launch NAME",
        "Also: the path of a topology, or of an earlier run's plan.json.",
    ),
    "profiles": ListKind(
        _files(PROFILE_FILES),
        "peers.profiles of a topology",
        "Also: the path of a profile from the topology's folder, which ends in .toml.",
    ),
    "faults": ListKind(
        _files(FAULT_FILES),
        "prisam launch --faults NAME",
        "Also: the path of a scenario, or of an earlier run's faults.json.",
    ),
    "experiments": ListKind(_files(EXPERIMENT_FILES), "prisam experiment NAME"),
    "models": ListKind(
        _in_code(MODELS, CodeKind.MODEL),
        "--model NAME",
        "Also: a torchvision classifier with BN layers (mobilenet_v2, torchvision:resnet18), or "
        "your own.",
    ),
    "datasets": ListKind(
        _in_code(DATASETS, CodeKind.DATASET),
        "--dataset NAME",
        "Also: the path of an .npz file with x_train, y_train, x_test, y_test, or your own.",
    ),
    "splits": ListKind(
        _in_code({each.value: each.description for each in Split}, CodeKind.SPLIT),
        "--split NAME",
        f"Also: your own, {HOW} (docs/extending.md).",
    ),
    "groupings": ListKind(
        _in_code({each.value: each.description for each in Grouping}, CodeKind.GROUPING),
        "--grouping NAME",
        f"Also: your own, {HOW} (docs/extending.md).",
    ),
    "algorithms": ListKind(
        _in_code({each.value: each.description for each in Algorithm}, CodeKind.ALGORITHM),
        "--algorithm NAME, --baseline NAME",
        f"Also: your own, {HOW} (docs/extending.md).",
    ),
    "runs": ListKind(_runs, "prisam summary NAME, or the beginning of a name"),
}


def print_json(kinds: Sequence[str]) -> None:
    """Print the items of some kinds, or of all: kind -> list of name, description and path."""
    found = {kind: [asdict(item) for item in KINDS[kind].items()] for kind in kinds or KINDS}
    print(json.dumps(found, indent=1))


def print_kinds(kinds: Sequence[str]) -> None:
    """Print the items of some kinds, or of all, as tables."""
    from prisam_p2p.console import TableColumn, print_line, print_table

    for i, name in enumerate(kinds or KINDS):
        kind = KINDS[name]
        columns = [TableColumn(name, keeps=True), TableColumn(kind.use, wraps=True, keeps=True)]
        if i:
            print()
        print_table(columns, [_row(item) for item in kind.items()] or [("none", "")])
        if kind.also:
            print_line(kind.also)


def _row(item: Item) -> tuple[str, str]:
    """Return a name and a description, with the path of a file of the user's own."""
    own = f" ({item.path})" if item.is_own else ""
    return item.name, f"{item.description}{own}"
