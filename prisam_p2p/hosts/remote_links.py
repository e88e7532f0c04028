"""The links between peers in namespaces on several hosts: orders to their agents, and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

from prisam_p2p.hosts.messages import CountLink, HostOrder, LinkCounted, LinksSet, SetLinks
from prisam_p2p.netns.interface import Counts, NetworkError
from prisam_p2p.plan.link_properties import Link, LinkState


class RemoteLinks:
    """See HostsOfNetwork (netns/of_hosts.py).

    Args:
        placement: peer -> its host, for all of the run.
        tell: sends an order to a host.
        is_lost: tells whether a host is counted as lost.
        wait_for: waits until no host is missing, given what for and which are.
    """

    def __init__(
        self,
        placement: Mapping[str, str],
        tell: Callable[[str, HostOrder], object],
        is_lost: Callable[[str], bool],
        wait_for: Callable[[str, Callable[[], set[str]]], object],
    ) -> None:
        self._placement, self._tell = dict(placement), tell
        self._is_lost, self._wait_for = is_lost, wait_for
        self._numbers = count(1)
        self._asked = 0
        self._answers: dict[str, LinksSet | LinkCounted] = {}

    def note(self, host: str, answer: LinksSet | LinkCounted) -> None:
        """Take an answer in."""
        if answer.asked == self._asked:  # else it was given up
            self._answers[host] = answer

    def set_links(self, states: Mapping[Link, LinkState]) -> None:
        """See HostsOfNetwork."""
        rows = tuple((sender, receiver, state) for (sender, receiver), state in states.items())
        order = SetLinks(next(self._numbers), rows)
        self._ask(set(self._placement.values()), order)

    def count_link(self, link: Link) -> Counts | None:
        """See HostsOfNetwork."""
        host = self._placement[link[1]]
        answer = self._ask({host}, CountLink(next(self._numbers), *link)).get(host)
        return answer.counts if isinstance(answer, LinkCounted) else None

    def _ask(
        self, hosts: set[str], order: SetLinks | CountLink
    ) -> dict[str, LinksSet | LinkCounted]:
        """Give hosts an order; return the answers of those that are not lost.

        Raises:
            LaunchError: one did not answer in time.
            NetworkError: the kernel of one refused.
        """
        self._asked, self._answers = order.asked, {}
        for host in hosts:
            self._tell(host, order)
        what = "set links" if isinstance(order, SetLinks) else "count packets"
        self._wait_for(
            what, lambda: {h for h in hosts if not (h in self._answers or self._is_lost(h))}
        )
        for host, answer in self._answers.items():
            if answer.failed:
                raise NetworkError(f"{host}: {answer.failed}")
        return self._answers
