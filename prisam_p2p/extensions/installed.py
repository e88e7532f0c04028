"""The entry points that installed packages offer. Listing them imports no package's code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from prisam_p2p.extensions.reference import CodeKind, parse

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@lru_cache
def installed(kind: CodeKind) -> Mapping[str, EntryPoint]:
    """Return name -> entry point, of one kind. Two packages with one name: the last one's."""
    from importlib.metadata import entry_points  # late: it takes a while, and few runs need it

    return {each.name: each for each in entry_points(group=kind.group)}


def package_of(entry: EntryPoint) -> str:
    """Return name and version of the package that offers an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def names_code(kind: CodeKind, text: str) -> bool:
    """Tell whether `text` names users' code: a reference, or an entry point of this kind."""
    return parse(text) is not None or text in installed(kind)
