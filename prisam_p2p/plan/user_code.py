"""Loads the code that a run's settings name, where it may be run.

Code runs if the user named it on the command line (or to the Python API), or if it is an entry
point of an installed package. A file may come from a stranger: code by module or by path that a
file names runs only with --trust-code. docs/decisions/0012-no-pickle.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from prisam_p2p.algorithms import Traits
from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.calling import check_call
from prisam_p2p.extensions.installed import installed, names_code
from prisam_p2p.extensions.loading import Loaded, load
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.extensions.threads import stays_forkable
from prisam_p2p.learn.catalog import DATASETS, MODELS
from prisam_p2p.plan.topology import Topology
from prisam_p2p.settings import RunSettings, Start, about

Code = Mapping[str, Loaded]
"""Setting -> the code that it names; settings that name something built in are absent."""

NO_CODE: Code = {}

TRUST = "--trust-code"

_COMPARED = ("reference", "distribution", "version", "sha256")
"""Fields of a CodeRecord: code in which these are equal is the same."""

_TRAITS = "a function with traits: @algorithm(Traits(..)) from prisam_p2p.api above it"
_SIGNATURES: Mapping[CodeKind, tuple[int, str]] = {
    CodeKind.ALGORITHM: (1, "a function of one argument: def rounds(me: Peer) -> None"),
    CodeKind.MODEL: (2, "a function def net(data: DataSpec, width: float) -> nn.Module"),
    CodeKind.DATASET: (1, "a function def data(data_dir: Path | None) -> (train, test)"),
    CodeKind.SPLIT: (3, "a function def split(labels, peers, rng) -> {peer: indices}"),
    CodeKind.GROUPING: (4, "a function def groups(masks, me, k, rng) -> {peer: group}"),
}
"""CodeKind -> number of arguments, and what to write."""


_BUILT_IN = {CodeKind.MODEL: MODELS, CodeKind.DATASET: DATASETS}
"""Names that entry points do not replace, of the settings that are free text."""


def code_named(settings: RunSettings) -> dict[str, tuple[CodeKind, str]]:
    """Return setting -> (kind, name), of the settings whose value is users' code."""
    found = {}
    for key, field_ in RunSettings.model_fields.items():
        value = getattr(settings, key)
        if about(field_).code and value is not None and not isinstance(value, StrEnum):
            kind = CodeKind(about(field_).code)
            if value not in _BUILT_IN.get(kind, ()) and names_code(kind, value):
                found[key] = (kind, value)
    return found


@dataclass(frozen=True)
class Naming:
    """Who named a run's code: the user, or files.

    Attributes:
        files: setting -> (file, dotted key in it), of the settings that a file names.
        trusted: the user trusts what files name.
        records: setting -> code, of an earlier run whose plan.json is the file.
    """

    files: Mapping[str, tuple[str, str]]
    trusted: bool = False
    records: Mapping[str, CodeRecord] = field(default_factory=dict)


def named_by(
    topology: Topology, given: Iterable[str], trusted: bool, records: Mapping[str, CodeRecord]
) -> Naming:
    """Return who named the code of a run.

    Args:
        topology: of the run; its settings are those of its file.
        given: the settings that the user gave.
        records: as in Naming.
    """
    table = "settings" if topology.path.suffix == ".json" else "run"
    by_file = {key: (str(topology.path), f"{table}.{key}") for key in topology.run}
    mine = set(given)
    return Naming({key: at for key, at in by_file.items() if key not in mine}, trusted, records)


def check_trust(settings: RunSettings, naming: Naming) -> None:
    """Check that the code that `settings` name may be run; import nothing.

    Raises:
        ConfigError: a file names it by module or by path, and the user does not trust the file.
    """
    for key, (kind, text) in code_named(settings).items():
        if key in naming.files and not naming.trusted and text not in installed(kind):
            right = f"{TRUST}, to run the code that this file names; read it first"
            raise ConfigError(*naming.files[key], text, right)


