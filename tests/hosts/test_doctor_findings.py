"""What `prisam doctor --on` makes of what the hosts told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prisam_p2p.hosts.doctor.findings import (
    ExaminedHost,
    HostLack,
    Way,
    lacks,
    median_ms,
    pairs,
    rated_pairs,
    together,
)


def _probe(what: str) -> dict[str, Any]:
    return {"what": what, "available": False, "detail": "not here", "costs": "something"}


_HERE: dict[str, Any] = {
    "python": "3.11.2",
    "versions": {"prisam-p2p": "0.1.0", "torch": "2.13.0"},
    "commit": "abc",
    "probes": [{"what": "veth", "available": True, "detail": "works", "costs": "no links"}],
}
_HOST = ExaminedHost(
    *("h2", "box", "10.77.0.2", 4, 1000, ("0",), "", 1500), clock_bound_s=0.0003, examined=_HERE
)


def _lacks(host: ExaminedHost) -> list[HostLack]:
    return lacks(_HERE, [host], [])


def test_a_host_like_the_launchers_lacks_nothing() -> None:
    assert lacks(_HERE, [_HOST], [Way("h1", "h2", rtt_ms=[0.1])]) == []


def test_a_port_that_is_not_reached_forbids_a_run_and_comes_first() -> None:
    found = lacks(_HERE, [replace(_HOST, gpus=())], [Way("h1", "h2", "timed out")])
    assert [(each.where, each.what, each.forbids) for each in found] == [
        ("h1 to h2", "ports", True),
        ("h2", "GPU", False),
    ]
    assert found[0].why == "timed out"


@pytest.mark.parametrize(
    ("difference", "what", "why", "forbids"),
    [
        ({"python": "3.12.1"}, "Python", "3.12.1; the launcher has 3.11.2", False),
        (
            {"versions": {"prisam-p2p": "0.1.0", "torch": "2.12.0"}},
            *("torch", "2.12.0; the launcher has 2.13.0", False),
        ),
        (
            {"versions": {"prisam-p2p": "0.1.0"}},
            *("torch", "none; the launcher has 2.13.0", False),
        ),
        (
            {"versions": {"prisam-p2p": "0.2.0", "torch": "2.13.0"}},
            *("prisam-p2p", "0.2.0; the launcher has 0.1.0", True),
        ),
        ({"commit": ""}, "code", "an installed release; the launcher has abc", False),
    ],
)
def test_other_versions_are_named_with_both(
    difference: dict[str, Any], what: str, why: str, forbids: bool
) -> None:
    (found,) = _lacks(replace(_HOST, examined=_HERE | difference))
    assert (found.where, found.what, found.why, found.forbids) == ("h2", what, why, forbids)


@pytest.mark.parametrize(
    ("host", "what", "why"),
    [
        (replace(_HOST, kernel="no sock_diag"), "kernel counters", "no sock_diag"),
        (replace(_HOST, clock_bound_s=None), "clock", "no exchange with the launcher was answered"),
        (replace(_HOST, clock_bound_s=0.025), "clock", "known to 25.0 ms only"),
        (replace(_HOST, gpus=()), "GPU", "none is seen"),
        (
            replace(
                _HOST,
                examined=_HERE | {"probes": [_probe("veth"), _probe("cgroup v2 memory")]},
            ),
            *("cgroup v2 memory", "not here"),
        ),
    ],
)
def test_what_a_host_lacks_is_named_with_what_it_costs(
    host: ExaminedHost, what: str, why: str
) -> None:
    (found,) = _lacks(host)
    assert (found.where, found.what, found.why) == ("h2", what, why)
    assert found.costs


def test_all_pairs_are_reached_and_the_rate_is_measured_around_a_ring_both_ways() -> None:
    assert len(pairs(["a", "b", "c"])) == 6
    assert set(rated_pairs(["a", "b", "c"])) == set(pairs(["a", "b", "c"]))
    assert rated_pairs(["a", "b"]) == [("a", "b"), ("b", "a")]
    assert rated_pairs(["a"]) == []
    assert len(rated_pairs(list("abcdefghij"))) == 20


def test_the_median_of_round_trips() -> None:
    assert median_ms(Way("a", "b", rtt_ms=[3.0, 1.0, 2.0])) == 2.0
    assert median_ms(Way("a", "b", "refused")) is None


def test_lacks_that_are_alike_are_told_once_with_all_their_hosts() -> None:
    found = [HostLack(host, "GPU", "none", "c") for host in ("h1", "h3")]
    other = HostLack("h2", "clock", "late", "c")
    assert together([found[0], other, found[1]]) == [HostLack("h1, h3", "GPU", "none", "c"), other]
