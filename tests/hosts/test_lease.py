"""Leases of hosts, alone and as a whole protocol in a simulation with every trouble there is."""

import heapq
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prisam_p2p.hosts.lease import CLOCK_RATES, ENDING_S, RENEWALS, HeldLease, HostLeases

# -- the agent's side --------------------------------------------------------------------


def test_lease_runs_from_when_the_request_was_sent():
    lease = HeldLease(10.0, asked_s=100.0)
    number = lease.ask(103.0)
    lease.answered(number)  # at whatever time
    assert lease.ends_s == 113.0
    assert not lease.is_over(112.9)
    assert lease.is_over(113.0)


def test_lease_that_has_passed_is_over_whatever_answers_come():
    lease = HeldLease(10.0, asked_s=0.0)
    number = lease.ask(9.0)
    assert lease.is_over(10.0)
    lease.answered(number)
    assert lease.is_over(10.1)


def test_answers_that_overtake_each_other_do_not_shorten_a_lease():
    lease = HeldLease(10.0, asked_s=0.0)
    first, second = lease.ask(2.0), lease.ask(4.0)
    assert lease.answered(second) == 4.0
    assert lease.answered(first) is None
    assert lease.ends_s == 14.0


def test_answer_to_what_was_never_asked_is_of_no_use():
    lease = HeldLease(10.0, asked_s=0.0)
    assert lease.answered(7) is None
    assert lease.ends_s == 10.0


def test_requests_are_due_some_times_a_lease():
    lease = HeldLease(10.0, asked_s=50.0)
    assert lease.next_s() == 50.0 + 10.0 / RENEWALS
    lease.ask(53.0)
    assert lease.next_s() == 53.0 + 10.0 / RENEWALS


# -- the launcher's side -----------------------------------------------------------------


def looked(leases, times):
    return [loss for now_s in times for loss in leases.look(now_s)]


def test_silent_host_is_lost_when_its_lease_is_over():
    leases = HostLeases(10.0, 0.0)
    leases.begin("h1", 0.0)
    leases.begin("h2", 0.0)
    for now_s in range(1, 10):
        assert leases.renew("h1", float(now_s))
        assert leases.look(float(now_s)) == []
    (loss,) = leases.look(10.0)
    assert (loss.host, loss.silent_s) == ("h2", 10.0)
    assert "lease" in loss.reason
    assert leases.is_lost("h2")
    assert not leases.is_lost("h1")


def test_lost_host_is_told_of_once_and_never_answered_again():
    leases = HostLeases(10.0, 0.0)
    leases.begin("h1", 0.0)
    assert len(looked(leases, [2.0 * i for i in range(10)])) == 1
    assert not leases.renew("h1", 20.0)
    assert leases.look(20.0) == []


def test_host_is_lost_at_once_where_the_engine_or_the_line_says_so():
    leases = HostLeases(10.0, 0.0)
    leases.begin("h1", 0.0)
    leases.lose("h1", "Ray: the node has died", 1.5)
    leases.lose("h1", "the line ended", 1.6)
    (loss,) = leases.look(1.7)
    assert (loss.host, loss.reason, loss.silent_s) == ("h1", "Ray: the node has died", 1.5)


def test_replacement_waits_for_the_lease_though_the_loss_was_told_early():
    leases = HostLeases(10.0, 0.0)
    leases.begin("h1", 0.0)
    leases.renew("h1", 5.0, bound_s=0.25)
    leases.lose("h1", "the line ended", 6.0)
    (loss,) = leases.look(6.0)
    assert loss.free_s == 5.0 + 10.0 * CLOCK_RATES + 0.25 + ENDING_S


def test_launcher_that_was_stopped_hears_before_it_counts_hosts_as_lost():
    leases = HostLeases(10.0, 0.0)
    leases.begin("h1", 0.0)
    assert leases.look(60.0) == []
    assert leases.renew("h1", 60.1)
    assert looked(leases, [61.0, 63.0, 65.0, 67.0, 69.0]) == []
    assert [loss.host for loss in looked(leases, [70.5])] == ["h1"]


def test_stranger_is_not_answered():
    leases = HostLeases(10.0, 0.0)
    assert not leases.renew("h9", 1.0)
    leases.lose("h9", "the line ended", 1.0)
    assert leases.look(1.0) == []


