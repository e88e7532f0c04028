"""The rows of the ledger, and their share of what is on the wire; all figures by hand."""

import pytest
from hand_runs import HANDSHAKE, HandRun, orderly
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.report.breakdown import by_kind, by_layer, by_link, by_peer, by_round
from prisam_p2p.report.connection_rows import connection_rows
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.wire_cost import share_out

ETHERNET = 1500
HEAD = 66
SYN_EXTRA, SYN_ACK = 8, 74


@pytest.fixture
def made(tmp_path):
    return lambda run: make_ledger(run.write(tmp_path))


def rows_of(ledger, sender, receiver):
    return {
        (r.kind, r.round): r for r in ledger.rows if (r.sender, r.receiver) == (sender, receiver)
    }


def test_rows_of_a_link(made):
    """p01 -> p02: the server's direction of the control connection, and of the bulk one."""
    rows = rows_of(made(orderly()), "p01", "p02")
    assert set(rows) == {
        ("hello", -1),
        ("hello", 0),
        ("mask", 0),
        ("mask", 1),
        ("weights", 0),
        ("control", -1),
    }
    mask = rows["mask", 0]
    assert (mask.messages, mask.payload, mask.header, mask.framing) == (1, 44, 7, 4)
    assert (mask.stream, mask.segments) == (55, 1)
    weights = rows["weights", 0]
    assert (weights.messages, weights.payload, weights.stream) == (2, 300_000, 300_074)


def test_handshakes_are_hellos_and_heartbeats_control_before_the_rounds(made):
    rows = rows_of(made(orderly()), "p01", "p02")
    hello = rows["hello", -1]  # the Welcome of the control connection, and both handshakes
    assert (hello.messages, hello.header, hello.framing) == (1, 4, 2 + 2 * HANDSHAKE)
    beats = rows["control", -1]
    assert (beats.messages, beats.framing, beats.stream) == (0, 63, 63)


def test_the_rows_add_up_to_the_kernels_streams(made):
    ledger = made(orderly())
    assert sum(r.stream for r in ledger.rows) == 245 + 286 + 236 + 300_187 + 164 + 168
    assert all(r.stream == r.payload + r.header + r.framing for r in ledger.rows)


def test_the_wire_on_ethernet_is_the_kernels(made):
    """Each end: 2 segments for its handshake, 1 a message, 5 without data; 200 B again."""
    run = orderly()
    run.mtu = ETHERNET
    run.connections = run.connections[1:2]
    run.connections[0].back.retransmitted = 200
    ledger = made(run)
    asking, giving = connection_rows(ledger)
    assert (asking.data_segments, asking.pure_segments) == (6, 5)
    assert asking.wire == 236 + HEAD * 11 + SYN_ACK  # the SYN-ACK answers the client's SYN
    assert (giving.data_segments, giving.pure_segments, giving.retransmitted) == (5, 5, 200)
    assert giving.wire == 300_187 + 200 + HEAD * 10 + SYN_EXTRA
    assert {r.source for r in ledger.rows} == {"kernel"}
    assert sum(r.wire for r in ledger.rows) == asking.wire + giving.wire


def test_the_wire_of_plain_loopback_is_modelled(made):
    """300,187 bytes are 208 segments of 1448, and every other is acknowledged."""
    run = orderly()
    run.connections = run.connections[1:2]
    ledger = made(run)
    asking, giving = connection_rows(ledger)
    assert asking.wire == 236 + HEAD * 11 + SYN_ACK
    assert (giving.data_segments, giving.pure_segments) == (208, 104)
    assert giving.wire == 300_187 + HEAD * 312 + SYN_EXTRA
    assert {r.source for r in ledger.rows} == {"kernel+model"}


def test_without_the_kernel_all_of_the_wire_is_modelled(made):
    """Each message alone: 4 + 3 segments there, 209 + 3 back, of these every other acknowledged."""
    run = orderly()
    run.watched = False
    run.connections = run.connections[1:2]
    ledger = made(run)
    asking, giving = connection_rows(ledger)
    assert (asking.data_segments, asking.pure_segments) == (7, 7 + 2)
    assert (giving.data_segments, giving.pure_segments) == (212, 106 + 3)
    assert {r.source for r in ledger.rows} == {"model"}