def load_code(settings: RunSettings, naming: Naming) -> Code:
    """Import the code that `settings` name.

    Raises:
        ConfigError: it is not trusted (`check_trust`), and nothing was imported; or it is not
            there, fails, or is not what its setting needs.
    """
    check_trust(settings, naming)
    return {
        key: _load(key, kind, text, settings, naming)
        for key, (kind, text) in code_named(settings).items()
    }


def forkable(settings: RunSettings, key: str) -> AbstractContextManager[None]:
    """Return what checks that the code of a setting, called in the block, leaves no thread."""
    return stays_forkable(f"--{key}", str(getattr(settings, key)), settings.start is Start.ZYGOTE)


def records_of(code: Code) -> dict[str, CodeRecord]:
    """Return setting -> what a plan records of its code."""
    return {key: each.record for key, each in code.items()}


def traits_of(settings: RunSettings, code: Code) -> Traits:
    """Return the traits of the algorithm of `settings`."""
    if "algorithm" in code:
        traits: Traits = code["algorithm"].value.traits
        return traits
    return settings.built_in_algorithm.traits


def kept_in_run(code: Code, inputs: Mapping[str, Path], run_dir: Path) -> Code:
    """Return code with the records that a run will have.

    Of a file that was written for this run (see `copy_inputs`), the run's copy is recorded: the
    file itself will not outlive the launch.
    """
    written = {path.resolve() for path in inputs.values()}
    return {
        key: replace(each, record=_recorded_in(run_dir, key, each.record))
        if each.record.file in written
        else each
        for key, each in code.items()
    }


def settings_of_code(settings: RunSettings, code: Code) -> RunSettings:
    """Return settings that name files of code where their records have them."""
    files = {key: each.record for key, each in code.items() if each.record.origin == "file"}
    return settings.model_copy(update={key: each.reference for key, each in files.items()})


def copy_inputs(inputs: Mapping[str, Path], run_dir: Path) -> None:
    """Copy files that were written for a run into its folder: path there -> file.

    Raises:
        OSError: a file cannot be copied.
    """
    for place, written in inputs.items():
        copy = run_dir / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(written, copy)


def copy_code(records: Mapping[str, CodeRecord], run_dir: Path) -> None:
    """Copy the files of a run's code into its folder.

    Raises:
        OSError: a file cannot be copied.
    """
    for key, record in records.items():
        copy = record.copy_in(run_dir, key)
        if copy.absolute() == record.file:
            continue  # one of the run's inputs
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(record.file, copy)


def _recorded_in(run_dir: Path, key: str, record: CodeRecord) -> CodeRecord:
    copy = record.copy_in(run_dir.absolute(), key)
    attribute = record.reference.rpartition(":")[2]
    return record.model_copy(update={"file": copy, "reference": f"{copy}:{attribute}"})


def _load(key: str, kind: CodeKind, text: str, settings: RunSettings, naming: Naming) -> Loaded:
    option = f"--{key}"
    record = naming.records.get(key) if key in naming.files else None
    if record and record.origin == "file" and not record.is_unchanged():
        copy = record.copy_in(Path(naming.files[key][0]).parent, key)
        attribute = record.reference.rpartition(":")[2]
        right = f"the file that the run was begun with; its copy: {option} {copy}:{attribute}"
        raise ConfigError(*naming.files[key], text, right)
    with forkable(settings, key):
        found = load(kind, text, option, record.file if record else None)
    if record:
        _check_recorded(found.record, record, naming.files[key], text, option)
    arguments, right = _SIGNATURES[kind]
    check_call(found.value, arguments, option, text, right)
    if kind is CodeKind.ALGORITHM and not isinstance(getattr(found.value, "traits", None), Traits):
        raise ConfigError(option, "", text, _TRAITS)
    return found


def _check_recorded(
    now: CodeRecord, was: CodeRecord, at: tuple[str, str], text: str, option: str
) -> None:
    """Raise ConfigError where code is not what an earlier run recorded, wherever it is now."""
    if any(getattr(now, name) != getattr(was, name) for name in _COMPARED):
        right = f"what the run was begun with, {was}; now it is {now}. "
        launch_it = f"A launch with {option} {text} runs what there is now"
        raise ConfigError(*at, text, right + launch_it)
