"""Masks relayed over random graphs, without sockets: who learns what, and what crosses a link."""

from collections import Counter
from dataclasses import replace
from random import Random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relaying import N_BITS, Relayed, card_of, mask_of

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.peer.relay_book import RENEWED_AFTER, RelayBook
from prisam_p2p.peer.round_book import MAX_EARLY, Verdict
from prisam_p2p.transport.known_masks import VERSIONS_KEPT, KnownMasks
from prisam_p2p.wire.relay_messages import MaskDigest


def named(graph):
    return nx.relabel_nodes(graph, {node: f"p{node}" for node in graph})


graphs = st.builds(
    lambda n, p, seed: named(nx.gnp_random_graph(n, p, seed=seed)),
    st.integers(2, 12),
    st.floats(0.1, 1.0),
    st.integers(0, 10_000),
)


def numbers(graph, shift=0):
    return {peer: 100 * int(peer[1:]) + shift for peer in graph}


def within(graph, hops):
    """Return peer -> origin -> its distance, of those that are no neighbors."""
    return {
        peer: {
            origin: far
            for origin, far in nx.single_source_shortest_path_length(graph, peer, hops).items()
            if far > 1
        }
        for peer in graph
    }


@settings(deadline=None, max_examples=150)
@given(graphs, st.integers(2, 13), st.lists(st.booleans(), max_size=3))
def test_every_mask_reaches_every_peer_within_the_hops_and_never_again(graph, hops, changes):
    relayed, shift = Relayed(graph, hops), 0
    expected = within(graph, hops)
    for t, changed in enumerate([True, *changes]):
        shift += changed
        found = relayed.play(t, numbers(graph, shift))
        for peer, masks in found.items():
            assert relayed.books[peer].hops() == expected[peer]
            assert masks == {o: mask_of(100 * int(o[1:]) + shift) for o in expected[peer]}
    versions = 1 + sum(changes)
    assert sum(relayed.carried.values()) == versions * sum(map(len, expected.values()))
    each_way = Counter()
    for (sender, receiver, *entry), times in relayed.carried.items():
        each_way[frozenset((sender, receiver)), *entry] += times
    assert not each_way or max(each_way.values()) == 1  # in either direction
    assert not any(origin in (s, r) for s, r, origin, _ in relayed.carried)


@settings(deadline=None, max_examples=60)
@given(graphs, st.integers(2, 6), st.data())
def test_who_does_not_announce_is_missing_and_relays_nothing(graph, hops, data):
    relayed = Relayed(graph, hops)
    relayed.play(0, numbers(graph))
    alive = data.draw(st.sets(st.sampled_from(sorted(graph)), min_size=1))
    found = relayed.play(1, numbers(graph, 1), alive)
    assert {peer: set(masks) for peer, masks in found.items()} == {
        peer: set(origins) for peer, origins in within(graph.subgraph(alive), hops).items()
    }


def test_what_is_held_is_bounded_however_long_a_run_lasts():
    graph = named(nx.cycle_graph(9))
    relayed = Relayed(graph, 9)
    for t in range(30):
        relayed.play(t, numbers(graph, t))
    for peer in graph:
        assert len(relayed.known[peer]) == 8 * VERSIONS_KEPT
        assert sum(map(len, relayed.books[peer]._cards.values())) <= 2 * (MAX_EARLY + 1)
        assert len(relayed.books[peer]._digests) <= 1
    with pytest.raises(ValueError, match="no peer of this run"):
        relayed.known["p0"].keep(card_of("p99", 0))


def test_an_unchanged_mask_is_sent_again_only_when_it_is_signed_anew():
    graph = named(nx.path_graph(4))
    relayed = Relayed(graph, 3)
    sent = []
    for t in range(2 * RENEWED_AFTER):
        relayed.play(t, numbers(graph))
        sent.append(sum(relayed.carried.values()))
    assert sent == [6] * RENEWED_AFTER + [12] * RENEWED_AFTER
    assert relayed.digests <= 2 * RENEWED_AFTER * 3 * 2 * graph.number_of_edges()


def test_few_steps_are_taken_where_the_network_is_small():
    graph = named(nx.path_graph(3))
    relayed = Relayed(graph, 1000)
    relayed.play(0, numbers(graph))
    assert relayed.digests <= 3 * 2 * graph.number_of_edges()


