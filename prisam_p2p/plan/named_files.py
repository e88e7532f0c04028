"""Find topologies, device profiles, fault scenarios and experiments by their short names.

The user's own files in the current folder (./topologies, ./peers) come before those of the package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Told, near, no_such_file
from prisam_p2p.shipped import PEERS, ROOT, TOPOLOGIES

_PATH_ENDINGS = (".toml", ".json")
_PARTS_OF_EXPERIMENTS = ("devices", "faults", "networks")
"""Folders beside the experiments, with files that experiments name by their paths."""


@dataclass(frozen=True)
class NamedFiles:
    """The files of one kind. A file's name is its stem, after its sub-folder if that is ambiguous.

    Attributes:
        noun: what one is, with its article.
        folders: where they are, the first of which wins; relative ones from the current folder.
        nested: whether they may be in sub-folders, one deep.
    """

    noun: str
    folders: tuple[Path, ...]
    nested: bool = False

    def known(self) -> dict[str, Path]:
        """Return name -> file, sorted by name."""
        found: dict[str, Path] = {}
        for folder in reversed(self.folders):
            found |= _names_in(folder, self.nested)
        return dict(sorted(found.items()))

    def named(self, name: str, where: str, key: str = "") -> Path:
        """Return the file of this name; raise ConfigError as `find` does."""
        for folder in self.folders:
            found = list(self._of_name(name, folder))
            if len(found) == 1:
                return found[0]
            if found:
                full = [path.relative_to(folder).with_suffix("").as_posix() for path in found]
                raise ConfigError(where, key, name, f"{' or '.join(full)}, both in {folder}")
        looked = " and ".join(map(str, dict.fromkeys(self.folders)))
        names = list(self.known())
        right = f"{self.noun}; {near(name, names)}" if names else self.noun
        raise ConfigError(where, key, name, f"{right} (looked in {looked})")

    def find(self, text: str, where: str, key: str = "", beside: Path = Path()) -> Path:
        """Return the file that `text` names: a short name, or a path.

        It is a path if it ends in .toml or .json, or if there is such a file.

        Args:
            where, key: the option, or the file and its key, that hold `text`; for errors.
            beside: the folder that a path is relative to.

        Raises:
            ConfigError: there is no such file, or two files of the name; it names the nearest, and
                where was looked.
        """
        path = beside / text
        if path.is_file():
            return path
        if not text.endswith(_PATH_ENDINGS):
            return self.named(text, where, key)
        where = where if key else str(path)
        if path.stem in self.known():
            right = f"an existing path, or the name {path.stem}"
            raise ConfigError(where, key, str(path) if key else Told("no such file"), right)
        raise no_such_file(where, key, path)

    def _of_name(self, name: str, folder: Path) -> Iterator[Path]:
        """Return the files in `folder` that may be meant: of this full name, or of this stem."""
        if (path := folder / f"{name}.toml").is_file():
            yield path
        elif self.nested:
            yield from (path for path in _nested(folder) if path.stem == name)


def _names_in(folder: Path, nested: bool) -> dict[str, Path]:
    paths = [*sorted(folder.glob("*.toml")), *(_nested(folder) if nested else ())]
    times = Counter(path.stem for path in paths)
    return {
        path.stem
        if times[path.stem] == 1
        else path.relative_to(folder).with_suffix("").as_posix(): path
        for path in paths
    }


def _nested(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*/*.toml") if p.parent.name not in _PARTS_OF_EXPERIMENTS)


def _both(folder: Path) -> tuple[Path, Path]:
    """Return the user's folder in the current one, and the package's."""
    return folder.relative_to(ROOT), folder


TOPOLOGY_FILES = NamedFiles("a topology", _both(TOPOLOGIES))
PROFILE_FILES = NamedFiles("a device profile", _both(PEERS))
FAULT_FILES = NamedFiles("a fault scenario", _both(TOPOLOGIES / "faults"))
EXPERIMENT_FILES = NamedFiles("an experiment", _both(TOPOLOGIES / "experiments"), nested=True)
