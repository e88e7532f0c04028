"""A host's part of a network of several hosts; needs root, and no second host."""

import os
import sys

import pytest
from waiting import wait_until

from prisam_p2p.errors import LaunchError, ResourceError
from prisam_p2p.hosts.host_network import HostNetwork
from prisam_p2p.hosts.messages import CountLink, LinkCounted, LinksSet, MakeNetwork, SetLinks
from prisam_p2p.netns.interface import Counts
from prisam_p2p.plan.link_properties import LinkState

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root on Linux"),
]

PEERS, HERE = ("a", "b", "c"), {"a": (None, None), "b": (8.0, None)}


def made(*remotes):
    order = MakeNetwork(PEERS, HERE, number=4713, remotes=remotes)
    return HostNetwork(order, "127.0.0.1", 20.0, lambda: None)


def has_ended(network):
    try:
        network.look()
    except LaunchError as error:
        return "holder of the network namespaces" in str(error)
    return False


def test_a_host_does_what_it_is_told_and_notices_the_end_of_what_it_needs():
    network = made("127.0.0.2")
    try:
        assert len(set(network.descriptors)) == 2
        assert all(os.fstat(fd) for fd in network.descriptors)
        a_to_b = ("a", "b", LinkState(cut="drop"))
        b_to_c = ("b", "c", LinkState(rate_mbit_s=2.0))
        assert network.set_links(SetLinks(1, (a_to_b, b_to_c))) == LinksSet(1)
        assert network.count(CountLink(2, "a", "b")) == LinkCounted(2, Counts())
        elsewhere = network.count(CountLink(3, "b", "c"))
        assert (elsewhere.counts, "counted on the host" in elsewhere.failed) == (None, True)
        network.look()
        (holder,) = network.namespaces.helpers()
        os.kill(holder.pid, 9)
        wait_until(lambda: has_ended(network), 10, "the end of the holder to be noticed")
    finally:
        network.close()


def test_a_kernel_that_refuses_is_told_with_what_to_do():
    with pytest.raises(ResourceError, match=r"joined by a VXLAN.*run the agents as root"):
        made("no address")