def test_a_clique_relays_no_mask_and_asks_for_none():
    relayed = Relayed(named(nx.complete_graph(6)), 5)
    relayed.play(0, numbers(relayed.graph))
    assert relayed.carried == {}
    assert relayed.requests == 0


def test_the_requests_of_a_step_are_shared_among_those_who_offer():
    """p0 hears of p5 .. p8 from each of p1 .. p4: one mask from each."""
    graph = named(nx.complete_bipartite_graph([0, 5, 6, 7, 8], [1, 2, 3, 4]))
    relayed = Relayed(graph, 2)
    relayed.play(0, numbers(graph))
    from_whom = Counter(s for s, r, *_ in relayed.carried if r == "p0")
    assert from_whom == {"p1": 1, "p2": 1, "p3": 1, "p4": 1}


def test_a_forged_mask_is_counted_and_asked_for_elsewhere():
    """p0 - p1, p2 - p3: p1 alters what it relays; the mask comes from p2, too."""
    graph = named(nx.cycle_graph(4))  # 0-1-2-3-0
    true = {peer: mask_of(number) for peer, number in numbers(graph).items()}

    def holds(mask):
        return mask.bits == true[mask.origin].bits

    def forge(sender, mask):
        return replace(mask, bits=b"\xff\xff") if sender == "p1" else mask

    found = Relayed(graph, 2, holds).play(0, numbers(graph), forge=forge)
    assert found["p0"] == {"p2": true["p2"]}
    assert found["p2"] == {"p0": true["p0"]}


# -- one book by hand ------------------------------------------------------------------


def book(neighbors=("p1", "p2"), hops=3, holds=lambda _mask: True):
    known = KnownMasks([f"p{i}" for i in range(9)])
    return RelayBook("p0", neighbors, known, [f"p{i}" for i in range(9)], hops, N_BITS, holds)


def opened(t=0, **more):
    made = book(**more)
    for neighbor in ("p1", "p2"):
        made.hear_mask(neighbor, card_of(neighbor, 0))
    assert made.open(t, {"p1": mask_of(1), "p2": mask_of(2)}) == []
    return made


def whole(peer, version=0, number=7):
    return replace(card_of(peer, version), n_bits=N_BITS, bits=mask_of(number).bits)


def asks(made, neighbor="p1", entries=(("p5", 0),)):
    made.hear_digest(neighbor, MaskDigest(0, 2, False, entries))
    made.take_digests()
    return made.asked()


@pytest.mark.parametrize(
    ("neighbor", "digest", "verdict"),
    [
        ("p1", MaskDigest(4, 2, False), Verdict.ACCEPTED),
        ("p1", MaskDigest(5, 3, False), Verdict.EARLY),
        ("p1", MaskDigest(3, 2, False), Verdict.STALE),
        ("p1", MaskDigest(4, 4, False), Verdict.MISMATCHED),  # beyond --mask-hops
        ("p5", MaskDigest(4, 2, False), Verdict.STRANGER),
        ("p1", MaskDigest(4, 2, False, (("p77", 4),)), Verdict.MISMATCHED),
    ],
)
def test_digests(neighbor, digest, verdict):
    made = opened(4)
    assert made.hear_digest(neighbor, digest) is verdict


def test_a_digest_that_comes_twice_or_after_its_step_is_rejected():
    made = opened()
    assert made.hear_digest("p1", MaskDigest(0, 2, False)) is Verdict.ACCEPTED
    assert made.hear_digest("p1", MaskDigest(0, 2, True)) is Verdict.DUPLICATE
    made.take_digests()
    made.next_step()
    assert made.hear_digest("p2", MaskDigest(0, 2, False)) is Verdict.STALE


def test_digests_of_few_rounds_ahead_are_kept():
    made = opened()
    verdicts = [made.hear_digest("p1", MaskDigest(t, 2, False)) for t in range(1, 7)]
    assert verdicts == [Verdict.EARLY] * MAX_EARLY + [Verdict.TOO_EARLY] * 2


def test_after_its_last_digest_a_neighbor_is_awaited_no_more():
    made = opened()
    made.hear_digest("p1", MaskDigest(0, 2, True))
    assert made.awaited() == {"p2"}
    made.hear_digest("p2", MaskDigest(0, 2, False, (("p5", 0),)))
    made.take_digests()
    made.asked()
    made.hear_mask("p2", whole("p5"))
    made.next_step()
    assert made.awaited() == {"p2"}
    assert made.hear_digest("p1", MaskDigest(0, 3, True)) is Verdict.DUPLICATE