@pytest.mark.parametrize("side", ["client", "server"])
def test_one_socket_tells_of_the_other_ones_segments(made, side):
    """It sees the other's SYN-ACK, that the other does not count, or does not see its SYN."""
    run = orderly()
    run.mtu = ETHERNET
    run.connections = run.connections[1:2]
    (line,) = [
        x for x in run.connections[0].kernel() if (":5555" in x["local"]) == (side == "server")
    ]
    run.connections[0].told_by = ()
    seen = 6 if side == "client" else 4
    other = {"client": 5, "server": 6}[side]
    run.kernel = [{**line, "data_segs_in": other, "segs_in": other + seen}]
    asking, giving = connection_rows(made(run))
    assert (asking.data_segments, giving.data_segments) == (6, 5)
    assert (asking.pure_segments, giving.pure_segments) == (5, 5)


def test_the_least_certain_source_of_a_row_counts(made):
    run = orderly()
    run.mtu = ETHERNET
    run.connections[1].told_by = ()
    rows = rows_of(made(run), "p02", "p01")
    assert rows["hello", -1].source == "model"  # with the handshake of the bulk connection
    assert rows["control", -1].source == "kernel"


def test_of_a_killed_sender_the_receivers_counts_stand(made):
    run = orderly()
    run.killed = ("p01",)
    giving = run.connections[1].back
    giving.received["weights", 1] = giving.received.pop(("weights", 0))  # it was a round further
    rows = rows_of(made(run), "p01", "p02")
    assert ("weights", 1) in rows
    assert ("weights", 0) not in rows


def test_of_two_killed_ends_the_greater_count_stands(made):
    run = orderly()
    run.killed = ("p01", "p02")
    giving = run.connections[1].back
    giving.received["weights", 0] = (1, 150_000, 26, 11, 104)
    assert rows_of(made(run), "p01", "p02")["weights", 0].payload == 300_000


# --- sums ---


def test_breakdowns_agree(made):
    ledger = made(orderly())
    wire = sum(r.wire for r in ledger.rows)
    for table in (by_kind(ledger), by_link(ledger), by_round(ledger), by_peer(ledger)):
        at = list(table.columns).index("wire")
        assert sum(row[at] for row in table.rows) == wire
        assert sum(row[-1] for row in table.rows) == pytest.approx(1.0, abs=1e-3)
    assert sum(row[1] for row in by_layer(ledger).rows) == wire


def test_layers_by_hand(made):
    layers = {name: n for name, n, _ in by_layer(made(orderly())).rows}
    assert layers["payload"] == 3 * 44 + 300_000
    assert layers["header"] == 3 * 59 + 3 * 7 + 66 + 52
    assert layers["framing of messages"] == 3 * 4 + 3 * 4 + 6 + 22
    assert layers["handshakes"] == 3 * (107 + 107)
    assert layers["heartbeats"] == 81 + 63
    assert layers["retransmitted"] == 0
    assert "cut off" not in layers


def test_what_was_cut_off_is_a_layer_of_its_own(made):
    run = orderly()
    run.killed = ("p02",)
    run.connections[1].back.extra = -100_000
    run.connections[1].back.received["weights", 0] = (1, 150_000, 26, 11, 104)
    layers = {name: n for name, n, _ in by_layer(made(run)).rows}
    assert layers["cut off"] == -100_000


def test_every_kind_is_listed_and_the_most_talkative_link_first(made):
    ledger = made(orderly())
    assert [row[0] for row in by_kind(ledger).rows] == [
        "mask",
        "request",
        "weights",
        "hello",
        "control",
    ]
    assert by_link(ledger).rows[0][:2] == ["p01", "p02"]
    assert by_peer(ledger).rows[0][0] == "p01"
    assert [row[0] for row in by_kind(made_of_nothing()).rows] == [
        row[0] for row in by_kind(ledger).rows
    ]


def made_of_nothing():
    from prisam_p2p.report.ledger import Ledger

    return Ledger([], [], [], [])


def test_rounds_ascend(made):
    assert [row[0] for row in by_round(made(orderly())).rows] == [-1, 0, 1]


def test_a_run_without_connections_has_no_rows(made):
    ledger = made(HandRun())
    assert ledger.rows == []
    assert [row[1:] for row in by_kind(ledger).rows] == [[0] * 6 + [None]] * 5


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_are_near_their_proportion(overhead, weights):
    shares = share_out(overhead, weights)
    assert sum(shares) == overhead
    whole = sum(weights)
    if whole:
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share * whole - overhead * weight) < whole


def test_shares_by_hand():
    assert share_out(10, [1, 1, 1]) == [4, 3, 3]
    assert share_out(7, [0, 0]) == [7, 0]
    assert share_out(5, [3, 1]) == [4, 1]
    assert share_out(0, [2]) == [0]
