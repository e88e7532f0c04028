"""A network of relay books in one process: what is sent over which link, step by step."""

from collections import Counter

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.peer.relay_book import RelayBook
from prisam_p2p.peer.round_book import Verdict
from prisam_p2p.transport.known_masks import KnownMasks
from prisam_p2p.wire.relay_messages import RelayedMask

N_BITS = 16


def mask_of(number):
    return PackedMask(N_BITS, (number % 2**16).to_bytes(2, "big"))


def card_of(peer, version):
    return RelayedMask(peer, version, 0, "127.0.0.1", 1 + int(peer[1:]))


class Relayed:
    """The peers of a graph, which tell each other masks as a run's peers do.

    Attributes:
        carried: (sender, receiver, origin, version) -> how often that mask went that way.
        digests, requests: how many were sent.
    """

    def __init__(self, graph, hops, holds=lambda _mask: True):
        self.graph, self.hops = graph, hops
        self.known = {peer: KnownMasks(graph.nodes) for peer in graph}
        self.books = {
            peer: RelayBook(
                peer, graph.neighbors(peer), self.known[peer], graph.nodes, hops, N_BITS, holds
            )
            for peer in graph
        }
        self.carried, self.digests, self.requests = Counter(), 0, 0
        self._versions, self._announced = {}, {}

    def play(self, t, masks, alive=None, links=None, forge=None):
        """Play a round; return peer -> what its book knows beyond its neighbors.

        Args:
            masks: peer -> number that its mask is made of.
            alive: the peers that announce; all if None.
            links: graph of the links that are up; all if None.
            forge: (sender, mask) -> what the sender sends in its place.
        """
        links, alive = links or self.graph, set(self.graph if alive is None else alive)
        forge = forge or (lambda _sender, mask: mask)
        up = {peer: sorted(alive & set(links.neighbors(peer))) for peer in alive}
        for peer in alive:
            last = self._versions.get(peer, -99)
            if self._announced.get(peer) != masks[peer] or t - last >= 8:
                self._versions[peer], self._announced[peer] = t, masks[peer]
        for peer in alive:
            for neighbor in up[peer]:  # as by a connection that is new
                card = card_of(neighbor, self._versions[neighbor])
                assert self.books[peer].hear_mask(neighbor, card) is Verdict.ACCEPTED
            heard = {neighbor: mask_of(masks[neighbor]) for neighbor in up[peer]}
            assert self.books[peer].open(t, heard) == []
        going = set(alive)
        for _ in range(2, self.hops + 1):
            going = self._step(going, up, forge)
        return {peer: self.books[peer].masks() for peer in sorted(alive)}

    def _step(self, going, up, forge):
        """Play a step of the peers that are `going`; return those that have another one."""
        for peer in going:
            for neighbor, digest in self.books[peer].digests().items():
                if neighbor not in up[peer]:
                    continue
                self.digests += 1
                verdict = self.books[neighbor].hear_digest(peer, digest)
                assert verdict in (Verdict.ACCEPTED, Verdict.EARLY), verdict
        going = {each for each in going if not self.books[each].is_over}
        for peer in going:
            book = self.books[peer]
            assert book.awaited() == set()
            book.take_digests()
            while asked := book.asked():
                for neighbor, entries in asked.items():
                    self.requests += 1
                    self._answer(neighbor, peer, entries, forge)
            assert book.owing() == set()
        for peer in going:
            self.books[peer].next_step()
        return going

    def _answer(self, sender, receiver, entries, forge):
        for entry in entries:
            mask = self.known[sender].get(entry)
            assert mask is not None, f"{sender} does not hold {entry}, which it listed"
            self.carried[sender, receiver, *entry] += 1
            self.books[receiver].hear_mask(sender, forge(sender, mask))
