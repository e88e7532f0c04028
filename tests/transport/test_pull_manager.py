import itertools
import math
from collections import deque

import numpy as np
import pytest
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.transport import events
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import WINDOW_CHUNKS, Pull
from prisam_p2p.transport.pull_manager import Patience, PullManager
from prisam_p2p.transport.snapshots import SnapshotStore, snapshot_of
from prisam_p2p.transport.spool import Spool
from prisam_p2p.wire.messages import Busy, ChunkRequest, Unavailable, WeightsRequest

CHUNK = 16
LAYOUT = one_layer()  # 196 bytes dense: twelve chunks and a quarter
WEIGHTS, OTHERS = random_weights(LAYOUT), random_weights(LAYOUT, seed=1)


def donor_of(weights=WEIGHTS, round_index=3):
    store = SnapshotStore(LAYOUT, CHUNK)
    store.publish(snapshot_of(LAYOUT, round_index, weights))
    return store


class World:
    """Pulls, the donors that they ask, and a clock that only the test moves."""

    def __init__(
        self, timeout_s=10.0, least_bytes_s=0.0, resume_s=0.0, down=None, held=None, donors="b"
    ):
        self.now_s = 100.0
        self.donors = {donor: donor_of() for donor in donors}
        self.reachable = set(donors)
        self.asked, self.told = deque(), []
        self.held = held
        patience = Patience(timeout_s, least_bytes_s, resume_s)
        self.pulls = PullManager(patience, Pacer(down), self.ask, self.told.append)

    def ask(self, donor, request):
        if donor not in self.reachable:
            return False
        self.asked.append((donor, request))
        return True

    def start(self, donor="b", round_index=3, timeout_s=math.inf):
        held = {} if self.held is None else {"held": self.held}
        pull = Pull(LAYOUT, donor, round_index, CHUNK, **held)
        self.pulls.start(pull, self.now_s, timeout_s)
        return pull

    def open(self, donor="b"):
        self.pulls.open(donor, self.now_s)

    def begin(self, **more):
        """Return a pull whose offer is here and whose window is asked for."""
        pull = self.start(**more)
        self.open()
        self.answer()
        return pull

    def answer(self, n=1):
        """Have the donors answer the `n` oldest requests."""
        for _ in range(n):
            donor, request = self.asked.popleft()
            self.receive(self.donors[donor].answer(request), donor)

    def answer_oldest_of(self, donor):
        request = next(request for asked, request in self.asked if asked == donor)
        self.asked.remove((donor, request))
        self.receive(self.donors[donor].answer(request), donor)

    def receive(self, message, donor="b"):
        return self.pulls.receive(donor, message, self.now_s)

    def lose_connection(self, donor="b"):
        """Whatever was asked is not answered."""
        self.asked.clear()
        self.pulls.donor_gone(donor, self.now_s)

    def after(self, seconds):
        """Let time pass, and wake the pulls where they asked for it, as the IO thread does."""
        end_s = self.now_s + seconds
        while self.next_s is not None and self.now_s + self.next_s < end_s:
            self.now_s = min(end_s, self.now_s + max(self.next_s, 0.001))
            self.pulls.keep_time(self.now_s)
        self.now_s = end_s
        self.pulls.keep_time(self.now_s)

    def finish(self):
        while self.asked:
            self.answer()

    @property
    def next_s(self):
        return self.pulls.next_s(self.now_s)

    @property
    def offsets(self):
        return [r.offset // CHUNK for _, r in self.asked if isinstance(r, ChunkRequest)]


def lost(reason, donor="b"):
    return events.PullLost(donor, 3, reason)


def test_a_pull_from_its_start_to_its_end():
    world = World()
    pull = world.start()
    assert not world.asked  # there is no connection yet
    world.open()
    assert list(world.asked) == [("b", WeightsRequest(3))]
    world.answer()
    assert world.offsets == [0, 1, 2, 3]
    world.now_s += 2.5
    world.finish()
    assert world.told == [events.PullDone(pull, 2.5)]
    assert world.told[0].began_s == world.now_s - 2.5
    assert same(pull.weights(), WEIGHTS)
    assert world.next_s is None


def test_an_answer_that_no_pull_waits_for_is_not_taken():
    world = World()
    offer = world.donors["b"].answer(WeightsRequest(3))
    assert not world.receive(offer)
    assert not world.receive(Busy(5))
    world.start(round_index=4)
    assert not world.receive(offer)
    assert not world.receive(offer, "c")


def test_a_donor_without_the_round_is_lost_at_once():
    world = World()
    world.start()
    world.open()
    world.receive(Unavailable(7))
    assert world.told == [lost("holds no weights of round 3, is at 7")]


def test_weights_that_do_not_fit_into_memory_are_lost_and_nothing_else_is(monkeypatch):
    world = World(donors="bc")

    def no_memory(_message):
        raise MemoryError

    monkeypatch.setattr(world.start("b"), "receive", no_memory)
    world.start("c")
    for donor in "bc":
        world.open(donor)
    world.answer(2)
    assert world.told == [lost("no memory for it on this device")]
    world.finish()
    assert isinstance(world.told[1], events.PullDone)


def test_a_pull_is_lost_once():
    world = World()
    world.start()
    for _ in range(2):
        world.now_s += 1.5
        world.pulls.lose("b", "enough", world.now_s)
    assert world.told == [lost("enough")]
    assert world.told[0].wall_s == 1.5
    assert world.told[0].began_s == world.now_s - 3.0


# -- donors that are slow --------------------------------------------------------------------


@pytest.mark.parametrize("n_answers", [0, 1, 2, 5])
def test_a_donor_that_stops_is_given_up(n_answers):
    world = World(timeout_s=10)
    world.start()
    world.open()
    for _ in range(n_answers):
        world.after(9)
        world.answer()
    world.after(9.99)
    assert not world.told
    world.after(0.01)
    assert world.told == [lost("no byte for 10 s")]


def test_an_absent_donor_is_given_up():
    world = World(timeout_s=10)
    world.start()
    world.after(10)
    assert world.told == [lost("no byte for 10 s")]


def test_a_donor_that_moves_but_is_too_slow_is_given_up():
    world = World(timeout_s=10, least_bytes_s=CHUNK / 4)
    world.begin()
    for _ in range(2):
        world.after(4.9)
        world.answer()
        assert not world.told
    world.after(0.2)
    assert world.told == [lost("3 bytes/s over 10 s")]  # 32 bytes in 10


def test_a_donor_that_is_just_fast_enough_is_not():
    world = World(timeout_s=10, least_bytes_s=CHUNK / 4)
    pull = world.begin()
    while world.asked:
        world.after(3.3)  # three chunks in each ten seconds
        world.answer()
    assert [e.pull for e in world.told] == [pull]


def test_a_fast_start_does_not_excuse_what_follows():
    """The rate is measured over each timeout, not since the start."""
    world = World(timeout_s=10, least_bytes_s=CHUNK / 4)
    world.begin()
    world.answer(8)
    for _ in range(2):
        world.after(9.5)
        world.answer()
        assert not world.told
    world.after(1)  # the first ten seconds had nine chunks, the next ten one
    assert world.told == [lost("2 bytes/s over 10 s")]


def test_a_wait_for_the_own_rate_is_not_the_donors_fault():
    """Ten bytes a second go down: a chunk takes 1.6 s, the timeout is 1 s, the least is 1 kB/s."""
    world = World(timeout_s=1, least_bytes_s=1000, down=10.0)
    pull = world.begin()
    while not world.told:
        world.answer(len(world.asked))  # at once
        if world.told:
            break
        assert world.next_s > 0
        world.after(world.next_s)
    (done,) = world.told
    assert done.pull is pull
    assert done.wall_s == pytest.approx(12 * 1.6)  # the last chunk waits for all before


def test_a_donor_that_stops_is_given_up_though_the_own_rate_holds_back_too():
    world = World(timeout_s=1, down=10.0)
    world.begin()
    assert world.offsets == [0]
    world.after(1.0)
    assert world.told == [lost("no byte for 1 s")]


# -- the deadline of a round's pulls ----------------------------------------------------------


def test_pulls_that_make_progress_are_given_up_at_the_deadline():
    world = World(timeout_s=2, donors="bc")
    for donor in "bc":
        world.start(donor, timeout_s=5)
        world.open(donor)
    for _ in range(4):
        world.after(1)
        for donor in "bc":
            world.answer_oldest_of(donor)
    assert world.next_s == 1.0  # sooner than either would be found to make no progress
    world.after(0.99)
    assert not world.told
    world.after(0.01)
    assert world.told == [lost("not whole within 5 s", "b"), lost("not whole within 5 s", "c")]
    assert world.next_s is None


@pytest.mark.parametrize("state", ["not connected", "away", "silent", "busy", "held back"])
def test_the_deadline_holds_whatever_a_pull_waits_for(state):
    world = World(timeout_s=100, resume_s=100, down=1.0 if state == "held back" else None)
    if state == "not connected":
        world.start(timeout_s=3)
    else:
        world.begin(timeout_s=3)
    match state:
        case "away":
            world.lose_connection()
        case "silent":
            world.pulls.donor_silent("b", world.now_s)
        case "busy":
            world.receive(Busy(60_000))
        case "held back":
            world.answer()
    world.after(2.99)
    assert not world.told
    world.after(0.01)
    assert world.told == [lost("not whole within 3 s")]


def test_a_donor_that_is_back_has_no_more_time_than_was_left():
    world = World(resume_s=30)
    world.begin(timeout_s=10)
    world.lose_connection()
    world.after(9)
    world.open()
    assert world.next_s == 1.0
    world.after(1)
    assert world.told == [lost("not whole within 10 s")]


def test_a_pull_that_is_done_in_time_is_done():
    world = World()
    pull = world.begin(timeout_s=5)
    world.after(4)
    world.finish()
    world.after(10)
    assert world.told == [events.PullDone(pull, 4.0)]


def test_a_pull_without_progress_is_given_up_before_the_deadline():
    world = World(timeout_s=2)
    world.begin(timeout_s=5)
    world.after(2)
    assert world.told == [lost("no byte for 2 s")]


# -- donors that are gone, and back ----------------------------------------------------------


def test_a_donor_that_is_back_goes_on_where_it_was():
    world = World(resume_s=30)
    pull = world.begin()
    world.answer(5)
    world.lose_connection()
    world.after(29)
    assert not world.told
    world.open()
    assert list(world.asked) == [("b", WeightsRequest(3))]
    world.answer()
    assert world.offsets == [5, 6, 7, 8]
    world.finish()
    assert world.told == [events.PullDone(pull, 29.0)]
    assert pull.fetched_bytes == pull.n_bytes
    assert same(pull.weights(), WEIGHTS)


def test_a_donor_that_is_back_with_other_weights_is_pulled_from_the_start():
    world = World(resume_s=30)
    pull = world.begin()
    world.answer(5)
    world.lose_connection()
    world.donors["b"] = donor_of(OTHERS)
    world.open()
    world.answer()
    assert world.offsets == [0, 1, 2, 3]
    world.finish()
    assert same(pull.weights(), OTHERS)
    assert pull.fetched_bytes == 5 * CHUNK + pull.n_bytes


def test_a_donor_that_is_back_without_its_weights_is_lost():
    world = World(resume_s=30)
    world.begin()
    world.lose_connection()
    world.donors["b"] = donor_of(round_index=0)
    world.open()
    world.answer()
    assert world.told == [lost("holds no weights of round 3, is at 0")]


def test_a_donor_that_stays_away_is_given_up():
    world = World(timeout_s=10, resume_s=30)
    world.begin()
    world.lose_connection()
    assert world.next_s == 30
    world.after(12)
    world.lose_connection()  # to be told twice, by two connections, makes it no shorter
    world.after(17.9)
    assert not world.told  # though the timeout for a donor that is there is over
    assert world.next_s == pytest.approx(0.1)
    world.after(0.2)
    assert world.told == [lost("connection closed")]


def test_without_patience_a_donor_that_is_gone_is_given_up_at_once():
    world = World(resume_s=0)
    world.begin()
    world.lose_connection()
    assert world.next_s == 0
    world.after(0)
    assert world.told == [lost("connection closed")]


def test_its_absence_does_not_count_as_slowness():
    world = World(timeout_s=10, least_bytes_s=CHUNK, resume_s=30)
    world.begin()
    world.lose_connection()
    world.after(25)
    world.open()
    assert world.next_s == 10
    world.after(9.9)
    assert not world.told


def test_a_request_that_finds_no_connection_tells_that_the_donor_is_gone():
    world = World(resume_s=30)
    world.begin()
    world.reachable.clear()
    world.answer()
    world.after(30)
    assert world.told == [lost("connection closed")]


def test_a_connection_that_is_gone_before_the_first_request_is_noticed():
    world = World(resume_s=30)
    world.start()
    world.reachable.clear()
    world.open()
    assert world.next_s == 30


def test_one_donor_that_is_gone_does_not_hold_up_another():
    world = World(resume_s=30, donors="bc")
    world.start("b")
    other = world.start("c")
    for donor in "bc":
        world.open(donor)
    world.asked.popleft()
    world.pulls.donor_gone("b", world.now_s)
    world.finish()
    assert [e.pull for e in world.told] == [other]


def test_nobody_pulls_from_a_donor_that_comes_and_goes():
    world = World()
    world.pulls.donor_gone("b", world.now_s)
    world.open()
    assert not world.asked
    assert world.next_s is None


def test_a_silent_donor_has_as_long_as_one_whose_connection_is_gone():
    world = World(resume_s=5)
    world.begin()
    world.pulls.donor_silent("b", world.now_s)
    world.after(4.9)
    assert not world.told
    world.after(0.2)
    assert world.told == [lost("connection closed")]


@pytest.mark.parametrize("sign", ["bytes", "back"])
def test_a_sign_of_life_of_a_silent_donor_counts(sign):
    world = World(resume_s=5)
    world.begin()
    world.pulls.donor_silent("b", world.now_s)
    world.after(4)
    if sign == "bytes":
        world.answer()
    else:
        world.pulls.donor_back("b")
    world.after(4)
    assert not world.told
    world.after(1.5)
    assert bool(world.told) == (sign == "bytes")  # it said nothing since


# -- donors that are busy --------------------------------------------------------------------


def test_a_busy_donor_is_asked_again_when_it_said():
    world = World(timeout_s=0.2)
    pull = world.start()
    world.open()
    for _ in range(3):
        assert world.asked.popleft() == ("b", WeightsRequest(3))
        assert world.receive(Busy(250))
        assert world.next_s == pytest.approx(0.25)
        world.after(0.249)
        assert not world.asked
        world.after(0.002)
    world.finish()
    (done,) = world.told
    assert done.pull is pull


def test_a_wait_for_a_busy_donor_is_not_slowness():
    world = World(timeout_s=1, least_bytes_s=CHUNK)
    world.start()
    world.open()
    world.receive(Busy(60_000))
    world.after(59.9)
    assert not world.told
    world.after(0.1)
    world.after(0.99)
    assert not world.told
    world.after(0.01)
    assert world.told == [lost("no byte for 1 s")]


def test_a_busy_that_was_for_an_earlier_pull_does_not_disturb():
    """The offer comes right after it, for answers keep their order."""
    world = World()
    world.start()
    world.open()
    world.receive(Busy(250))
    world.answer()
    assert world.offsets == [0, 1, 2, 3]
    world.after(0.25)
    assert len(world.asked) == WINDOW_CHUNKS  # it does not ask what is offered once more
    world.finish()
    assert isinstance(world.told[0], events.PullDone)


def test_a_busy_donor_that_goes_away_is_waited_for_as_any():
    world = World(resume_s=5)
    world.start()
    world.open()
    world.receive(Busy(250))
    world.lose_connection()
    world.after(1)
    assert not world.asked
    world.after(4)
    assert world.told == [lost("connection closed")]


# -- what is here already, and turns ---------------------------------------------------------


def test_what_is_in_the_spool_is_not_asked_for():
    spool = Spool(10_000)
    world = World(held=lambda digest: spool.get("b", digest))
    first = world.begin()
    world.finish()
    spool.put("b", first.digest, first.buffer)
    second = world.start()
    world.open()
    world.answer()
    assert not world.asked
    assert [e.pull for e in world.told] == [first, second]
    assert (first.fetched_bytes, second.fetched_bytes) == (196, 0)
    assert same(second.weights(), WEIGHTS)
    world.donors["b"] = donor_of(OTHERS)
    third = world.begin()
    world.finish()
    assert third.fetched_bytes == 196
    spool.close()


def test_donors_take_turns_at_the_own_rate():
    world = World(timeout_s=1000, down=10.0, donors="bcd")
    for donor in "bcd":
        world.start(donor)
        world.open(donor)
    world.answer(3)
    asked = [donor for donor, _ in world.asked]
    while len(asked) < 9:
        world.asked.clear()
        world.after(world.next_s)
        asked += [donor for donor, _ in world.asked]
    assert [asked.count(donor) for donor in "bcd"] == [3, 3, 3]
    assert all(one != next_one for one, next_one in itertools.pairwise(asked))


def test_never_more_is_asked_for_than_the_window_of_each():
    world = World(donors="bc")
    for donor in "bc":
        world.start(donor)
        world.open(donor)
    world.answer(2)
    most = 0
    while world.asked:
        for donor in "bc":
            most = max(most, sum(d == donor for d, _ in world.asked))
        world.after(0.1)
        world.answer()
    assert most == WINDOW_CHUNKS
    assert len(world.told) == 2


def test_an_offer_of_nothing_kept_is_whole_after_its_few_bytes():
    world = World()
    world.donors["b"] = donor_of(random_weights(LAYOUT, mask=np.zeros(5, np.bool_)))
    pull = world.start()
    world.open()
    world.finish()
    assert pull.n_bytes == 16  # the linear layer's bias, a counter
    assert world.told == [events.PullDone(pull, 0.0)]
