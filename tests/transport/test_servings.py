"""A donor's account of pulls: uploads of one round, and a clock that only the test moves."""

import numpy as np
import pytest
from tiny_layouts import one_layer, random_weights

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.sessions import Session
from prisam_p2p.transport.snapshots import KEPT_ROUNDS, SnapshotStore, snapshot_of
from prisam_p2p.transport.uploads import Uploads
from prisam_p2p.wire.messages import Busy, Channel, Chunk, ChunkRequest, WeightsRequest

CHUNK = 64
LAYOUT = one_layer()  # 196 bytes dense: three chunks and a bit
N_BYTES = 196


def session(neighbor):
    return Session(neighbor, Channel.BULK, neighbor.encode(), descriptor=5, incarnation=0)


A, B = session("a"), session("b")


class Donor:
    def __init__(self, n_slots=8):
        self.now_s, self.served = 100.0, []
        self.store = SnapshotStore(LAYOUT, CHUNK)
        self.uploads = Uploads(self.store, Pacer(None), n_slots, 60.0, self.served.append)

    def publish(self, round_index):
        self.store.publish(snapshot_of(LAYOUT, round_index, random_weights(LAYOUT, round_index)))

    def ask(self, requester, round_index=3, **fields):
        request = WeightsRequest(round_index, **fields)
        return self.uploads.offer(requester, request, self.now_s)

    def fetch(self, requester, digest, *chunks):
        """Serve these chunks, each a second after the one before."""
        for i in chunks:
            self.now_s += 1
            request = ChunkRequest(digest, i * CHUNK, CHUNK)
            assert self.uploads.owe(requester, request, self.now_s)
            self.uploads.sent(self.uploads.next_due(self.now_s), self.now_s)

    def told(self):
        return [
            (each.to, each.round_index, each.latest_round, each.n_bytes, each.ending)
            for each in self.served
        ]


@pytest.fixture
def donor():
    made = Donor()
    made.publish(3)
    return made


def times(serving):
    return serving.began_s, serving.queued_s, serving.wall_s


def test_a_pull_from_its_request_to_its_last_byte(donor):
    donor.fetch(A, donor.ask(A).digest, 0, 1, 2, 3)
    assert donor.told() == [("a", 3, 3, N_BYTES, "whole")]
    assert times(donor.served[0]) == (100.0, 0.0, 4.0)
    donor.uploads.left(A)
    donor.uploads.close()
    assert len(donor.served) == 1


def test_who_waits_for_a_slot_is_served_from_its_first_request_on():
    donor = Donor(n_slots=1)
    donor.publish(3)
    digest = donor.ask(A).digest
    for _ in range(3):
        assert isinstance(donor.ask(B), Busy)
        donor.fetch(A, digest, 0)
    donor.uploads.left(A)
    donor.fetch(B, donor.ask(B).digest, 0, 1, 2, 3)
    assert donor.told() == [("a", 3, 3, 3 * CHUNK, "stopped"), ("b", 3, 3, N_BYTES, "whole")]
    assert times(donor.served[1]) == (100.0, 3.0, 7.0)


def test_who_gives_up_waiting_for_a_slot_got_nothing():
    donor = Donor(n_slots=1)
    donor.publish(3)
    donor.ask(A)
    donor.ask(B)
    donor.now_s += 1
    donor.ask(B)
    donor.uploads.left(B)
    assert donor.told() == [("b", 3, 3, 0, "stopped")]
    assert times(donor.served[0]) == (100.0, 1.0, 1.0)


def test_who_holds_the_weights_already_is_only_offered_them(donor):
    donor.ask(A)
    donor.now_s += 9
    donor.publish(4)
    assert donor.served == []
    donor.ask(A, 4)
    donor.uploads.close()
    assert donor.told() == [("a", 3, 3, 0, "offered"), ("a", 4, 4, 0, "offered")]
    assert times(donor.served[0]) == (100.0, 0.0, 0.0), "until it was last heard of"


def test_a_request_that_is_repeated_begins_anew(donor):
    donor.fetch(A, donor.ask(A).digest, 0, 1)
    donor.fetch(A, donor.ask(A).digest, 2, 3)
    assert donor.told() == [
        ("a", 3, 3, 2 * CHUNK, "stopped"),
        ("a", 3, 3, N_BYTES - 2 * CHUNK, "whole"),
    ]


@pytest.mark.parametrize(("round_index", "latest"), [(2, 3), (4, 3)])
def test_weights_that_are_not_on_offer_fail(donor, round_index, latest):
    donor.ask(A, round_index)
    assert donor.told() == [("a", round_index, latest, 0, "failed")]


def test_before_the_first_offer_there_is_none():
    donor = Donor()
    donor.ask(A, 0)
    assert donor.told() == [("a", 0, None, 0, "failed")]


def test_weights_that_are_replaced_while_they_go_out_fail(donor):
    digest = donor.ask(A).digest
    donor.fetch(A, digest, 0)
    for t in range(KEPT_ROUNDS):
        donor.publish(4 + t)
    donor.fetch(A, digest, 1)
    assert donor.told() == [("a", 3, 3, CHUNK, "failed")]


def test_a_part_is_whole_when_all_of_it_went_out(donor):
    wanted = np.arange(LAYOUT.n_bits) % 2 == 0
    offer = donor.ask(A, n_bits=LAYOUT.n_bits, bits=pack_bits(wanted))
    n_bytes = len(donor.store.find(offer.digest).buffer)
    donor.fetch(A, offer.digest, *range(-(-n_bytes // CHUNK)))
    assert donor.told() == [("a", 3, 3, n_bytes, "whole")]
    assert n_bytes < N_BYTES


def test_a_chunk_that_nobody_pulls_is_on_no_account(donor):
    digest = donor.ask(A).digest
    donor.uploads.left(A)
    donor.served.clear()
    donor.fetch(A, digest, 0)
    assert isinstance(donor.store.answer(ChunkRequest(digest, 0, CHUNK)), Chunk)
    assert donor.served == []
