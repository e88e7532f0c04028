"""The entry points that installed packages offer. Listing them imports no package's code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.reference import CodeKind, parse

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@lru_cache
def installed(kind: CodeKind) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return name -> its entry points, of one kind: more than one if several packages offer it."""
    from importlib.metadata import entry_points  # late: it takes a while, and few runs need it

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for each in entry_points(group=kind.group):
        found[each.name] = (*found.get(each.name, ()), each)
    return found


def entry_point(kind: CodeKind, name: str, option: str) -> EntryPoint | None:
    """Return the entry point of this kind and name, None if no package offers it.

    Args:
        option: the option that names it, for the error.

    Raises:
        ConfigError: more than one package offers it, so that it is not clear which is meant.
    """
    found = installed(kind).get(name, ())
    if len(found) > 1:
        offers = " and ".join(f"{package_of(each)} ({each.value})" for each in found)
        right = f"a name that one package offers, not {offers}; name the code itself, as there"
        raise ConfigError(option, "", name, f"{right}, or uninstall a package")
    return found[0] if found else None


def package_of(entry: EntryPoint) -> str:
    """Return name and version of the package that offers an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def names_code(kind: CodeKind, text: str) -> bool:
    """Tell whether `text` names users' code: a reference, or an entry point of this kind."""
    return parse(text) is not None or text in installed(kind)
