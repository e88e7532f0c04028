"""When an agent asks, and what it learns from the answers."""

import pytest

from prisam_p2p.hosts.clock import QUICK_EXCHANGES
from prisam_p2p.hosts.lease import RENEWALS
from prisam_p2p.hosts.messages import Renew, Renewed
from prisam_p2p.hosts.renewals import MOST_PARTS, WAITING_S, Renewals

LEASE_S = 10.0
AHEAD_S = 500.0
"""Of the launcher's clock."""
WAY_S = 0.001


def answer(renewals, asked, now_s):
    """Answer a question that was sent at `now_s`; return when the answer is there."""
    renewals.answered(Renewed(asked.renewal, now_s + WAY_S + AHEAD_S), now_s + 2 * WAY_S)
    return now_s + 2 * WAY_S


def after_the_quick_ones(now_s=0.0):
    """Return a run's renewals, and the time when the quick questions are answered."""
    renewals = Renewals(now_s)
    renewals.begin(LEASE_S, now_s)
    assert not renewals.knows_clock
    for _ in range(QUICK_EXCHANGES):
        now_s = answer(renewals, renewals.ask(now_s), now_s)
    return renewals, now_s


def test_it_asks_quickly_at_first_each_time_when_it_was_answered():
    renewals = Renewals(0.0)
    renewals.begin(LEASE_S, 0.0)
    first = renewals.ask(0.0)
    assert first == Renew(1, None, None)
    assert renewals.ask(0.1) is None
    now_s = answer(renewals, first, 0.0)
    assert renewals.ask(now_s) == Renew(2, AHEAD_S, pytest.approx(WAY_S, rel=0.01))
    assert not renewals.knows_clock


def test_a_quick_question_without_an_answer_is_asked_again():
    renewals = Renewals(0.0)
    assert renewals.ask(0.0)
    assert renewals.ask(0.4) is None
    assert renewals.ask(0.5).renewal == 2


def test_afterwards_it_asks_some_times_a_lease():
    renewals, now_s = after_the_quick_ones()
    assert renewals.knows_clock
    assert renewals.ask(now_s) is None
    assert renewals.next_s() == pytest.approx(now_s + LEASE_S / RENEWALS, abs=0.01)
    assert renewals.ask(renewals.next_s()) is not None


def test_it_can_ask_quickly_again():
    renewals, now_s = after_the_quick_ones()
    renewals.ask_quickly()
    assert not renewals.knows_clock
    assert renewals.ask(now_s) is not None


def test_the_lease_of_a_run_begins_with_it():
    renewals = Renewals(0.0)
    assert not renewals.is_over(WAITING_S - 0.1)
    renewals.begin(LEASE_S, 100.0)
    assert renewals.ends_s == 100.0 + LEASE_S
    assert renewals.is_over(100.0 + LEASE_S)


def test_without_a_run_an_agent_does_not_wait_for_ever():
    assert Renewals(5.0).is_over(5.0 + WAITING_S)


def test_an_answer_from_before_the_run_does_not_end_its_lease_early():
    renewals = Renewals(0.0)
    early = renewals.ask(0.0)
    renewals.begin(LEASE_S, 60.0)
    answer(renewals, early, 0.0)
    assert renewals.ends_s == 60.0 + LEASE_S


def test_only_so_many_parts_are_on_their_way():
    renewals, now_s = after_the_quick_ones()
    sent = 0
    while renewals.takes_part:
        renewals.part_sent()
        sent += 1
    assert sent == MOST_PARTS
    assert not renewals.all_arrived
    asked = renewals.ask(now_s)
    assert asked is not None
    assert renewals.ask(now_s) is None
    answer(renewals, asked, now_s)
    assert renewals.takes_part
    assert renewals.all_arrived


def test_an_answer_says_nothing_of_parts_that_were_sent_after_its_question():
    renewals, now_s = after_the_quick_ones()
    asked = renewals.ask_now(now_s)
    renewals.part_sent()
    answer(renewals, asked, now_s)
    assert not renewals.all_arrived
    assert renewals.next_s() == pytest.approx(now_s + 0.5)  # so it is asked again before long


def test_an_answer_to_no_question_is_of_no_use():
    renewals, now_s = after_the_quick_ones()
    ends_s = renewals.ends_s
    renewals.answered(Renewed(999, 0.0), now_s)
    assert renewals.ends_s == ends_s
    assert renewals.offset(now_s).offset_s == pytest.approx(AHEAD_S)