@pytest.mark.parametrize(
    ("neighbor", "mask", "verdict"),
    [
        ("p1", whole("p5"), Verdict.ACCEPTED),
        ("p2", whole("p5"), Verdict.UNEXPECTED),  # it was not asked
        ("p1", whole("p6"), Verdict.UNEXPECTED),
        ("p1", whole("p5", version=1), Verdict.UNEXPECTED),
        ("p5", whole("p5"), Verdict.STRANGER),
        ("p1", replace(whole("p5"), n_bits=8, bits=b"\x01"), Verdict.MISMATCHED),
        ("p1", whole("p5", number=8), Verdict.FORGED),
        ("p1", card_of("p2", 0), Verdict.SPOOFED),
    ],
)
def test_relayed_masks(neighbor, mask, verdict):
    made = opened(holds=lambda m: m.origin != "p5" or m.bits == mask_of(7).bits)
    assert asks(made) == {"p1": (("p5", 0),)}
    assert made.hear_mask(neighbor, mask) is verdict
    assert made.masks() == ({"p5": mask_of(7)} if verdict is Verdict.ACCEPTED else {})


def test_a_second_copy_is_rejected():
    made = opened()
    asks(made)
    assert made.hear_mask("p1", whole("p5")) is Verdict.ACCEPTED
    assert made.hear_mask("p1", whole("p5")) is Verdict.UNEXPECTED


def test_what_a_neighbor_owed_when_it_left_is_asked_of_another():
    made = opened()
    made.hear_digest("p2", MaskDigest(0, 2, False, (("p5", 0), ("p6", 0))))
    asked = asks(made, entries=(("p5", 0), ("p6", 0)))
    assert asked == {"p1": (("p5", 0),), "p2": (("p6", 0),)}
    made.leave("p1")
    assert made.owing() == {"p2"}
    assert made.asked() == {"p2": (("p5", 0),)}
    made.leave("p2")
    assert made.asked() == {}
    assert made.owing() == set()
    assert not made.must_ask()


def test_the_latest_version_counts_and_an_older_one_where_it_does_not_come():
    made = opened(5, holds=lambda m: m.version != 5)
    made.hear_digest("p1", MaskDigest(5, 2, False, (("p6", 4),)))
    made.hear_digest("p2", MaskDigest(5, 2, False, (("p6", 5),)))
    made.take_digests()
    assert made.asked() == {"p2": (("p6", 5),)}
    assert made.hear_mask("p2", whole("p6", 5)) is Verdict.FORGED
    assert made.asked() == {"p1": (("p6", 4),)}


def test_a_mask_that_is_older_than_peers_renew_theirs_is_no_present_one():
    made = opened(holds=lambda _: True)
    made.open(RENEWED_AFTER, {})
    digest = MaskDigest(RENEWED_AFTER, 2, False, (("p5", 0), ("p6", 1)))
    assert made.hear_digest("p1", digest) is Verdict.MISMATCHED
    made.take_digests()
    assert made.asked() == {"p1": (("p6", 1),)}


@pytest.mark.parametrize(
    "tells",
    [
        lambda made: made.pass_to("p1", 5),
        lambda made: made.finish("p1"),
        lambda made: made.leave("p1"),
        lambda made: made.hear_digest("p1", MaskDigest(4, 3, False)),
        lambda made: made.hear_digest("p1", MaskDigest(5, 2, False)),
    ],
    ids=["announced", "finished", "gone", "later step", "later round"],
)
def test_who_is_past_a_step_is_not_awaited_in_it(tells):
    made = opened(4)
    assert made.awaited() == {"p1", "p2"}
    tells(made)
    assert made.awaited() == {"p2"}


def test_a_digest_that_was_too_early_to_keep_is_not_awaited_in_its_round():
    made = opened()
    for t in range(1, MAX_EARLY + 2):
        verdict = made.hear_digest("p1", MaskDigest(t, 2, True))
    assert verdict is Verdict.TOO_EARLY
    made.open(MAX_EARLY + 1, {"p1": mask_of(1)})
    assert made.awaited() == set()


