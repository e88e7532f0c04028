import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.wire.ethernet import (
    MSS,
    SEGMENT_HEADER_BYTES,
    SYN_ACK_BYTES,
    SYN_EXTRA,
    acks,
    data_segments,
    end_bytes,
    segments,
    wire_bytes,
)

COUNTS = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("n_bytes", "n_segments"), [(0, 0), (1, 1), (1448, 1), (1449, 2), (2896, 2), (2**20, 725)]
)
def test_bytes_are_cut_into_segments(n_bytes, n_segments):
    assert segments(n_bytes) == n_segments


def test_the_constants_are_the_sums_of_their_headers():
    ethernet, ipv4, tcp, timestamps = 14, 20, 20, 12
    syn_options = 4 + 2 + 10 + 1 + 3  # segment size, SACK allowed, timestamps, pad, window scale
    assert ethernet + ipv4 + tcp + timestamps == SEGMENT_HEADER_BYTES
    assert 1500 - ipv4 - tcp - timestamps == MSS
    assert ethernet + ipv4 + tcp + syn_options == SEGMENT_HEADER_BYTES + SYN_EXTRA == SYN_ACK_BYTES


def test_a_lone_message_costs_its_segment_and_one_ack():
    message = 344 + 9 + 14 + 2
    assert wire_bytes(message, 0, segments(message), 1) == message + 66 + 66


def test_both_directions_and_the_openings_are_what_both_ends_put_on_the_wire():
    """Counts of a client that sent 3000 bytes in 3 segments and a server that answered 20 in 1."""
    client = {"sent": 3000, "segs_out": 3 + 4}  # SYN, two ACKs, FIN
    server = {"sent": 20, "segs_out": 1 + 3}
    forward = wire_bytes(3000, 0, 3, 3, other_opened="server")
    backward = wire_bytes(20, 0, 1, 4, other_opened="client")
    assert forward + backward == end_bytes("client", **client) + end_bytes("server", **server)


def test_a_super_packet_is_cut_up_and_short_messages_are_not_put_together():
    assert data_segments(counted=1, sent=65_483) == 46
    assert data_segments(counted=100, sent=100 * 369) == 100


def test_a_bulk_transfer_is_acknowledged_every_second_segment():
    assert acks(counted=2, n_data_segments=725, bulk=True) == 363
    assert acks(counted=400, n_data_segments=725, bulk=True) == 400
    assert acks(counted=2, n_data_segments=725, bulk=False) == 2


@given(counted=COUNTS, sent=COUNTS)
def test_modelled_segments_hold_the_data_and_are_never_fewer_than_counted(counted, sent):
    modelled = data_segments(counted, sent)
    assert modelled * MSS >= sent
    assert modelled >= counted


@given(stream=COUNTS, retransmitted=COUNTS, data=COUNTS, pure=COUNTS)
def test_retransmitted_bytes_cost_as_much_as_others(stream, retransmitted, data, pure):
    once = wire_bytes(stream + retransmitted, 0, data, pure)
    assert wire_bytes(stream, retransmitted, data, pure) == once