# -- both sides, and what lies between ---------------------------------------------------

LEASE_S = 4.0
ENDS_S = 60.0

LOOKS_EVERY_S = 0.2
"""How often the launcher looks, and agent and zygote look at their leases."""


class Simulation:
    """A launcher, and one host whose agent and zygote each hold the lease.

    Time is the launcher's clock. The zygote's processes live until it, or the agent, kills them.

    Args:
        rate: seconds of the host's clock in a second.
        ahead_s: what the host's clock shows at time 0.
        delays_s: of the messages, over and over; None = the message is lost.
        cuts: (way, begin, end): nothing that is sent this way, "up" or "down", arrives.
        stops: (who, begin, end): "launcher", "agent" or "zygote" does nothing meanwhile, and takes
            in what came when it goes on.
        engine_says_s: when the engine tells the launcher that the host is lost, None = never.
        runs_from: when the agent's lease runs from, "asked" as it should, or "answered".
    """

    def __init__(self, rate, ahead_s, delays_s, cuts, stops, engine_says_s=None, runs_from="asked"):
        self.rate, self.ahead_s = rate, ahead_s
        self.delays_s, self.cuts, self.stops = itertools.cycle(delays_s), cuts, stops
        self.runs_from = runs_from
        self.queue, self.order = [], itertools.count()
        self.leases = HostLeases(LEASE_S, 0.0)
        self.leases.begin("h1", 0.0)
        self.lease = HeldLease(LEASE_S, self.host_s(0.0))
        self.zygote_ends_s = self.lease.ends_s
        self.peers_ended_s = self.lost_s = self.replaced_s = None
        for each in (self.agent_looks, self.zygote_looks, self.launcher_looks):
            self.at(LOOKS_EVERY_S, each)
        if engine_says_s is not None:
            self.at(engine_says_s, lambda now_s: self.leases.lose("h1", "it says so", now_s))

    def run(self):
        while self.queue and self.queue[0][0] < ENDS_S:
            now_s, _, act = heapq.heappop(self.queue)
            act(now_s)
        return self

    def at(self, time_s, act):
        heapq.heappush(self.queue, (time_s, next(self.order), act))

    def host_s(self, time_s):
        return self.ahead_s + self.rate * time_s

    def send(self, way, now_s, act):
        delay_s = next(self.delays_s)
        cut = any(way == which and begin <= now_s < end for which, begin, end in self.cuts)
        if delay_s is not None and not cut:
            self.at(now_s + delay_s, act)

    def wakes_s(self, who, now_s):
        """Return when `who` can act, if it would now."""
        ends = [end for which, begin, end in self.stops if which == who and begin <= now_s < end]
        return max(ends, default=now_s)

    def whenever(self, who, act):
        """Return `act`, put off until `who` is not stopped."""

        def awake(now_s):
            if (wakes_s := self.wakes_s(who, now_s)) > now_s:
                self.at(wakes_s, awake)
            else:
                act(now_s)

        return awake

    def kill_peers(self, now_s):
        if self.peers_ended_s is None:
            self.peers_ended_s = now_s

    def agent_looks(self, now_s):
        if (wakes_s := self.wakes_s("agent", now_s)) > now_s:
            return self.at(wakes_s, self.agent_looks)
        if self.lease.is_over(self.host_s(now_s)):
            return self.kill_peers(now_s)
        if self.host_s(now_s) >= self.lease.next_s():
            number = self.lease.ask(self.host_s(now_s))
            hear = self.whenever("launcher", lambda at_s: self.launcher_hears(number, at_s))
            self.send("up", now_s, hear)
        return self.at(now_s + LOOKS_EVERY_S, self.agent_looks)

    def agent_hears(self, number, now_s):
        if self.lease.is_over(self.host_s(now_s)):
            return
        self.lease.answered(number)
        if self.runs_from == "answered":
            self.lease.ends_s = self.host_s(now_s) + LEASE_S
        ends_s = self.lease.ends_s
        self.at(now_s, self.whenever("zygote", lambda at_s: self.zygote_hears(ends_s, at_s)))

    def zygote_hears(self, ends_s, now_s):
        if self.host_s(now_s) < self.zygote_ends_s:
            self.zygote_ends_s = max(self.zygote_ends_s, ends_s)

    def zygote_looks(self, now_s):
        if (wakes_s := self.wakes_s("zygote", now_s)) > now_s:
            return self.at(wakes_s, self.zygote_looks)
        if self.host_s(now_s) >= self.zygote_ends_s:
            return self.kill_peers(now_s)
        return self.at(now_s + LOOKS_EVERY_S, self.zygote_looks)

    def launcher_hears(self, number, now_s):
        if self.leases.renew("h1", now_s):
            hear = self.whenever("agent", lambda at_s: self.agent_hears(number, at_s))
            self.send("down", now_s, hear)

    def launcher_looks(self, now_s):
        if (wakes_s := self.wakes_s("launcher", now_s)) > now_s:
            return self.at(wakes_s, self.launcher_looks)
        for loss in self.leases.look(now_s):
            self.lost_s = now_s
            self.at(max(now_s, loss.free_s), self.whenever("launcher", self.replace))
        return self.at(now_s + LOOKS_EVERY_S, self.launcher_looks)

    def replace(self, now_s):
        self.replaced_s = now_s

    @property
    def two_of_one_name(self):
        """Whether the host's peers lived on when others took their places."""
        if self.replaced_s is None:
            return False
        return self.peers_ended_s is None or self.peers_ended_s >= self.replaced_s


