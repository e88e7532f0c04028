from types import SimpleNamespace

import pytest

from prisam_p2p.learn import pace
from prisam_p2p.learn.pace import Pace


class Host:
    """A fake clock, advanced by steps (CPU and wall time) and by sleeps (wall time)."""

    def __init__(self):
        self.cpu_s = self.wall_s = 50.0
        self.slept = []
        self.time = SimpleNamespace(
            thread_time=lambda: self.cpu_s,
            monotonic=lambda: self.wall_s,
        )

    def step(self, cpu_s, waiting_s=0.0):
        self.cpu_s += cpu_s
        self.wall_s += cpu_s + waiting_s

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.wall_s += seconds


@pytest.fixture
def host(monkeypatch):
    host = Host()
    monkeypatch.setattr(pace, "time", host.time)
    return host


@pytest.mark.parametrize("speed", [0.1, 0.25, 0.5])
def test_wall_time_is_cpu_time_over_speed(host, speed):
    paced = Pace(speed, host.sleep)
    for _ in range(5):
        host.step(0.2)
        paced.after_step()
        assert paced.wall_s == pytest.approx(paced.cpu_s / speed)
    assert paced.cpu_s == pytest.approx(1.0)
    assert host.slept == pytest.approx([0.2 / speed - 0.2] * 5)


def test_time_that_other_processes_used_counts_as_time_passed(host):
    paced = Pace(0.5, host.sleep)
    host.step(1.0, waiting_s=0.25)
    paced.after_step()
    assert host.slept == pytest.approx([0.75])


def test_on_a_busy_host_training_does_not_sleep_until_it_has_caught_up(host):
    paced = Pace(0.5, host.sleep)
    host.step(1.0, waiting_s=2.0)
    paced.after_step()
    host.step(1.0)
    paced.after_step()
    host.step(1.0)
    paced.after_step()
    assert host.slept == pytest.approx([0.0, 0.0, 1.0])
    assert paced.wall_s == pytest.approx(6.0)


def test_at_full_speed_training_never_sleeps_but_can_be_stopped(host):
    paced = Pace(1.0, host.sleep)
    for _ in range(3):
        host.step(0.3)
        paced.after_step()
    assert host.slept == [0.0] * 3


def test_an_exception_from_sleep_ends_the_training(host):
    def stop(_seconds):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Pace(1.0, stop).after_step()


def test_times_count_from_construction(host):
    host.step(9.0)
    paced = Pace(0.5, host.sleep)
    assert (paced.cpu_s, paced.wall_s) == (0.0, 0.0)
    host.step(1.0, waiting_s=2.0)
    assert (paced.cpu_s, paced.wall_s) == (1.0, 3.0)