def test_a_neighbor_two_rounds_ahead_is_asked_for_nothing():
    """A neighbor holds the two latest versions of a mask."""
    made = opened()
    asks(made)
    made.pass_to("p1", 1)
    assert made.owing() == {"p1"}
    made.pass_to("p1", 2)
    assert made.owing() == set()
    assert not made.must_ask()
    made.next_step()
    assert made.hear_digest("p1", MaskDigest(0, 3, False, (("p6", 0),))) is Verdict.ACCEPTED
    made.take_digests()
    assert made.asked() == {}


class Neighbor:
    """Sends what a real one does, in order, along rounds that it takes, skips, and ends.

    What it says while the connection is down is lost. When it is back, the last mask and the
    digests that go with it come again, but no goodbye.
    """

    def __init__(self, made):
        self.made, self.t, self.at, self.up, self.over, self.finished = (
            made,
            -1,
            0,
            True,
            True,
            False,
        )
        self.masks, self.said = {}, []

    def act(self, what):
        if what == "play":
            for _ in range(HOPS):
                self.act("step")
        if what == "cut" and self.up:
            self.up = False
            self.made.leave("p1")
        elif what == "back" and not self.up:
            self.up = True
            self.made.meet("p1")
            for each in self.said:
                self.hand_in(each)
        elif self.finished:
            pass
        elif what == "finish" and self.over:
            self.finished = True
            self.send("finish")
        elif what == "step" and not self.over:
            self.at += 1
            self.over = self.at == HOPS
            self.send(MaskDigest(self.t, self.at, self.over))
        elif isinstance(what, int) and self.over:
            self.t, self.at, self.over, self.said = self.t + what, 1, False, []
            self.send(self.t)

    def send(self, message):
        if message != "finish":
            self.said.append(message)
        if self.up:
            self.hand_in(message)

    def hand_in(self, message):
        if message == "finish":
            self.made.finish("p1")
        elif isinstance(message, MaskDigest):
            self.made.hear_digest("p1", message)
        else:
            self.masks[message] = mask_of(1)
            self.made.pass_to("p1", message)

    def will_send(self, t, step):
        return self.up and not self.finished and (self.t, self.at) < (t, step)


HOPS = 4
OF_IT = ["step", "play", "play", "cut", "back", "back", 1, 1, 2]
OF_MINE = ["end step", "end step", "end step", "next round", "latest round"]


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**32))
def test_nobody_is_awaited_who_will_never_send(seed):
    """I go from one round that the neighbor announced to the next, or skip to its latest."""
    made, random = book(hops=HOPS), Random(seed)
    it, t, ends_at = Neighbor(made), -1, random.randrange(200)
    for at in range(200):
        it.act("finish" if at >= ends_at and it.over else random.choice(OF_IT))
        what = random.choice(OF_MINE) if random.random() < 0.5 else "nothing"
        later = sorted(each for each in it.masks if each > t)
        if what == "end step" and not made.has_ended and not made.awaited():
            made.take_digests()
            made.next_step()
        elif what.endswith("round") and later:
            t = later[0] if what == "next round" else later[-1]
            made.open(t, {"p1": it.masks[t]})
            if not it.up:
                made.leave("p1")
        if t >= 0 and not made.has_ended and "p1" in made.awaited():
            assert it.will_send(t, made.step)


def test_what_a_neighbor_says_of_itself_must_fit_its_mask():
    made = book(holds=lambda m: m.bits == mask_of(1).bits)
    assert made.open(0, {"p1": mask_of(1)}) == [("p1", Verdict.UNINTRODUCED)]
    made.hear_mask("p1", card_of("p1", 0))
    made.hear_mask("p2", card_of("p2", 0))
    assert made.open(0, {"p1": mask_of(1), "p2": mask_of(2)}) == [("p2", Verdict.FORGED)]
    made.meet("p1")  # a new connection: it has not said it again yet
    assert made.open(1, {"p1": mask_of(1)}) == [("p1", Verdict.UNINTRODUCED)]


def test_only_discovered_peers_have_a_place():
    made = opened()
    asks(made)
    made.hear_mask("p1", whole("p5"))
    assert made.where("p5") == whole("p5")
    assert made.where("p1") is None
    assert made.where("p6") is None


def test_a_mask_of_other_length_of_a_neighbor_is_not_relayed():
    made = book(holds=lambda m: m.n_bits == N_BITS)
    made.hear_mask("p1", card_of("p1", 0))
    assert made.open(0, {"p1": PackedMask(8, b"\x01")}) == [("p1", Verdict.FORGED)]
