"""A host goes down with all of its peers; the loss that the launcher notices is the proof."""

from types import SimpleNamespace

from test_injector import NotingPeers

from prisam_p2p.faults.acts.hosts import EndHost


def firing(peer):
    return SimpleNamespace(peer=peer, back_s=None)


def test_it_ends_the_host_of_each_peer_that_has_a_process():
    peers = NotingPeers()
    peers.down.add("p02")
    act = EndHost(peers, None)
    assert act.apply(firing("p01"), 1.0)
    assert not act.apply(firing("p02"), 1.0)
    assert peers.take() == [("p01", "its host goes down")]


def test_its_evidence_is_that_the_host_is_counted_as_lost():
    peers = NotingPeers()
    act, hit = EndHost(peers, None), firing("p01")
    assert act.on_exit(hit, -9) is None  # its process was killed, and its host is there
    peers.lost_hosts["p01"] = "h2"
    assert act.on_exit(hit, -9) == "its host h2 is lost"
    assert act.explains_end(hit)


def test_it_is_healed_by_nothing_but_a_start_elsewhere():
    act, hit = EndHost(NotingPeers(), None), firing("p01")
    assert not act.heal(hit, 5.0)
    assert not act.is_back(hit)
    hit.back_s = 6.0
    assert act.is_back(hit)
    assert not act.explains_end(hit)
