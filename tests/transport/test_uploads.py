from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import WINDOW_CHUNKS, Pull
from prisam_p2p.transport.sessions import Session
from prisam_p2p.transport.snapshots import SnapshotStore, snapshot_of
from prisam_p2p.transport.upload_stops import StopReached
from prisam_p2p.transport.uploads import OFFER_TIMEOUT_S, RETRY_MS, Uploads
from prisam_p2p.wire.messages import (
    Busy,
    Channel,
    ChunkRequest,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
)

CHUNK = 16
LAYOUT = one_layer()  # 196 bytes dense: twelve chunks and a quarter
WEIGHTS = random_weights(LAYOUT)
SNAPSHOT = snapshot_of(LAYOUT, 3, WEIGHTS)
N_BYTES = len(SNAPSHOT.buffer)
N_CHUNKS = -(-N_BYTES // CHUNK)
IDLE_S = 60.0


def session(neighbor, connection=0):
    """Return a session of a neighbor, by the first connection that it opened or a later one."""
    sender = f"{neighbor}{connection}".encode()
    return Session(neighbor, Channel.BULK, sender, descriptor=5, incarnation=0)


A, B, C = map(session, "abc")


def chunk_request(i):
    return ChunkRequest(SNAPSHOT.offer.digest, i * CHUNK, CHUNK)


class Donor:
    """Uploads of one round, and a clock that only the test moves. Nothing is sent by itself."""

    def __init__(self, up=None, n_slots=8, stops=()):
        self.now_s, self.reached = 100.0, []
        self.store = SnapshotStore(LAYOUT, CHUNK)
        self.store.publish(SNAPSHOT)
        self.uploads = Uploads(self.store, Pacer(up), n_slots, IDLE_S)
        self.uploads.stop_at(stops, self.reached.append)

    def offer(self, requester, round_index=3, **fields):
        return self.uploads.offer(requester, WeightsRequest(round_index, **fields), self.now_s)

    def is_busy(self, requester):
        return isinstance(self.offer(requester), Busy)

    def ask(self, requester, *chunks):
        """Ask for chunks; return whether all of them are owed."""
        return all(self.uploads.owe(requester, chunk_request(i), self.now_s) for i in chunks)

    def send(self, most=None):
        """Send what is due, `most` answers at most; return (neighbor, chunk) of each."""
        went = []
        while len(went) != most and (due := self.uploads.next_due(self.now_s)):
            self.uploads.sent(due, self.now_s)
            went.append((due.requester.neighbor, due.answer.offset // CHUNK))
        return went

    def send_all(self):
        """Send all that is owed, each at its time; return (seconds from now, neighbor, chunk)."""
        began_s, went = self.now_s, []
        while (wait_s := self.next_s) is not None:
            self.now_s += wait_s
            went += [(pytest.approx(self.now_s - began_s), *each) for each in self.send()]
        return went

    @property
    def next_s(self):
        return self.uploads.next_s(self.now_s)


# -- offers and slots ------------------------------------------------------------------------


def test_a_request_is_answered_with_the_offer_of_its_round():
    donor = Donor()
    assert donor.offer(A) == SNAPSHOT.offer
    assert donor.offer(A, round_index=4) == Unavailable(3)
    assert donor.next_s is None  # an offer owes nothing


def test_a_request_may_be_for_a_part():
    wanted = np.arange(LAYOUT.n_bits) % 2 == 0
    offer = Donor().offer(A, n_bits=LAYOUT.n_bits, bits=pack_bits(wanted))
    assert isinstance(offer, WeightsOffer)
    assert offer.bits == pack_bits(wanted)


def test_as_many_as_there_are_slots_get_an_offer_and_the_next_is_busy():
    donor = Donor(n_slots=2)
    assert [donor.offer(requester) for requester in (A, B, C)] == [
        SNAPSHOT.offer,
        SNAPSHOT.offer,
        Busy(RETRY_MS),
    ]


def test_a_requester_that_is_told_to_wait_holds_no_slot():
    donor = Donor(n_slots=1)
    assert [donor.is_busy(requester) for requester in (A, B)] == [False, True]
    donor.uploads.left(A)
    assert not donor.is_busy(C)


def test_what_cannot_be_offered_takes_no_slot():
    donor = Donor(n_slots=1)
    donor.offer(A, round_index=4)
    assert not donor.is_busy(B)


def test_a_requester_with_a_slot_may_ask_again():
    donor = Donor(n_slots=1)
    assert not donor.is_busy(A)
    donor.now_s += 0.75 * OFFER_TIMEOUT_S
    assert not donor.is_busy(A)
    donor.now_s += 0.75 * OFFER_TIMEOUT_S  # the slot was renewed
    assert donor.is_busy(B)


def test_an_offer_that_is_not_taken_up_frees_its_slot():
    donor = Donor(n_slots=1)
    donor.offer(A)
    donor.now_s += OFFER_TIMEOUT_S - 0.01
    assert donor.is_busy(B)
    donor.now_s += 0.02
    assert not donor.is_busy(B)
    assert donor.is_busy(A)  # the slot is the other one's now


def test_a_requester_that_asks_for_no_more_chunks_loses_its_slot():
    donor = Donor(n_slots=1)
    donor.offer(A)
    donor.ask(A, 0)
    donor.send()
    donor.now_s += IDLE_S - 0.01
    assert donor.is_busy(B)
    donor.now_s += 0.02
    assert not donor.is_busy(B)


def test_an_upload_goes_on_without_its_slot():
    donor = Donor(n_slots=1)
    donor.offer(A)
    donor.now_s += OFFER_TIMEOUT_S
    donor.offer(B)
    assert donor.ask(A, 0)
    assert donor.send() == [("a", 0)]


def test_a_new_request_for_weights_shortens_the_slot():
    donor = Donor(n_slots=1)
    donor.offer(A)
    donor.ask(A, 0)
    donor.offer(A)
    donor.now_s += OFFER_TIMEOUT_S
    assert not donor.is_busy(B)


def test_the_last_chunk_frees_the_slot():
    donor = Donor(n_slots=1)
    donor.offer(A)
    for i in range(N_CHUNKS):
        assert donor.is_busy(B)
        donor.ask(A, i)
        assert donor.send() == [("a", i)]
    assert not donor.is_busy(B)


def test_a_last_chunk_that_could_not_be_sent_does_not_free_the_slot():
    donor = Donor(n_slots=1)
    donor.offer(A)
    donor.ask(A, N_CHUNKS - 1)
    assert donor.uploads.next_due(donor.now_s)
    assert donor.is_busy(B)


@pytest.mark.parametrize("gone", [A, session("a", connection=1)], ids=["its own", "another"])
def test_only_the_session_that_ends_gives_its_slot_back(gone):
    donor = Donor(n_slots=1)
    donor.offer(A)
    donor.uploads.left(gone)
    assert donor.is_busy(B) is (gone is not A)


# -- the window ------------------------------------------------------------------------------


def test_chunks_beyond_the_window_are_not_owed():
    donor = Donor(up=1.0)
    window = range(WINDOW_CHUNKS)
    assert donor.ask(A, *window)
    assert not donor.ask(A, WINDOW_CHUNKS)
    assert donor.ask(B, *window)  # the window is each requester's own
    donor.send(1)
    assert donor.ask(A, WINDOW_CHUNKS)
    assert not donor.ask(A, WINDOW_CHUNKS + 1)
    assert [each for _, *each in donor.send_all()] == [
        *(["a", i] for i in window[1:]),
        *(["b", i] for i in window),
        ["a", WINDOW_CHUNKS],
    ]


def test_chunks_go_in_the_order_in_which_they_were_asked_for():
    donor = Donor()
    order = [(A, 0), (B, 0), (B, 1), (A, 5), (C, 0), (A, 1)]
    for requester, i in order:
        donor.ask(requester, i)
    assert donor.send() == [(requester.neighbor, i) for requester, i in order]


def test_a_chunk_that_is_offered_no_more_is_unavailable_and_costs_nothing():
    donor = Donor(up=1.0)
    donor.ask(A, 0)
    for t in (4, 5):
        donor.store.publish(snapshot_of(LAYOUT, t, random_weights(LAYOUT, seed=t)))
    due = donor.uploads.next_due(donor.now_s)
    assert (due.requester, due.answer) == (A, Unavailable(5))
    donor.uploads.sent(due, donor.now_s)
    donor.ask(A, 0)
    assert donor.next_s == 0


# -- the rate --------------------------------------------------------------------------------


def test_chunks_are_spaced_by_the_upload_rate():
    donor = Donor(up=CHUNK / 0.5)
    donor.ask(A, 0, 1)
    donor.ask(B, 0)
    assert donor.send_all() == [(0, "a", 0), (0.5, "a", 1), (1.0, "b", 0)]


def test_nothing_is_due_before_its_time():
    donor = Donor(up=CHUNK / 0.5)
    donor.ask(A, 0, 1)
    assert donor.send() == [("a", 0)]
    assert donor.next_s == pytest.approx(0.5)
    donor.now_s += 0.49
    assert donor.uploads.next_due(donor.now_s) is None
    donor.now_s += 0.02
    assert donor.next_s == 0
    assert donor.send() == [("a", 1)]
    assert donor.next_s is None


def test_a_chunk_that_could_not_be_sent_does_not_delay_the_next():
    donor = Donor(up=1.0)
    donor.ask(A, 0)
    donor.ask(B, 0)
    assert donor.uploads.next_due(donor.now_s).requester is A  # gone, or takes nothing in
    assert donor.send() == [("b", 0)]


# -- interruptions ---------------------------------------------------------------------------


@pytest.mark.parametrize("interrupt", [Uploads.left, Uploads.drop_requests])
def test_a_requester_that_left_is_owed_nothing_and_others_all(interrupt):
    donor = Donor()
    for requester in (A, B):
        donor.ask(requester, 0, 1)
    interrupt(donor.uploads, A)
    assert donor.send() == [("b", 0), ("b", 1)]
    assert donor.ask(A, *range(WINDOW_CHUNKS))  # its window is empty again


def test_a_session_that_ends_late_takes_nothing_from_its_successor():
    donor, again = Donor(), session("a", connection=1)
    donor.ask(A, 0)
    donor.ask(again, 1)
    donor.uploads.left(A)
    assert donor.send() == [("a", 1)]


def test_a_new_request_for_weights_drops_what_was_owed_for_the_last():
    donor = Donor()
    donor.ask(A, 0, 1)
    donor.offer(A)
    assert donor.send() == []


def test_a_pull_that_is_interrupted_goes_on_by_another_connection():
    donor, pull = Donor(), Pull(LAYOUT, "donor", 3, CHUNK)
    for requester, n_chunks in ((A, 5), (session("a", connection=1), N_CHUNKS - 5)):
        pull.receive(donor.uploads.offer(requester, pull.first_request(), donor.now_s))
        for _ in range(n_chunks):
            while pull.wants_more:
                assert donor.uploads.owe(requester, pull.next_request(), donor.now_s)
            due = donor.uploads.next_due(donor.now_s)
            donor.uploads.sent(due, donor.now_s)
            pull.receive(due.answer)
        donor.uploads.left(requester)
    assert pull.done
    assert pull.fetched_bytes == pull.n_bytes
    assert same(pull.weights(), WEIGHTS)


# -- stops -----------------------------------------------------------------------------------


def test_an_upload_waits_at_its_stop_and_others_pass():
    donor = Donor(stops=[(3, 0.5)])
    donor.ask(A, 5, 6)
    donor.ask(B, 7)
    assert donor.send() == [("a", 5), ("b", 7)]
    assert donor.reached == [StopReached((3, 0.5), "a", 3, 6 * CHUNK, N_BYTES)]
    assert donor.next_s is None  # for nothing that the clock could bring


def test_an_upload_that_waits_goes_on_when_it_is_let_go():
    donor = Donor(stops=[(3, 0.5)])
    donor.ask(A, 6, 7)
    assert donor.send() == []
    donor.uploads.go_on((3, 0.5))
    assert donor.next_s == 0
    assert donor.send() == [("a", 6), ("a", 7)]


def test_a_neighbor_that_waits_at_a_stop_waits_by_its_next_connection_too():
    donor, again = Donor(stops=[(3, 0.5)]), session("a", connection=1)
    donor.ask(A, 6)
    assert donor.send() == []
    donor.uploads.left(A)
    donor.ask(again, 0)
    assert donor.send() == []
    donor.uploads.go_on((3, 0.5))
    assert donor.send() == [("a", 0)]


# -- many requesters -------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(1, 6), st.sampled_from([None, 1000.0]))
def test_more_requesters_than_slots_are_all_served_and_never_more_at_once(n_slots, n, up):
    donor = Donor(up=up, n_slots=n_slots)
    waiting = deque(session(f"p{i}") for i in range(n))
    pulls, served = {}, []
    while len(served) < n:
        for _ in range(len(waiting)):
            requester = waiting.popleft()
            pull = Pull(LAYOUT, "donor", 3, CHUNK)
            answer = donor.uploads.offer(requester, pull.first_request(), donor.now_s)
            if isinstance(answer, Busy):
                waiting.append(requester)
            else:
                pull.receive(answer)
                pulls[requester] = pull
        assert 0 < len(pulls) <= n_slots
        for requester, pull in pulls.items():
            while pull.wants_more:
                assert donor.uploads.owe(requester, pull.next_request(), donor.now_s)
        donor.now_s += donor.next_s
        due = donor.uploads.next_due(donor.now_s)
        donor.uploads.sent(due, donor.now_s)
        pulls[due.requester].receive(due.answer)
        if pulls[due.requester].done:
            assert same(pulls.pop(due.requester).weights(), WEIGHTS)
            served.append(due.requester)
    assert len(set(served)) == n
