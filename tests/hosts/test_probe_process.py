"""The process that examines a host: two of them reach each other over this machine's loopback."""

from __future__ import annotations

import json
import selectors
import time
from collections.abc import Iterator
from typing import Any

import pytest

from prisam_p2p.hosts.doctor.probe_child import ProbeChild
from prisam_p2p.system.host import package_versions
from prisam_p2p.system.listening_ports import PORTS


@pytest.fixture
def two() -> Iterator[list[ProbeChild]]:
    started = [ProbeChild(), ProbeChild()]
    yield started
    for each in started:
        each.close()


def _ask(probe: ProbeChild, order: dict[str, Any]) -> dict[str, Any]:
    """Send an order and return its answer."""
    probe.send(json.dumps(order).encode() + b"\n")
    data, deadline_s = b"", time.monotonic() + 60.0
    while not data.endswith(b"\n"):
        with selectors.DefaultSelector() as selector:
            selector.register(probe, selectors.EVENT_READ)
            assert selector.select(deadline_s - time.monotonic()), f"no answer to {order}"
        part = probe.receive()
        assert part, f"the process ended at {order}"
        data += part
    return json.loads(data)  # type: ignore[no-any-return]


def test_one_reaches_the_other_and_measures_the_way(two: list[ProbeChild]) -> None:
    one, other = two
    port = _ask(other, {"listen": "127.0.0.1"})["listening"]
    assert port in PORTS  # as peers do: a firewall may let nothing else through
    reached = _ask(one, {"reach": ["h2", "127.0.0.1", port]})
    assert (reached["reached"], reached["why_not"], len(reached["rtt_ms"])) == ("h2", "", 20)
    assert min(reached["rtt_ms"]) > 0
    rated = _ask(one, {"rate": ["h2", "127.0.0.1", port]})
    assert rated["mbit_s"] > 0


def test_a_port_at_which_nobody_listens_is_not_reached(two: list[ProbeChild]) -> None:
    one, _ = two
    answer = _ask(one, {"reach": ["h2", "127.0.0.1", 1]})
    assert answer == {"reached": "h2", "why_not": "Connection refused"}


def test_a_host_tells_its_versions_and_what_it_can_do(two: list[ProbeChild]) -> None:
    examined = _ask(two[0], {"examine": True})["examined"]
    assert examined["versions"] == package_versions()
    assert "sock_diag" in {each["what"] for each in examined["probes"]}
