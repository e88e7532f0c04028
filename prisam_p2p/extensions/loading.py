"""Imports users' code. Nothing else in this project does.

What goes wrong in the code is the user's to mend: a ConfigError names the file, the line and what
would be right, without a traceback of ours.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.calling import user_code
from prisam_p2p.extensions.installed import entry_point
from prisam_p2p.extensions.record import CodeRecord, sha256_of
from prisam_p2p.extensions.reference import HOW, CodeKind, Reference, parse


@dataclass(frozen=True)
class Loaded:
    """A piece of users' code that this process has imported.

    Attributes:
        value: the attribute.
    """

    record: CodeRecord
    value: Any


_loaded: dict[CodeRecord, Any] = {}
"""What this process, or the one that it was forked from, has imported."""


def load(kind: CodeKind, text: str, option: str, at: Path | None = None) -> Loaded:
    """Import what `text` names, an entry point of this kind or a reference.

    Args:
        option: the option that it is the value of, for errors.
        at: the file of a reference by file, where that is known; None = as `text` says, relative
            to the working directory.

    Raises:
        ConfigError: there is no such code, or it fails when it is imported; or more than one
            package offers an entry point of this name.
    """
    entry = entry_point(kind, text, option)
    reference = parse(entry.value if entry else text)
    if reference is None:
        raise ConfigError(option, "", text, f"the name of an installed {kind}, or {HOW}")
    if reference.file:
        return _load_file(reference, text, option, at or reference.file)
    with user_code(option, text):
        module = _import(reference.module, option, text)
    record = _record(reference, "entry point" if entry else "module", module, option, text)
    return _remember(record, _attribute(module, reference.attribute, option, text))


def load_again(records: Mapping[str, CodeRecord], run_dir: Path) -> dict[str, Any]:
    """Return setting -> code of a run, in a process that plays one of its peers.

    A fork of the launcher has it already. A fresh interpreter imports modules by name, and files
    from the run's copies.

    Raises:
        ConfigError: as `load`; or the code is not what the run was begun with.
    """
    return {key: _again(key, each, run_dir) for key, each in records.items()}


def _load_file(reference: Reference, text: str, option: str, at: Path) -> Loaded:
    path = at.expanduser().resolve()
    if not path.is_file():
        raise ConfigError(option, "", text, f"a file; there is no {path}")
    with user_code(option, text):
        module, sha256 = _import_file(path)
    record = CodeRecord(
        reference=text, origin="file", distribution="", version="", file=path, sha256=sha256
    )
    return _remember(record, _attribute(module, reference.attribute, option, text))


def _again(key: str, record: CodeRecord, run_dir: Path) -> Any:
    if record not in _loaded:
        reference = parse(record.reference)
        assert reference is not None
        option = f"--{key}"
        if reference.file:
            copy = record.copy_in(run_dir, key)
            if sha256_of(copy) != record.sha256:
                right = f"the run's copy of the file that it was begun with; {copy} has changed"
                raise ConfigError(option, "", record.reference, right)
            return _load_file(reference, record.reference, option, copy).value
        found = load(CodeKind(key), record.reference, option)
        if found.record.sha256 != record.sha256:
            right = f"the module that the run was begun with; {found.record.file} has changed"
            raise ConfigError(option, "", record.reference, right)
        _loaded[record] = found.value
    return _loaded[record]


def _remember(record: CodeRecord, value: Any) -> Loaded:
    _loaded[record] = value
    return Loaded(record, value)


def _import(name: str, option: str, text: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that the user's one imports
        right = f"an installed module, or one on PYTHONPATH; there is no {error.name}. For a file: "
        raise ConfigError(option, "", text, f"{right}./file.py:attribute") from None


def _import_file(path: Path) -> tuple[ModuleType, str]:
    """Run a file, once while it stays as it is; return it as a module, and its hash.

    What runs is what was hashed: no cached bytecode is read.
    """
    source = path.read_bytes()
    sha256 = hashlib.sha256(source).hexdigest()
    name = f"prisam_code_{path.stem}_{sha256[:12]}"
    known = sys.modules.get(name)
    if known and known.__file__ == str(path):
        return known, sha256
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # as an import does: dataclasses look their module up
    try:
        exec(compile(source, path, "exec"), vars(module))
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module, sha256


def _attribute(module: ModuleType, dotted: str, option: str, text: str) -> Any:
    found: Any = module
    for name in dotted.split("."):
        if not hasattr(found, name):
            own = sorted(n for n, each in vars(module).items() if _is_own(n, each, module))
            right = f"an attribute of {module.__file__}: {', '.join(own) or 'it has none'}"
            raise ConfigError(option, "", text, right)
        found = getattr(found, name)
    return found


def _is_own(name: str, value: object, module: ModuleType) -> bool:
    return not name.startswith("_") and getattr(value, "__module__", None) == module.__name__


def _record(
    reference: Reference,
    origin: Literal["entry point", "module"],
    module: ModuleType,
    option: str,
    text: str,
) -> CodeRecord:
    source = getattr(module, "__file__", None)
    if source is None or not source.endswith(".py"):
        raise ConfigError(option, "", text, f"code in a .py file, which {module.__name__} is not")
    from importlib.metadata import version

    path, package = Path(source).resolve(), _distribution(module)
    return CodeRecord(
        reference=f"{reference.module}:{reference.attribute}",
        origin=origin,
        distribution=package,
        version=version(package) if package else "",
        file=path,
        sha256=sha256_of(path),
    )


def _distribution(module: ModuleType) -> str:
    from importlib.metadata import packages_distributions

    found = packages_distributions().get(module.__name__.partition(".")[0], [])
    return found[0] if found else ""
