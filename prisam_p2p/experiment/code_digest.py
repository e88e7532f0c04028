"""A digest of the code that can change a cell's result; cells of one digest are comparable.

Code that only shows results, starts commands or documents is not part of it, so that a commit to
a page leaves the cells valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

AFFECTS = frozenset(
    [
        "__init__.py",
        "algorithms.py",
        "api.py",
        "byzantine",
        "control",
        "core",
        "errors.py",
        "extensions",
        "faults",
        "hosts",
        "launch",
        "learn",
        "measure",
        "netns",
        "peer",
        "plan",
        "processes",
        "settings.py",
        "system",
        "transport",
        "wire",
    ]
)
"""Rooms and modules of prisam_p2p that can change what a run learns, sends or takes."""

SHOWS_ONLY = frozenset(
    [
        "__main__.py",
        "arguments.py",
        "bench",
        "cli.py",
        "command_group.py",
        "commands",
        "conformance",
        "console.py",
        "experiment",
        "export",
        "listing.py",
        "new_project.py",
        "options.py",
        "page",
        "page_server",
        "preflight",
        "privacy",
        "python_api",
        "report",
        "settings_page.py",
        "shipped.py",
        "soak",
        "trace",
    ]
)
"""Those that cannot: they show, check or arrange runs. A test finds what is in neither set."""

_LIBRARIES = ("torch", "numpy", "scikit-learn")


def digest_of(package: Path, versions: Mapping[str, str]) -> str:
    """Return 12 hexadecimal digits for the sources in `package` and versions of libraries."""
    found = hashlib.sha256(repr(sorted(versions.items())).encode())
    for name in sorted(AFFECTS):
        place = package / name
        for path in [place] if place.suffix == ".py" else sorted(place.rglob("*.py")):
            source = path.read_bytes()
            found.update(f"{path.relative_to(package).as_posix()} {len(source)} ".encode())
            found.update(source)
    return found.hexdigest()[:12]


@lru_cache(maxsize=1)
def present_code() -> str:
    """Return the digest of the code that is installed now."""
    package = Path(__file__).resolve().parent.parent
    return digest_of(package, {name: version(name) for name in _LIBRARIES})


def is_stale(digests: Sequence[str], present: str) -> bool:
    """Tell whether a run was made by other code than the present; arguments as in other_code."""
    return list(digests) != [present]


def other_code(digests: Sequence[str], present: str) -> str | None:
    """Return in words by which other code a run was made; None if by the present code alone.

    Args:
        digests: of the code that began and that ended the run; none if an earlier version did.
    """
    if not is_stale(digests, present):
        return None
    made = " and ".join(digests) if digests else "an earlier version, which noted no digest"
    return f"made by other code ({made}) than the present ({present}); --rerun-stale runs it anew"
