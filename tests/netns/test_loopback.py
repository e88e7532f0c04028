import sys

import pytest

from prisam_p2p.netns.interface import Counts
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.link_properties import LinkState


def test_each_peer_has_an_address_and_no_namespace_to_enter():
    network = Loopback([f"p{i}" for i in range(300)], run_id="0a00")
    network.apply({("p0", "p1"): LinkState(cut="drop")})
    assert network.entry("p0") is None
    assert network.counts(("p0", "p1")) == Counts()
    assert network.evidence(("p0", "p1")) == 0
    if sys.platform == "linux":
        assert len(set(network.addresses.values())) == 300
        assert network.addresses["p0"] == "127.11.0.1"
        assert network.addresses["p250"] == "127.11.1.1"


def test_on_other_systems_than_linux_all_peers_share_one_address(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert set(Loopback(["a", "b"], "ff").addresses.values()) == {"127.0.0.1"}
    with pytest.raises(Exception, match="darwin has no sock_diag"):
        Loopback(["a"], "ff").watch_sockets()
