"""Which sockets of a kernel belong to a run."""

from prisam_p2p.processes.our_sockets import BetweenAddresses, ToRouters

H1, H2, NIC2 = "10.77.0.1", "10.77.0.2", "192.168.5.1"
ROUTER_1, ROUTER_2 = (H1, 10_001), (H2, 10_001)


def knowing(address, *routers):
    rule = ToRouters(address)
    rule.know(routers)
    return rule


def test_between_addresses_both_ends_are_asked_for_and_all_are_here():
    rule = BetweenAddresses(["127.7.0.1", "127.7.0.2"])
    assert rule.is_ours((("127.7.0.1", 5), ("127.7.0.2", 6)))
    assert rule.is_ours((("127.7.0.1", 5), ("127.7.0.9", 6))) is False
    assert rule.is_here((("127.7.0.2", 6), ("127.7.0.1", 5)))
    of_one_host = BetweenAddresses(["127.7.0.1", "127.7.0.2"], here=["127.7.0.1"])
    assert of_one_host.is_ours((("127.7.0.2", 6), ("127.7.0.1", 5)))
    assert of_one_host.is_here((("127.7.0.1", 5), ("127.7.0.2", 6)))
    assert not of_one_host.is_here((("127.7.0.2", 6), ("127.7.0.1", 5)))


def test_a_socket_with_a_router_at_either_end_is_ours_and_a_stranger_too():
    rule = knowing(H1, ROUTER_1, ROUTER_2)
    assert rule.is_ours((ROUTER_1, (H2, 40_000)))
    assert rule.is_ours(((H1, 40_000), ROUTER_2))
    assert rule.is_ours((ROUTER_1, ("10.9.9.9", 40_000)))
    assert rule.is_ours(((NIC2, 40_000), ROUTER_2))  # by another interface of this host


def test_traffic_between_the_hosts_is_undecided_until_the_router_is_known():
    rule, socket = ToRouters(H1), ((H1, 40_000), ROUTER_2)
    assert rule.is_ours(socket) is None
    version = rule.version
    rule.know([ROUTER_1])
    assert rule.is_ours(socket) is None
    rule.know([ROUTER_1, ROUTER_2])
    assert rule.is_ours(socket) is True
    assert rule.version == version + 2
    rule.know([ROUTER_1])
    assert rule.version == version + 2  # nothing new
    assert rule.is_ours(((NIC2, 1), ("192.168.5.9", 2))) is False


def test_this_kernel_tells_of_ends_at_this_hosts_address():
    rule = knowing(H1, ROUTER_1, ROUTER_2)
    assert rule.is_here((ROUTER_1, (H1, 40_000)))
    assert not rule.is_here((ROUTER_2, (H1, 40_000)))


def test_hosts_on_loopback_share_a_kernel_and_each_has_its_own_ends():
    here, there = ("127.77.3.1", 10_001), ("127.77.3.2", 10_001)
    rule = knowing(here[0], here, there)
    assert rule.is_ours((here, ("127.77.3.2", 40_000)))
    assert rule.is_ours((("127.77.3.2", 40_000), here)) is False
    assert rule.is_ours((("127.77.3.1", 40_000), there))
    assert rule.is_ours((("127.0.0.1", 40_000), here)) is False  # of a stranger: no host's
