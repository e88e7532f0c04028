"""Every byte is explained, or the connection is named: the rules of docs/ledger.md, one by one."""

import json

import pytest
from hand_runs import CHUNK, PING, PONG, HandConnection, HandRun, orderly

from prisam_p2p.report.closure import closure, closure_lines
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.verdicts import complaint


@pytest.fixture
def closed(tmp_path):
    """Writes a run and returns its closure."""

    def check(run):
        return closure(make_ledger(run.write(tmp_path)))

    return check


def explained(tmp_path, run):
    """Return the explained directions of the run's connections, there and back of each."""
    return [entry.explained for _, entry in make_ledger(run.write(tmp_path)).entries]


def test_an_orderly_run_closes(closed):
    assert closed(orderly()) == {
        "verdict": "true",
        "connections": 3,
        "judged_connections": 3,
        "unexplained_bytes": 0,
        "source": "kernel",
        "modelled_connections": 0,
        "torn_bytes": 0,
        "unsent_bytes": 0,
        "in_flight_bytes": 0,
        "uncounted_bytes": 0,
        "local_drop_bytes": 0,
        "foreign_connections": 0,
        "failures": [],
        "lost_hosts": [],
    }


def test_the_layers_of_an_orderly_run(tmp_path):
    there, back, asking, giving, *_ = explained(tmp_path, orderly())
    whole = (there.stream, there.handshake, there.heartbeats, there.heartbeat_bytes)
    assert whole == (245, 107, 9, 81)
    assert (back.stream, back.handshake, back.heartbeats, back.heartbeat_bytes) == (286, 107, 9, 63)
    assert (asking.stream, asking.heartbeats) == (236, 0)
    assert (giving.stream, giving.received) == (300_187, 300_187)  # the FIN is no stream byte


def test_a_run_without_connections_is_not_judged(closed):
    found = closed(HandRun())
    assert (found["verdict"], found["unexplained_bytes"]) == ("not judged", 0)
    assert closure_lines(found) == ["closure: 0 connections, not judged"]
    assert complaint(found) is None


def test_without_complete_counts_and_the_kernel_nothing_is_judged(closed):
    run = orderly()
    run.killed, run.watched = ("p01", "p02", "p03"), False
    found = closed(run)
    judged = found["verdict"], found["connections"], found["judged_connections"]
    assert judged == ("not judged", 3, 0)
    assert closure_lines(found)[0].startswith("closure: 3 connections, not judged; 3 cut off")


def test_what_one_side_of_the_sum_is_missing_of_is_told_beside_what_was_judged(closed):
    """p03 and p01 were killed: of p03's connection neither wrote complete counts."""
    run = orderly()
    run.killed = ("p01", "p03")
    found = closed(run)
    judged = found["verdict"], found["connections"], found["judged_connections"]
    assert judged == ("true", 3, 2)
    assert "0 B unexplained (kernel); 1 cut off, and not judged" in closure_lines(found)[0]


# --- what must be found ---


def lacking_a_sent_byte(run):
    run.connections[1].there.sent["request", 0] = (3, 0, 65, 6, 3)
    run.connections[1].there.basis = "received"


def lacking_a_received_byte(run):
    run.connections[1].there.received["request", 0] = (3, 0, 65, 6, 3)


def a_byte_too_much(run):
    run.connections[1].there.extra = 1


def a_byte_too_few(run):
    run.connections[1].there.extra = -1


def a_byte_lost(run):
    run.connections[1].there.lost = 1


def a_byte_from_nowhere(run):
    run.connections[1].there.fin = True
    run.connections[1].there.lost = -1


@pytest.mark.parametrize(
    "fault",
    [
        lacking_a_sent_byte,
        lacking_a_received_byte,
        a_byte_too_much,
        a_byte_too_few,
        a_byte_lost,
    ],
)
def test_one_byte_is_found_and_its_connection_named(closed, fault):
    run = orderly()
    fault(run)
    result = closed(run)
    assert result["unexplained_bytes"] == 1
    (failure,) = result["failures"]
    assert failure.startswith(
        "p02 -> p01 (bulk, 127.1.0.2:40001 -> 127.1.0.1:5555): 1 B unexplained: kernel stream 23"
    )
    assert "handshake 107 B, heartbeats 0" in failure
    assert complaint(result) == f"1 unexplained bytes: {failure}"


