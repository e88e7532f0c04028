"""A pair of addresses that several connections had: which records and figures are of one."""

import pytest

from prisam_p2p.measure.traffic import Count
from prisam_p2p.report.both_sides import NOTHING_KNOWN, Side, both_sides, sides
from prisam_p2p.report.connection_ends import End
from prisam_p2p.report.kernel import KernelSocket

CLIENT, SERVER = "127.1.0.1:40001", "127.1.0.2:5555"


def counts(n_bytes):
    return {("hello", -1): Count(1, 0, n_bytes, 0, 1)} if n_bytes else {}


def an_end(side, t_s, cookie=0, sent=0, received=0, client="p01"):
    """A record of p02's server, or of its client; a server that heard nothing knows nobody."""
    peer, other = (client, "p02") if side == "client" else ("p02", client if received else "")
    where = (CLIENT, SERVER, other, "control", 1000, "plain")
    return End(peer, 0, side, *where, t_s, True, counts(received), counts(sent), cookie)


def client(t_s, *args, **more):
    return an_end("client", t_s, *args, **more)


def server(t_s, *args, **more):
    return an_end("server", t_s, *args, **more)


def a_socket(t_s, sent, received, cookie=0):
    return KernelSocket(t_s, CLIENT, SERVER, sent, 0, received, 1, 1, 1, 1, cookie)


GREETED = a_socket(2, 0, 10, 1), a_socket(2, 10, 0, 11)
"""Both sockets of a connection that its client gave up after the first bytes of a handshake."""
WHOLE = a_socket(9, 182, 160, 2), a_socket(9, 160, 182, 12)
SPOKE = {"sent": 57, "received": 39}
HEARD = {"sent": 39, "received": 57}


# --- which figures are of which record ---


def test_a_cookie_tells_whose_the_figures_are():
    ends = [client(3.0, 2)]
    assert sides(ends, [GREETED[0], WHOLE[0]]) == [Side(None, GREETED[0]), Side(ends[0], WHOLE[0])]


@pytest.mark.parametrize(("t_s", "place"), [(1.0, 0), (3.0, 1), (12.0, 2)])
def test_a_record_without_figures_stands_where_it_was_written(t_s, place):
    known, other = client(4.0, 2), client(t_s, 77)
    expected = [Side(None, GREETED[0]), Side(known, WHOLE[0])]
    expected.insert(place, Side(other))
    assert sides(sorted((known, other), key=lambda e: e.t_s), [GREETED[0], WHOLE[0]]) == expected


def test_two_records_of_one_socket_are_both_kept():
    twice = [client(3.0, 2), client(4.0, 2)]
    assert [each.end for each in sides(twice, [WHOLE[0]])] == twice


def test_without_cookies_as_many_figures_as_records_are_in_order():
    ends, sockets = [client(1.0), client(3.0)], [a_socket(2, 0, 10), a_socket(9, 182, 160)]
    assert sides(ends, sockets) == [*map(Side, ends, sockets)]
    assert sides([], sockets) == [Side(None, each) for each in sockets]


def test_without_cookies_figures_of_nobody_knows_which_are_not_used():
    end = client(3.0)
    assert sides([end], [a_socket(2, 0, 10), a_socket(9, 182, 160)]) == [Side(end)]


# --- which two sides are of one connection ---

C1, C2, S1, S2 = client(1.0), client(3.0, **SPOKE), server(2.0), server(4.0, **HEARD)


@pytest.mark.parametrize(
    ("clients", "servers", "expected"),
    [
        ([C2], [S2], [(C2, S2)]),
        ([C1, C2], [S1, S2], [(C1, S1), (C2, S2)]),
        ([C2], [S1, S2], [(None, S1), (C2, S2)]),  # the client knows nothing of the first
        ([C1, C2], [S2], [(C1, None), (C2, S2)]),  # the server does not
        ([C2], [S2, S1], [(C2, S2), (None, S1)]),  # the one that broke came later
        ([], [S1, S2], [(None, S1), (None, S2)]),
        ([C2], [], [(C2, None)]),
        ([C1], [S1, S1], [(C1, S1), (None, S1)]),  # nothing tells: the earliest
    ],
    ids=["one", "two", "server's", "client's", "later", "no-client", "no-server", "alike"],
)
def test_records_alone(clients, servers, expected):
    found = both_sides([*map(Side, clients)], [*map(Side, servers)])
    assert [(c.end, s.end) for c, s in found] == expected


def test_of_two_whole_connections_the_one_with_the_same_counts_is_meant():
    first, second = server(2.0, sent=39, received=57), server(6.0, sent=94, received=57)
    alone = client(5.0, sent=57, received=94)
    found = both_sides([Side(alone)], [Side(first), Side(second)])
    assert [(c.end, s.end) for c, s in found] == [(None, first), (alone, second)]


def test_connections_of_two_peers_of_one_address_are_kept_apart():
    """Peers of a host share its address; the counts alone would tell nothing."""
    first = server(2.0, **HEARD, client="p01")
    second = server(6.0, **HEARD, client="p03")
    alone = client(5.0, **SPOKE, client="p03")
    found = both_sides([Side(alone)], [Side(first), Side(second)])
    assert [(c.end, s.end) for c, s in found] == [(None, first), (alone, second)]


def test_figures_tell_where_there_are_no_records():
    """The kernel told nothing of the client's first socket, which carried no byte."""
    here, there = Side(None, WHOLE[0]), [Side(None, GREETED[1]), Side(None, WHOLE[1])]
    assert both_sides([here], there) == [(NOTHING_KNOWN, there[0]), (here, there[1])]


def test_a_fin_is_no_difference():
    here = Side(None, a_socket(9, 182, 161))
    there = [Side(None, a_socket(8, 160, 180)), Side(None, a_socket(9, 160, 183))]
    assert both_sides([here], there)[1] == (here, there[1])


def test_as_many_of_both_are_in_order_whatever_they_say():
    """Else a wrong byte could be explained by calling it another connection's."""
    wrong = [Side(server(2.0, sent=39, received=56)), Side(S1)]
    assert both_sides([Side(C1), Side(C2)], wrong) == [(Side(C1), wrong[0]), (Side(C2), wrong[1])]


def test_nothing_is_lost_or_used_twice():
    clients = [Side(C1, GREETED[0]), Side(C2), Side(client(5.0, **SPOKE), WHOLE[0])]
    servers = [Side(S1), Side(None, GREETED[1]), Side(S2), Side(None, WHOLE[1]), Side(S2)]
    for left, right in ((clients, servers), (servers, clients)):
        found = both_sides(left, right)
        assert [a for a, _ in found if a is not NOTHING_KNOWN] == left
        assert [b for _, b in found if b is not NOTHING_KNOWN] == right
