"""Looks for secret keys where anybody might find them: files, command lines, environments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from three_hosts import CHECKOUT, ThreeHosts

TELLING = str(Path(__file__).with_name("told_keys"))
ENVIRONMENT = {"PYTHONPATH": f"{CHECKOUT}:{TELLING}"}
"""Of processes on a host that are to tell their keys, and of all that those start."""


def tell_keys(hosts: ThreeHosts) -> None:
    """Have processes that are started from now on tell the secret keys that they make."""
    for host in hosts:
        (host.tmp / "told-keys").mkdir(exist_ok=True)


def told_keys(hosts: ThreeHosts) -> dict[str, set[bytes]]:
    """Return host -> the secret keys made there."""
    return {
        host.name: {
            key for path in (host.tmp / "told-keys").iterdir() for key in path.read_bytes().split()
        }
        for host in hosts
    }


def stop_telling(hosts: ThreeHosts) -> None:
    """Remove what was told."""
    for host in hosts:
        folder = host.tmp / "told-keys"
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def processes_texts(hosts: ThreeHosts) -> dict[str, bytes]:
    """Return "h1: pid cmdline" or environ -> its content, of every process on the hosts."""
    texts = {}
    for host in hosts:
        for each in host.processes():
            for name in ("cmdline", "environ"):
                with suppress(OSError):  # it has ended
                    content = Path(f"/proc/{each.pid}/{name}").read_bytes()
                    texts[f"{host.name}: {each} {name}"] = content
    return texts


def files_of(hosts: ThreeHosts) -> Iterator[tuple[str, bytes]]:
    """Yield every file below /tmp, /run and /dev/shm of the hosts, as they see them."""
    for host in hosts:
        root = Path(f"/proc/{host.init}/root")
        for folder in ("tmp", "run", "dev/shm"):
            for path in sorted((root / folder).rglob("*")):
                if "told-keys" in path.parts or not path.is_file() or path.is_symlink():
                    continue
                with suppress(FileNotFoundError):
                    yield f"{host.name}: {path.relative_to(root)}", path.read_bytes()