def test_a_fin_is_one_byte_and_no_more(closed):
    run = orderly()
    a_byte_from_nowhere(run)
    assert closed(run)["unexplained_bytes"] == 2


def test_bytes_of_one_kind_do_not_stand_for_another(closed):
    run = orderly()
    asked = run.connections[1].there
    asked.received["control", 0] = asked.received.pop(("request", 0))
    assert closed(run)["unexplained_bytes"] == 2 * 72


def test_unsent_messages_are_no_excuse_in_an_orderly_run(closed):
    run = orderly()
    run.connections[0].back.sent["mask", 2] = (1, 44, 7, 4, 1)
    run.connections[0].back.basis = "received"
    assert closed(run)["unexplained_bytes"] > 0


def test_counts_of_a_connection_that_is_not_recorded(closed):
    run = orderly()
    row = [77, "out", "mask", 0, 1, 44, 7, 4, 1]
    run.records["p03"] = [
        {"t_s": 4.0, "record": "traffic", "round": 0, "final": False, "rows": [row]}
    ]
    result = closed(run)
    assert result["unexplained_bytes"] == 55
    assert result["failures"] == [
        "p03 counted 55 bytes on its connection 77, which it did not record"
    ]


def test_an_end_that_was_there_and_recorded_nothing_is_no_excuse(closed):
    run = orderly()
    run.connections[2].recorded_by = ("client",)
    assert closed(run)["unexplained_bytes"] == 57 + 61


def test_a_complaint_names_three(closed):
    run = orderly()
    for each in run.connections:
        each.there.extra += 1000 * PING + 1
        each.back.extra += 1
    told = complaint(closed(run))
    assert told.count("unexplained: kernel") == 3
    assert told.endswith("; and 3 more, see summary.json")


# --- heartbeats ---


@pytest.mark.parametrize(
    ("pings", "pongs", "closes"),
    [
        (0, 0, True),
        (12, 12, True),  # ten seconds, one a second, and two
        (13, 13, False),
        (9, 5, True),
        (9, 4, False),  # five were not answered
        (8, 9, False),  # nobody asked
    ],
)
def test_heartbeats_must_fit_each_other_and_the_life_time(closed, pings, pongs, closes):
    run = orderly()
    control = run.connections[0]
    control.there.extra, control.back.extra = pings * PING, pongs * PONG
    assert (closed(run)["unexplained_bytes"] == 0) is closes


def test_heartbeats_are_whole(closed):
    run = orderly()
    run.connections[0].back.extra -= 1
    result = closed(run)
    assert result["unexplained_bytes"] == 1
    assert "p01 -> p02 (control" in result["failures"][0]


def test_a_connection_without_heartbeats_has_none(closed):
    run = orderly()
    run.connections[0].heartbeat_ms = 0
    assert closed(run)["unexplained_bytes"] == 9 * PING + 9 * PONG


# --- ends that were killed ---


def half_a_chunk(torn=1000):
    """p01, the donor, is killed: it sent one chunk whole and `torn` bytes of the second."""
    run = orderly()
    run.killed = ("p01",)
    run.connections = [run.connections[1]]
    giving = run.connections[0].back
    giving.received["weights", 0] = (1, 262_144, 26, 11, 182)
    giving.basis, giving.fin = "received", False
    giving.extra = torn
    return run


def test_a_killed_donor_leaves_a_torn_message(closed):
    result = closed(half_a_chunk())
    assert result["unexplained_bytes"] == 0
    assert result["torn_bytes"] == 1000


def test_a_torn_message_is_no_longer_than_the_longest(closed):
    assert closed(half_a_chunk(CHUNK + 2047))["torn_bytes"] == CHUNK + 2047


