"""Which network a run gets, and what the journal says of it."""

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.netns import capabilities, choice
from prisam_p2p.netns.capabilities import Capability
from prisam_p2p.netns.choice import NetworkChoice, choose_by_capabilities
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.settings import NetworkKind, RunSettings

AUTO, LOOPBACK, NAMESPACES = NetworkKind.AUTO, NetworkKind.LOOPBACK, NetworkKind.NAMESPACES
LINKS = ["faults of links"]


def found(*missing):
    return {
        what: Capability(what, what not in missing, f"no {what}" if what in missing else "", "much")
        for what in (*capabilities.NEEDED, "netem", "NFQUEUE")
    }


@pytest.mark.parametrize(
    ("missing", "asked", "chosen"),
    [
        ((), AUTO, NetworkChoice("namespaces", "all that it needs is available")),
        ((), NAMESPACES, NetworkChoice("namespaces", "asked for")),
        ((), LOOPBACK, NetworkChoice("loopback", "asked for")),
        (("veth",), LOOPBACK, NetworkChoice("loopback", "asked for")),
        (("netem", "NFQUEUE"), AUTO, NetworkChoice("namespaces", "all that it needs is available")),
        (("veth",), AUTO, NetworkChoice("loopback", "namespaces lack veth: no veth")),
    ],
)
def test_auto_prefers_namespaces_where_they_work(missing, asked, chosen):
    assert choose_by_capabilities(found(*missing), asked) == chosen


@pytest.mark.parametrize("what", capabilities.NEEDED)
def test_namespaces_that_are_not_available_are_refused_with_the_missing_capability(what):
    right = f"expected loopback or auto on this machine, which lacks {what}: no {what}"
    with pytest.raises(ConfigError, match=right):
        choose_by_capabilities(found(what), NAMESPACES)


@pytest.mark.parametrize(
    ("asked", "wants", "missing", "chosen"),
    [
        (AUTO, [], (), NetworkChoice("loopback", "no link has a rate, delay, loss or fault")),
        (AUTO, LINKS, (), NetworkChoice("namespaces", "for faults of links")),
        (AUTO, LINKS, ("veth",), NetworkChoice("loopback", "namespaces lack veth: no veth")),
        (LOOPBACK, LINKS, (), NetworkChoice("loopback", "asked for")),
        (NAMESPACES, [], (), NetworkChoice("namespaces", "asked for")),
    ],
)
def test_auto_chooses_namespaces_only_where_links_need_them(
    monkeypatch, asked, wants, missing, chosen
):
    monkeypatch.setattr(capabilities, "probe", lambda only: found(*missing))
    assert choice.choose_network(asked, wants) == chosen


def test_namespaces_are_refused_whatever_the_links_need(monkeypatch):
    monkeypatch.setattr(capabilities, "probe", lambda only: found("bridge"))
    with pytest.raises(ConfigError, match=r"--network = 'namespaces'.*bridge: no bridge"):
        choice.choose_network(NAMESPACES, [])


def test_a_run_without_needs_gets_loopback_and_nothing_is_probed(monkeypatch):
    monkeypatch.setattr(capabilities, "probe", lambda only: pytest.fail("probed"))
    chosen = choice.choose_network(RunSettings().network, [])
    network = choice.make_network(chosen, {"a": (None, None)}, "00")
    assert isinstance(network, Loopback)
    assert choice.link_checks(chosen) == []
    facts = choice.facts_of(network, chosen, [])
    assert (facts.kind, facts.reason) == ("loopback", "no link has a rate, delay, loss or fault")
