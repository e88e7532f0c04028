"""Builds this package as its users do, and installs it in a venv outside the checkout.

The venv borrows its dependencies from the environment of the tests. With PRISAM_TEST_EMPTY_VENV=1
(`make test-install`) it is empty, and pip installs all that the wheel asks for: a minute or more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from sysconfig import get_path

ROOT = Path(__file__).parents[2]
EMPTY_VENV = bool(os.environ.get("PRISAM_TEST_EMPTY_VENV"))
DEADLINE_S = 1800 if EMPTY_VENV else 240
_NOT_SOURCES = (".*", "runs", "results", "build", "dist", "*.egg-info", "__pycache__")
_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
_QUIET = ("--quiet", "--disable-pip-version-check")

Command = Sequence[object]


def environment(**more: str) -> Mapping[str, str]:
    """Return this process's environment without its PYTHONPATH, which leads to this checkout."""
    return {name: each for name, each in os.environ.items() if name != "PYTHONPATH"} | more


def ended(command: Command, cwd: Path, **more: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, stdout and stderr."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def run(command: Command, cwd: Path, **more: str) -> str:
    """Run a command that must succeed; return its stdout."""
    code, out, err = ended(command, cwd, **more)
    assert code == 0, out + err
    return out


def copy_of_checkout(folder: Path) -> Path:
    """Copy the sources into `folder`, so that a build leaves nothing in the checkout."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    return folder


def unpacked_sdist(source: Path, folder: Path) -> Path:
    """Build the sdist of `source`, and return the folder that it unpacks to."""
    folder.mkdir()
    run([sys.executable, "-c", _SDIST, folder], source)
    (packed,) = folder.iterdir()
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def wheel_of(source: Path, folder: Path) -> Path:
    """Build the wheel of a project with `pip wheel`; an empty venv's also in isolation."""
    isolated = [] if EMPTY_VENV else ["--no-build-isolation"]
    pip = [sys.executable, "-m", "pip", "wheel", *_QUIET, "--no-deps", *isolated]
    run([*pip, "--wheel-dir", folder, source], source)
    (wheel,) = folder.iterdir()
    return wheel


def venv_with(wheel: Path, folder: Path) -> Path:
    """Install a wheel in a new venv; return the venv's folder of programs."""
    programs = folder / "bin"
    if EMPTY_VENV:
        run([sys.executable, "-m", "venv", folder], folder.parent)
        constraints = ("-c", ROOT / "constraints.txt")
        run([programs / "python", "-m", "pip", "install", *_QUIET, *constraints, wheel], folder)
        return programs
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    pip_install(programs, wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A line of a .pth file adds a folder, but not what that folder's own .pth files add: so the
    # editable install of this checkout stays hidden.
    (packages / "dependencies.pth").write_text(f"{get_path('purelib')}\n{get_path('platlib')}\n")
    return programs


def pip_install(programs: Path, what: Path, *more: object) -> None:
    """Install a wheel or a project in a venv, without dependencies and from no index."""
    source = ("--no-index", "--no-deps", "--no-build-isolation")
    run([*_pip_of(programs), "install", *_QUIET, *source, *more, what], programs)


def pip_uninstall(programs: Path, name: str) -> None:
    """Remove a package from a venv."""
    run([*_pip_of(programs), "uninstall", *_QUIET, "--yes", name], programs)


def _pip_of(programs: Path) -> list[object]:
    return [sys.executable, "-m", "pip", "--python", programs / "python"]
