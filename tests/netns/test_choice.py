"""Which network a run gets, and what is told of it."""

import pytest
from test_doctor import found

from prisam_p2p.errors import ConfigError
from prisam_p2p.netns import choice, doctor
from prisam_p2p.netns.doctor import Choice
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.settings import NetworkKind, RunSettings

AUTO, LOOPBACK, NAMESPACES = NetworkKind.AUTO, NetworkKind.LOOPBACK, NetworkKind.NAMESPACES
LINKS = ["faults of links"]


@pytest.mark.parametrize(
    ("asked", "wants", "missing", "chosen"),
    [
        (AUTO, [], (), Choice("loopback", "nothing is asked of the links")),
        (AUTO, LINKS, (), Choice("namespaces", "for faults of links")),
        (AUTO, LINKS, ("veth",), Choice("loopback", "namespaces lack veth: no veth")),
        (LOOPBACK, LINKS, (), Choice("loopback", "asked for")),
        (NAMESPACES, [], (), Choice("namespaces", "asked for")),
    ],
)
def test_the_rule(monkeypatch, asked, wants, missing, chosen):
    monkeypatch.setattr(doctor, "probe", lambda only: found(*missing))
    assert choice.choose_network(asked, wants) == chosen


def test_namespaces_where_there_are_none_are_refused(monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda only: found("bridge"))
    with pytest.raises(ConfigError, match=r"--network = 'namespaces'.*bridge: no bridge"):
        choice.choose_network(NAMESPACES, [])


def test_who_asks_for_nothing_gets_the_choice_and_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda only: pytest.fail("probed"))
    chosen = choice.choose_network(RunSettings().network, [])
    network = choice.make_network(chosen, {"a": (None, None)}, "00")
    assert isinstance(network, Loopback)
    assert choice.measured(chosen) == []
    facts = choice.facts_of(network, chosen, [])
    assert (facts.kind, facts.reason) == ("loopback", "nothing is asked of the links")
