"""The harness itself: the hosts differ as machines do, their cables can be pulled, they can die."""

import os
import signal
import subprocess
import sys
import time

import pytest
from three_hosts import HOUR_S
from waiting import lines_of, wait_until

pytestmark = pytest.mark.hosts

REACH = """
import socket, sys
socket.create_connection((sys.argv[1], 7000), timeout=1).close()
print("reached")
"""
LISTEN = """
import socket
with socket.create_server(("", 7000)) as server:
    while True:
        server.accept()[0].close()
"""
ORPHAN = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def reaches(host, other):
    return host.run(sys.executable, "-c", REACH, other.address, check=False).returncode == 0


@pytest.fixture
def listening(hosts):
    """Return the hosts, each of which accepts connections."""
    for host in hosts:
        host.start(sys.executable, "-c", LISTEN, log=hosts.folder / "listeners.log")
    for host in hosts:
        wait_until(lambda host=host: reaches(host, host), 20, f"{host.name} to listen")
    return hosts


def test_clocks_names_folders_and_processes_are_each_hosts_own(hosts):
    clock = (sys.executable, "-c", "import time; print(time.monotonic())")
    ahead = [float(host.run(*clock).stdout) - time.monotonic() for host in hosts]
    assert ahead[1] - ahead[0] > HOUR_S
    assert ahead[2] - ahead[1] > HOUR_S

    hosts["h1"].run("touch", "/tmp/mine", "/dev/shm/mine", "/run/mine")
    assert hosts["h1"].run("hostname").stdout == "h1\n"
    for folder in ("/tmp", "/dev/shm", "/run"):
        assert "mine" in hosts["h1"].run("ls", folder).stdout
        assert "mine" not in hosts["h2"].run("ls", folder).stdout
    assert not any(host.processes() for host in hosts)
    assert "init" not in hosts["h1"].run("ls", "/tmp").stdout
    assert set(hosts["h1"].run("ls", "/sys/class/net").stdout.split()) == {"lo", "eth0"}


def test_hosts_reach_each_other_until_the_cable_is_pulled_and_after(listening):
    one, two, three = listening
    assert reaches(one, two)
    assert reaches(three, two)
    two.pull_cable()
    assert not reaches(one, two)
    assert not reaches(two, three)
    assert reaches(two, two)
    assert reaches(one, three)
    two.plug_in()
    wait_until(lambda: reaches(one, two), 10, "h2 to be reached again")


def test_a_killed_host_leaves_no_process_and_boots_anew_with_another_clock(listening):
    host = listening["h2"]
    before = float(host.run("cut", "-d ", "-f1", "/proc/uptime").stdout)
    assert len(host.processes()) == 1
    host.kill()
    assert not host.is_up
    assert host.processes() == []
    assert not reaches(listening["h1"], host)
    host.boot()
    assert host.processes() == []
    assert float(host.run("cut", "-d ", "-f1", "/proc/uptime").stdout) > before + 500


def test_pid_1_of_a_host_reaps_orphans(hosts):
    host = hosts["h3"]
    host.run("sh", "-c", f"{sys.executable} -c '{ORPHAN}' > /tmp/orphan 2>&1")
    (orphan,) = host.processes()
    os.kill(orphan.pid, signal.SIGKILL)
    wait_until(lambda: host.processes() == [], 10, "the orphan to be reaped")


def test_hosts_end_with_the_process_that_made_them(hosts):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(hosts.folder / "inner")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    inits = next(lines_of(owner, 30, "three more hosts")).split()
    assert len(inits) == 3
    owner.kill()
    owner.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in inits), 10, "them to end")


OWNER = """
import sys, time
from pathlib import Path
from three_hosts import three_hosts
with three_hosts(Path(sys.argv[1])) as hosts:
    print(*(host.init for host in hosts), flush=True)
    time.sleep(600)
"""
