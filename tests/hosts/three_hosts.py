"""Three hosts on one machine: h1, h2 and h3, with what makes machines differ.

Each host has namespaces of its own for the network (a cable to a switch, 10.77.0.1 to .3), names,
mounts (/tmp, /run, /dev/shm, /proc), IPC, processes, and clocks: their monotonic clocks differ by
hours. The switch is a bridge in a network of its own, so that two harnesses never meet.

All namespaces are held by processes alone, and those die with the process that made them: nothing
is left on the machine, however a test ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import lines_of, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
NAMES = ("h1", "h2", "h3")
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "ip", "tini")

HOUR_S = 3600
CLOCKS_S = {"h1": 1 * HOUR_S, "h2": 4 * HOUR_S, "h3": 9 * HOUR_S, "visitor": 0}
"""How far the monotonic clock of a host is ahead of this machine's when it boots first."""

_NAMESPACES = ("--net", "--uts", "--mount", "--ipc", "--pid", "--time")
_OF_THE_HOST = ("tini -s -- sleep infinity", "sleep infinity")
_DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL")


def why_no_hosts() -> str:
    """Return why this machine cannot be three hosts, "" if it can."""
    if sys.platform != "linux":
        return "namespaces are Linux's"
    if os.geteuid() != 0:
        return "making hosts takes root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    tried = subprocess.run(
        [
            "unshare",
            *_NAMESPACES,
            "--fork",
            "--monotonic",
            "1",
            "mount",
            "-t",
            "proc",
            "p",
            "/proc",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return "" if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


@dataclass(frozen=True)
class HostedProcess:
    """A process of a host.

    Attributes:
        pid: its number on this machine, outside the host.
        name: as the kernel has it, 15 characters.
        command: its command line, "" where it has none any more.
    """

    pid: int
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.pid} {self.command or self.name}"


