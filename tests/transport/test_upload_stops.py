from tiny_layouts import one_layer, random_weights

from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.upload_stops import StopReached, UploadStops
from prisam_p2p.wire.messages import ChunkRequest

LAYOUT = one_layer(channels=64, inputs=20)
ROUNDS = {t: snapshot_of(LAYOUT, t, random_weights(LAYOUT, seed=t)) for t in (2, 3)}
N_BYTES = len(ROUNDS[2].buffer)


class Donor:
    """Asks its stops before each chunk, as `Uploads` does."""

    def __init__(self, *stops):
        self.told = []
        by_digest = {snapshot.offer.digest: snapshot for snapshot in ROUNDS.values()}
        self.stops = UploadStops(stops, by_digest.get, self.told.append)

    def give(self, to, round_index, chunk_bytes, offset=0):
        """Return how many bytes `to` has when it waits, or has all."""
        while offset < N_BYTES:
            length = min(chunk_bytes, N_BYTES - offset)
            request = ChunkRequest(ROUNDS[round_index].offer.digest, offset, length)
            if self.stops.hold(to, request):
                break
            offset += length
        return offset


def test_an_upload_waits_within_one_chunk_of_the_share():
    for chunk_bytes in (1, 100, N_BYTES // 3, N_BYTES // 2, N_BYTES - 1, N_BYTES):
        donor = Donor((3, 0.5))
        given = donor.give("a", 3, chunk_bytes)
        assert N_BYTES / 2 - chunk_bytes <= given <= N_BYTES / 2
        assert donor.told == [StopReached((3, 0.5), "a", 3, given, N_BYTES)]


def test_an_upload_that_waits_is_never_complete():
    assert Donor((None, 1.0)).give("a", 2, 100) == (N_BYTES - 1) // 100 * 100


def test_an_upload_waits_until_it_is_let_go_and_then_no_more():
    donor = Donor((None, 0.5))
    given = donor.give("a", 2, 64)
    assert donor.give("a", 2, 64, given) == given
    assert len(donor.told) == 1  # told once, however often it is asked
    donor.stops.go_on((None, 0.5))
    assert donor.give("a", 2, 64, given) == N_BYTES


def test_only_the_first_upload_waits_at_a_stop():
    donor = Donor((None, 0.5))
    assert donor.give("a", 2, 64) < N_BYTES
    assert donor.give("b", 2, 64) == N_BYTES


def test_other_rounds_pass():
    donor = Donor((3, 0.5))
    assert donor.give("a", 2, 64) == N_BYTES
    assert donor.told == []


def test_of_two_stops_at_one_chunk_both_must_let_go():
    donor = Donor((None, 0.5), (2, 0.5))
    given = donor.give("a", 2, 64)
    assert [reached.stop for reached in donor.told] == [(None, 0.5), (2, 0.5)]
    donor.stops.go_on((None, 0.5))
    assert donor.give("a", 2, 64, given) == given
    donor.stops.go_on((2, 0.5))
    assert donor.give("a", 2, 64, given) == N_BYTES


def test_a_snapshot_that_is_offered_no_more_does_not_wait():
    donor = Donor((None, 0.5))
    assert not donor.stops.hold("a", ChunkRequest(b"?" * 16, N_BYTES - 1, 1))