def test_more_than_a_message_is_not_torn(closed):
    result = closed(half_a_chunk(CHUNK + 2048))
    assert (result["torn_bytes"], result["unexplained_bytes"]) == (0, CHUNK + 2048)


def test_what_a_killed_receiver_did_not_take_is_in_flight(tmp_path):
    run = half_a_chunk(0)
    run.connections[0].back.received["weights", 0] = (1, 262_144, 26, 11, 182)
    run.connections[0].back.extra = 1000
    run.connections[0].back.lost = 300
    _, giving = explained(tmp_path, run)
    assert (giving.torn, giving.in_flight, giving.unexplained) == (700, 300, 0)
    assert giving.stream == 107 + 6 + 262_181 + 1000


def test_a_peer_counts_what_never_left(closed):
    """p02 was killed; the second chunk that p01 handed over stayed in its queue."""
    run = orderly()
    run.killed = ("p02",)
    giving = run.connections[1].back
    giving.extra = -100_000
    giving.received["weights", 0] = (1, 150_000, 26, 11, 104)
    result = closed(run)
    assert (result["unexplained_bytes"], result["unsent_bytes"]) == (0, 100_000)


def test_the_heartbeats_of_the_living_end_count_for_the_killed_one(tmp_path):
    """p02, the client, was killed: p01 counts its own stream, and knows the PONGs it sent."""
    run = orderly()
    run.killed = ("p02",)
    control = run.connections[0]
    control.there.extra = 9 * PING + 5
    there, back, *_ = explained(tmp_path, run)
    assert (there.heartbeats, there.torn) == (9, 5)
    assert (back.heartbeats, back.unsent) == (9, 0)


def test_after_both_ends_were_killed_counts_are_a_lower_bound(closed):
    run = orderly()
    run.killed = ("p01", "p02")
    run.connections[1].back.extra = 5000
    result = closed(run)
    assert result["unexplained_bytes"] == 0
    assert result["uncounted_bytes"] == 5000 + 9 * PING + 9 * PONG


def test_but_not_more_than_the_stream_was_received(closed):
    run = orderly()
    run.killed = ("p01", "p02")
    giving = run.connections[1].back
    giving.sent = {}
    giving.basis = "received"
    giving.extra = -10
    assert closed(run)["unexplained_bytes"] == 10


def test_a_connection_that_another_one_replaced_may_have_lost_bytes(closed):
    run = orderly()
    again = run.connect("p02", "p01", "bulk", began_s=5.0)
    again.there.both("hello", 1, (1, 0, 55, 2, 1))
    again.back.both("hello", 1, (1, 0, 4, 2, 1))
    old = run.connections[1].back
    old.received["weights", 0] = (1, 150_000, 26, 11, 104)
    old.extra, old.lost, old.fin = -100_000, 10_000, False
    result = closed(run)
    assert result["unexplained_bytes"] == 0
    assert (result["unsent_bytes"], result["in_flight_bytes"]) == (100_000, 10_000)
    assert result["torn_bytes"] == 300_074 - 110_000 - 150_037


@pytest.mark.parametrize("again", [0, 300])
def test_bytes_that_a_kernel_sent_again_in_vain_are_lost_on_the_way(closed, again):
    """The links were cut until the run's end: no other connection replaced this one."""
    run = orderly()
    giving = run.connections[1].back
    giving.lost, giving.retransmitted, giving.fin = 300, again, False
    giving.received["weights", 0] = (1, 299_700, 26, 11, 104)
    result = closed(run)
    assert (result["unexplained_bytes"] == 0) == (again > 0)
    assert result["in_flight_bytes"] == again


# --- what the sender's own queue dropped ---


def dropping(dropped=247_980, retransmitted=1448, fin=True):
    """p01, the donor, counts more as sent than it ever wrote: its queue was full."""
    run = orderly()
    giving = run.connections[1].back
    giving.dropped, giving.retransmitted, giving.fin = dropped, retransmitted, fin
    return run


