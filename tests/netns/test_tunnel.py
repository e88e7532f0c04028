"""A VXLAN between the bridges of two hosts, each in a network namespace of its own; needs root."""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT

from prisam_p2p.netns.namespaces import addresses_in_namespaces

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root on Linux"),
]

SCRIPT = Path(ROOT) / "tests" / "helpers" / "tunnel_host.py"
UNDERLAY = {"a": "10.99.7.1", "b": "10.99.7.2"}
NUMBER, ANSWER_S = 4711, 30
ADDRESSES = addresses_in_namespaces(["a", "b"])


class Host:
    def __init__(self, peer, other):
        command = [sys.executable, str(SCRIPT), peer, str(NUMBER), UNDERLAY[peer], UNDERLAY[other]]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.answer() == "up"

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_S)
        assert ready, f"no answer within {ANSWER_S} s"
        return self.process.stdout.readline().strip()

    def ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def join(a, b):
    """Join the two hosts by a pair of interfaces, which no other process of this machine sees."""
    from pyroute2 import NetNS

    with (
        NetNS(f"/proc/{a.process.pid}/ns/net") as one,
        NetNS(f"/proc/{b.process.pid}/ns/net") as two,
    ):
        far = {"ifname": "wire", "net_ns_pid": b.process.pid}
        one.link("add", ifname="wire", kind="veth", peer=far)
        for inside, peer in ((one, "a"), (two, "b")):
            (wire,) = inside.link_lookup(ifname="wire")
            inside.addr("add", index=wire, address=UNDERLAY[peer], prefixlen=24)
            inside.link("set", index=wire, state="up")


@pytest.fixture(scope="module")
def hosts():
    with contextlib.ExitStack() as held:
        a, b = Host("a", "b"), Host("b", "a")
        for each in (a, b):
            held.callback(each.close)
        join(a, b)
        assert a.ask("") == b.ask("") == "built"
        assert a.ask("listen") == "listening"
        yield a, b


def test_peers_of_two_hosts_reach_each_other(hosts):
    _, b = hosts
    assert float(b.ask(f"connect {ADDRESSES['a']}")) < 2


def test_each_host_does_its_end_of_a_link(hosts):
    a, b = hosts
    state = json.dumps({"rate_mbit_s": 1})  # 100,000 bytes then take 0.8 s, less what is stored
    assert a.ask(f"apply {state}") == b.ask(f"apply {state}") == "applied"
    slow_s = float(b.ask(f"connect {ADDRESSES['a']}"))
    cut = json.dumps({"cut": "drop"})
    assert a.ask(f"apply {cut}") == b.ask(f"apply {cut}") == "applied"
    assert b.ask(f"connect {ADDRESSES['a']}") == "TimeoutError"
    assert int(b.ask("counts")) > 0, "the receiver's host drops, and counts"
    assert a.ask("counts") == "packets to b are counted on the host that it lives on"
    clear = json.dumps({})
    assert a.ask(f"apply {clear}") == b.ask(f"apply {clear}") == "applied"
    assert float(b.ask(f"connect {ADDRESSES['a']}")) < slow_s
    assert slow_s > 0.5