class Host:
    """One host. `boot` and `kill` switch it on and off, `pull_cable` and `plug_in` its network.

    Attributes:
        name, address: h2, 10.77.0.2.
        disk: the folder of this machine that holds its files; `tmp` is its /tmp.
        init: the number of its PID 1 on this machine.
        boots: how many times it has been booted. Its clocks differ from boot to boot.
    """

    def __init__(self, name: str, address: str, disk: Path, switch: Switch) -> None:
        self.name = name
        self.address = address
        self.disk = disk
        self.tmp = disk / "tmp"
        self.boots = 0
        self._cable_is_in = False
        self._switch = switch
        self._unshare: subprocess.Popen[str] | None = None
        self.init = 0

    @property
    def is_up(self) -> bool:
        """Return whether its PID 1 lives."""
        return self._unshare is not None and self._unshare.poll() is None

    @property
    def is_whole(self) -> bool:
        """Return whether it is up and its cable is in."""
        return self.is_up and self._cable_is_in

    def boot(self) -> None:
        """Start the host, with empty folders, and plug its cable in."""
        assert not self.is_up, f"{self.name} is up"
        shutil.rmtree(self.disk, ignore_errors=True)
        for folder in ("tmp", "run", "cgroup"):
            (self.disk / folder).mkdir(parents=True)
        (self.disk / "hosts").write_text(_ETC_HOSTS)
        ahead = str(CLOCKS_S[self.name] + 1000 * self.boots)
        self.boots += 1
        errors = (self.disk / "boot.log").open("w")
        self._unshare = subprocess.Popen(
            [
                *_DIE_WITH_US,
                *("unshare", *_NAMESPACES, "--fork", "--kill-child", "--propagation", "private"),
                *("--monotonic", ahead, "--boottime", ahead),
                *("sh", str(Path(__file__).with_name("become_host.sh"))),
                *(self.name, str(self.disk), *_shared_folders()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        errors.close()
        first = next(lines_of(self._unshare, 20, f"{self.name} to boot"), "nothing")
        assert first == "ready", (
            f"{self.name} did not boot: {first}\n{Path(errors.name).read_text()}"
        )
        (self.init,) = _children(self._unshare.pid)
        self._switch.connect(self)
        self._cable_is_in = True

    def kill(self) -> None:
        """SIGKILL its PID 1: the kernel ends every process of the host, and its network."""
        assert self._unshare is not None
        network = _namespace(self.init, "pid")
        os.kill(self.init, 9)
        self._unshare.wait(30)
        wait_until(
            lambda: not _processes_in(network), 30, f"the processes of {self.name} to be gone"
        )

    def pull_cable(self) -> None:
        """Pull the cable out of the switch: nothing comes in or goes out, and nobody is told."""
        self._switch.set_port(self.name, "down")
        self._cable_is_in = False

    def plug_in(self) -> None:
        """Put the cable back."""
        self._switch.set_port(self.name, "up")
        self._cable_is_in = True

    def command(
        self, arguments: Sequence[object], environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the command line that runs `arguments` on the host, in its /tmp.

        Args:
            environment: beside what a login there has; nothing comes from this process.
        """
        variables = {**_login_environment(), **(environment or {})}
        return [
            *("nsenter", "--target", str(self.init)),
            *_NAMESPACES,
            "--wdns=/tmp",
            *("env", "-i", *(f"{name}={value}" for name, value in variables.items())),
            *map(str, arguments),
        ]

    def run(
        self,
        *arguments: object,
        timeout_s: float = 30,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host to its end, and return what came of it.

        Raises:
            AssertionError: it failed, and `check` is set; the message holds all it printed.
        """
        done = subprocess.run(
            self.command(arguments, environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        words = " ".join(map(str, arguments))
        assert not check or done.returncode == 0, (
            f"{self.name}: {words}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def start(
        self, *arguments: object, log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a command on the host; what it prints goes to `log`, a file of this machine."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command(arguments, environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def processes(self) -> list[HostedProcess]:
        """Return all processes of the host but its PID 1 and what that waits for."""
        found = _processes_in(_namespace(self.init, "pid"))
        return [each for each in found if each.command not in _OF_THE_HOST]


class Switch:
    """A bridge in a network of its own. Its port of h2 is called h2."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            [*_DIE_WITH_US, "unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        next(lines_of(self._holder, 20, "the switch"))
        self._ip("link", "add", "switch", "type", "bridge")
        self._ip("link", "set", "switch", "up")

    def connect(self, host: Host) -> None:
        """Lay a cable from the host's eth0 to the port of its name."""
        self._ip("link", "delete", host.name, check=False)  # of a host that was killed just now
        self._ip(
            *("link", "add", host.name, "type", "veth"),
            *("peer", "name", "eth0", "netns", str(host.init)),
        )
        self._ip("link", "set", host.name, "master", "switch")
        self._ip("link", "set", host.name, "up")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")

    def set_port(self, name: str, state: str) -> None:
        """Set the port of a host "up" or "down"."""
        self._ip("link", "set", name, state)

    def close(self) -> None:
        """End what holds the network."""
        self._holder.kill()
        self._holder.wait(10)

    def _ip(self, *arguments: str, check: bool = True) -> None:
        where = ["nsenter", "--target", str(self._holder.pid), "--net"]
        subprocess.run([*where, "ip", *arguments], check=check, capture_output=True, timeout=20)


@dataclass
class ThreeHosts:
    """The hosts by name, and where the files of tests about them are kept."""

    by_name: dict[str, Host]
    folder: Path
    switch: Switch

    def __getitem__(self, name: str) -> Host:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.by_name.values())

    @contextmanager
    def visitor(self) -> Iterator[Host]:
        """Boot one more host at the switch, which has no part in anything."""
        host = Host("visitor", "10.77.0.9", self.folder / "visitor", self.switch)
        host.boot()
        try:
            yield host
        finally:
            host.kill()

    def reboot(self) -> None:
        """Boot all hosts anew, with their cables in: nothing is left of what they did."""
        for host in self:
            if host.is_up:
                host.kill()
            host.boot()


@contextmanager
def three_hosts(folder: Path) -> Iterator[ThreeHosts]:
    """Boot h1, h2 and h3; their files lie below `folder`. All of it is ended at the end."""
    switch = Switch()
    hosts = ThreeHosts({}, folder, switch)
    try:
        for number, name in enumerate(NAMES, start=1):
            host = Host(name, f"10.77.0.{number}", folder / name, switch)
            hosts.by_name[name] = host
            host.boot()
        yield hosts
    finally:
        for host in hosts:
            if host.is_up:
                host.kill()
        switch.close()


def _shared_folders() -> list[str]:
    """Return the folders that every host has: the checkout, and the Python that runs it."""
    folders = {CHECKOUT, Path(sys.prefix), Path(sys.base_prefix)}
    return sorted({str(path) for folder in folders for path in (folder, folder.resolve())})


def _login_environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT)}


_ETC_HOSTS = "127.0.0.1 localhost\n" + "".join(
    f"10.77.0.{number} {name}\n" for number, name in enumerate(NAMES, start=1)
)


def _namespace(pid: int, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:  # it has ended
        return f"none of {pid}"


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _processes_in(namespace: str) -> list[HostedProcess]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or _namespace(int(entry.name), "pid") != namespace:
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        found.append(HostedProcess(int(entry.name), _name(int(entry.name)), command))
    return sorted(found, key=lambda each: each.pid)