@pytest.mark.parametrize("dropped", [1, 1448, 247_980])
@pytest.mark.parametrize("retransmitted", [0, 1448])
@pytest.mark.parametrize("fin", [True, False])
def test_local_drops_are_a_figure_of_their_own(tmp_path, dropped, retransmitted, fin):
    run = dropping(dropped + fin, retransmitted, fin)
    ledger = make_ledger(run.write(tmp_path))
    giving = [*ledger.entries][3][1].explained
    assert (giving.stream, giving.received) == (300_187, 300_187)
    assert (giving.local_drops, giving.in_flight, giving.direction.cut) == (dropped + fin, 0, False)
    closed = closure(ledger)
    assert (closed["verdict"], closed["local_drop_bytes"]) == ("true", dropped + fin)
    assert closed["torn_bytes"] == closed["unsent_bytes"] == closed["in_flight_bytes"] == 0
    told = closure_lines(closed)[0]
    assert told.endswith(f"; {dropped + fin:,} B counted as sent that never left their host")


def test_local_drops_are_not_on_the_wire(tmp_path):
    costs = []
    for number, run in enumerate((orderly(), dropping(247_980, 0))):
        (tmp_path / str(number)).mkdir()
        costs.append([*make_ledger(run.write(tmp_path / str(number))).entries][3][1].cost)
    assert costs[0] == costs[1]


@pytest.mark.parametrize("fault", [lacking_a_sent_byte, lacking_a_received_byte])
def test_local_drops_excuse_no_byte_of_the_other_direction(closed, fault):
    run = dropping()
    fault(run)
    assert closed(run)["unexplained_bytes"] == 1


@pytest.mark.parametrize("n_bytes", [-2, 2, 1448])
def test_local_drops_excuse_no_bytes_of_their_own_direction(closed, n_bytes):
    run = dropping()
    run.connections[1].back.extra = n_bytes
    assert closed(run)["unexplained_bytes"] >= abs(n_bytes) - 1


def test_bytes_lost_on_the_way_are_no_local_drops(tmp_path):
    """The link was cut: 300 bytes were never acknowledged, and 5000 had not left before."""
    run = dropping(5000, 300, fin=False)
    giving = run.connections[1].back
    giving.lost = 300
    giving.received["weights", 0] = (1, 299_700, 26, 11, 104)
    found = closure(make_ledger(run.write(tmp_path)))
    figures = [found[f"{name}_bytes"] for name in ("unexplained", "in_flight", "local_drop")]
    assert sum(figures[1:]) == 5300
    assert figures[0] == 0
    assert figures[2] in (5000, 5001)


def without_acked(run, folder):
    """Write a run as earlier releases did."""
    made = run.write(folder)
    path = folder / "journal" / "kernel.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("bytes_acked", None), line.pop("unacked", None)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return type(made)(folder)


@pytest.mark.parametrize(("make", "unexplained"), [(orderly, 0), (dropping, 247_980)])
def test_runs_of_earlier_releases_are_judged_as_before(tmp_path, make, unexplained):
    run = make() if make is orderly else make(retransmitted=0)
    found = closure(make_ledger(without_acked(run, tmp_path)))
    assert found["unexplained_bytes"] == unexplained
    assert found["local_drop_bytes"] == 0


@pytest.mark.parametrize(("there", "back"), [(0, 0), (64, 0), (107, 64), (107, 107)])
def test_a_connection_that_did_not_finish_its_handshake(closed, there, back):
    run = orderly()
    run.connect("p03", "p02", "control", heartbeat_ms=1000)
    run.connections[-1].there.handshake = there
    run.connections[-1].back.handshake = back
    assert closed(run)["unexplained_bytes"] == 0


