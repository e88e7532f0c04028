"""Samples of several hosts as one look: each process once, and no host is waited for too long."""

from __future__ import annotations

from prisam_p2p.hosts.remote_samples import RemoteSamples

HOSTS = {"h1", "h2"}


def _numbers(samples: RemoteSamples, hosts: set[str], now_s: float) -> list[int] | None:
    found = samples.take(hosts, now_s)
    return None if found is None else sorted(each.number for each in found)


def test_a_look_has_a_sample_of_each_host() -> None:
    samples = RemoteSamples(0.0)
    samples.add("h1", [(1, 10), (2, 10)])
    assert _numbers(samples, HOSTS, 1.0) is None
    samples.add("h2", [(3, 10)])
    assert _numbers(samples, HOSTS, 1.1) == [1, 2, 3]
    assert _numbers(samples, HOSTS, 1.2) is None  # nothing is seen twice


def test_a_newer_sample_takes_the_place_of_an_older_one() -> None:
    samples = RemoteSamples(0.0)
    samples.add("h1", [(1, 10)])
    samples.add("h1", [(1, 11)])
    found = samples.take({"h1"}, 1.0)
    assert found is not None
    assert [each.slot.progress for each in found] == [11]


def test_a_host_that_is_late_is_left_out() -> None:
    samples = RemoteSamples(0.0)
    samples.add("h1", [(1, 10)])
    assert _numbers(samples, HOSTS, 2.9) is None
    assert _numbers(samples, HOSTS, 3.0) == [1]


def test_a_host_without_processes_is_not_waited_for() -> None:
    samples = RemoteSamples(0.0)
    samples.add("h1", [(1, 10)])
    assert _numbers(samples, {"h1"}, 0.5) == [1]
    assert _numbers(samples, set(), 9.0) is None