spans = st.tuples(st.floats(0, ENDS_S), st.floats(0, 15)).map(lambda s: (s[0], s[0] + s[1]))


def during(*names):
    """Return a strategy of lists of (one of the names, begin, end)."""
    one = st.tuples(st.sampled_from(names), spans).map(lambda each: (each[0], *each[1]))
    return st.lists(one, max_size=4)


courses = st.builds(
    Simulation,
    rate=st.floats(0.9905, 1.0095),
    ahead_s=st.floats(0, 1e6),
    delays_s=st.lists(st.none() | st.floats(0, 0.3) | st.floats(0, 12), min_size=1, max_size=12),
    cuts=during("up", "down"),
    stops=during("launcher", "agent"),  # whoever stops the zygote, too, is for the fence
    engine_says_s=st.none() | st.floats(0, ENDS_S),
)


@settings(max_examples=300)
@given(courses)
def test_no_peer_is_replaced_while_an_agent_that_obeys_may_have_it(course):
    assert not course.run().two_of_one_name


@given(
    rate=st.floats(0.9999, 1.0001),
    ahead_s=st.floats(0, 1e6),
    delays_s=st.lists(st.floats(0, LEASE_S / 4), min_size=1, max_size=12),
)
def test_no_host_is_lost_while_messages_arrive(rate, ahead_s, delays_s):
    course = Simulation(rate, ahead_s, delays_s, [], []).run()
    assert course.lost_s is None
    assert course.peers_ended_s is None


@given(st.sampled_from(["up", "down"]), st.floats(0, 30), st.floats(0, 0.5))
def test_host_behind_a_cut_of_one_way_ends_its_peers(way, cut_s, delay_s):
    """The launcher notices it too, after the agent at the latest: that then asks no more."""
    course = Simulation(1.0, 0.0, [delay_s], [(way, cut_s, ENDS_S)], []).run()
    assert course.peers_ended_s <= cut_s + LEASE_S + 2 * delay_s + 2 * LOOKS_EVERY_S
    assert course.lost_s <= course.peers_ended_s + LEASE_S + delay_s + 2 * LOOKS_EVERY_S
    assert course.replaced_s > course.peers_ended_s


def test_simulation_finds_a_lease_that_runs_from_its_answer():
    """So the search above can fail: the last answer was 3 s on its way."""
    delays_s = [0.0, 3.0]
    cuts = [("up", 2.0, ENDS_S)]
    asked = Simulation(1.0, 0.0, delays_s, cuts, []).run()
    answered = Simulation(1.0, 0.0, delays_s, cuts, [], runs_from="answered").run()
    assert not asked.two_of_one_name
    assert answered.two_of_one_name


def test_simulation_finds_an_agent_that_is_stopped_with_its_zygote():
    """That host cannot obey; the fence is for it."""
    stops = [("agent", 10.0, 40.0), ("zygote", 10.0, 40.0)]
    course = Simulation(1.0, 0.0, [0.01], [], stops).run()
    assert course.two_of_one_name
    assert course.peers_ended_s == pytest.approx(40.0)