def test_a_restarted_peer_numbers_its_connections_anew(tmp_path):
    """The first process of p03 was killed; the second one's connection has the number 2 too."""
    run = orderly()
    again = run.connect("p03", "p01", "control", began_s=6.0, recorded_by=("server",))
    again.there.both("hello", 1, (1, 0, 55, 2, 1))
    again.back.both("hello", 1, (1, 0, 4, 2, 1))
    folder = run.write(tmp_path)
    client, server = again.addresses
    path = tmp_path / "journal" / "p03.jsonl"
    first = [line for line in path.read_text().splitlines() if '"final": true' not in line]
    record = {
        "t_s": 6.0,
        "record": "connection",
        "connection": 2,
        "side": "client",
        "security": "plain",
    }
    record |= {"client": client, "server": server, "neighbor": "p01", "channel": "control"}
    rows = [
        [2, "out", "hello", -1, 1, 0, 55, 2, 1],
        [2, "in", "hello", -1, 1, 0, 4, 2, 1],
    ]
    second = [
        {"t_s": 5.5, "record": "started", "peer": "p03", "pid": 2, "incarnation": 1},
        {**record, "heartbeat_ms": 1000, "security": "plain"},
        {"t_s": 12.0, "record": "traffic", "round": 1, "final": True, "rows": rows},
    ]
    lines = [*first, *(json.dumps(line) for line in second)]
    path.write_text("".join(line + "\n" for line in lines))
    ledger = make_ledger(folder)
    assert closure(ledger)["unexplained_bytes"] == 0
    finals = [(c.client_final, c.replaced) for c, _ in ledger.connections if c.client_peer == "p03"]
    assert finals == [(False, True), (True, False)]


# --- what the kernel does not tell ---


def test_without_the_kernels_figures_the_streams_are_modelled(closed, tmp_path):
    run = orderly()
    run.watched = False
    result = closed(run)
    assert (result["source"], result["modelled_connections"]) == ("model", 3)
    assert result["unexplained_bytes"] == 0


def test_what_the_ends_counted_is_compared_without_the_kernel_too(closed):
    run = orderly()
    run.watched = False
    lacking_a_received_byte(run)
    result = closed(run)
    assert result["unexplained_bytes"] == 1
    assert "model stream 236 B" in result["failures"][0]


def test_a_look_at_a_socket_before_its_end_is_not_its_end(closed):
    run = orderly()
    run.connections[0].source = "dump"
    result = closed(run)
    assert (result["source"], result["modelled_connections"]) == ("partly kernel", 1)
    assert result["unexplained_bytes"] == 0


@pytest.mark.parametrize("side", ["client", "server"])
def test_one_socket_tells_of_both_directions(tmp_path, side):
    """What was received may hold a FIN: here it does, and in the third connection it does not."""
    run = orderly()
    for each in run.connections:
        each.told_by = (side,)
    found = explained(tmp_path, run)
    assert [each.unexplained for each in found] == [0] * 6
    assert [each.stream for each in found] == [245, 286, 236, 300_187, 164, 168]


def test_a_port_that_was_used_again(tmp_path):
    run = orderly()
    run.connect("p02", "p01", "bulk", port=40_001, began_s=12.0, ended_s=14.0)
    assert [each.unexplained for each in explained(tmp_path, run)] == [0] * 8


def test_a_port_that_was_used_again_and_told_of_once(closed):
    run = orderly()
    run.connect("p02", "p01", "bulk", port=40_001, began_s=12.0, told_by=())
    result = closed(run)
    assert (result["unexplained_bytes"], result["modelled_connections"]) == (0, 2)


def used_again(cookies=True, **first):
    """p02's control connection to p01 has the addresses of one before, which p02 gave up.

    p02 closed it before its ZeroMQ told that it was there, so only p01 recorded it, after it had
    sent the first 10 bytes of its handshake. p01 knows nobody's name by it.
    """
    run = orderly()
    again = run.connections.pop(0)
    run.connections.insert(0, given_up(port=again.port, **first))
    run.connections.insert(1, again)
    for number, each in enumerate(run.connections):
        each.cookies = (10 * number + 1, 10 * number + 2) if cookies else None
    return run


def given_up(port, **more):
    options = {"began_s": 0.7, "ended_s": 0.8, "recorded_by": ("server",), "stranger": True}
    made = HandConnection("p02", "p01", "control", port, 1000, **{**options, **more})
    made.there.handshake, made.back.handshake = 0, 10
    return made


@pytest.mark.parametrize("cookies", [True, False])
@pytest.mark.parametrize("told_by", [("client", "server"), ("server",), ("client",), ()])
def test_a_port_used_again_after_a_connection_that_its_client_gave_up(closed, cookies, told_by):
    """Whatever the kernel told of the first: what one end is missing is not the other one's."""
    result = closed(used_again(cookies, told_by=told_by))
    assert (result["unexplained_bytes"], result["failures"]) == (0, [])
    assert (result["connections"], result["foreign_connections"]) == (3, 1)
    assert (result["unsent_bytes"], result["torn_bytes"], result["in_flight_bytes"]) == (0, 0, 0)
    assert result["judged_connections"] == 3
    if cookies:
        assert result["modelled_connections"] == 0


def test_a_port_used_again_after_a_connection_that_its_server_never_accepted(closed):
    again = {"recorded_by": ("client",), "told_by": ("client",), "stranger": False}
    run = used_again(**again)
    run.connections[0].there.handshake, run.connections[0].back.handshake = 10, 0
    result = closed(run)
    assert (result["unexplained_bytes"], result["failures"]) == (0, [])
    assert (result["connections"], result["modelled_connections"]) == (4, 0)


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_wrong_byte_is_found_though_the_port_was_used_before(closed, way, by):
    run = used_again()
    getattr(run.connections[1], way).extra += by
    assert closed(run)["unexplained_bytes"] > 0


def test_a_message_of_a_port_used_again_that_one_end_did_not_count_is_found(closed):
    run = used_again()
    run.connections[1].there.received = {}
    assert closed(run)["unexplained_bytes"] >= 57


def test_with_cookies_the_kernel_may_tell_of_one_of_two(closed):
    run = orderly()
    again = run.connect("p02", "p01", "bulk", port=40_001, began_s=12.0, told_by=())
    run.connections[1].cookies, again.cookies = (1, 2), (3, 4)
    result = closed(run)
    assert (result["unexplained_bytes"], result["modelled_connections"]) == (0, 1)


# --- strangers ---


def test_a_stranger_is_no_part_of_the_closure(tmp_path):
    run = orderly()
    strange = run.connect(
        "p09", "p01", "control", stranger=True, recorded_by=("server",), told_by=("server",)
    )
    strange.there.extra = 4711
    ledger = make_ledger(run.write(tmp_path))
    result = closure(ledger)
    assert (result["connections"], result["foreign_connections"]) == (3, 1)
    assert result["unexplained_bytes"] == 0
    assert {row.sender for row in ledger.rows} == {"p01", "p02", "p03"}


def test_a_connection_that_was_gone_before_its_addresses_were_read(tmp_path):
    """p03 had one: it may be that which p02 opened, and p03 has no other record of."""
    run = orderly()
    early = run.connect("p02", "p03", "control", recorded_by=("client",), told_by=("client",))
    early.there.both("hello", -1, (1, 0, 55, 2, 1))
    early.there.lost = 57
    record = {
        "t_s": 2.0,
        "record": "connection",
        "connection": 9,
        "side": "server",
        "security": "plain",
    }
    record |= {"client": "?", "server": "?", "neighbor": "", "channel": "control"}
    run.records["p03"] = [{**record, "heartbeat_ms": 1000, "security": "plain"}]
    result = closure(make_ledger(run.write(tmp_path)))
    assert (result["connections"], result["foreign_connections"]) == (4, 1)
    assert result["unexplained_bytes"] == 0


def test_nor_is_what_the_kernel_alone_knows_of(closed):
    run = orderly()
    run.connect("p03", "p02", "bulk", recorded_by=())
    result = closed(run)
    assert (result["connections"], result["foreign_connections"]) == (3, 1)
