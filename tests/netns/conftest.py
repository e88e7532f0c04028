import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.netns import capabilities
from prisam_p2p.netns.choice import choose_by_capabilities
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.settings import NetworkKind


@pytest.fixture(scope="session")
def namespaces_work():
    """Skip, with the reason, where this machine cannot have namespaces."""
    try:
        choose_by_capabilities(capabilities.probe(capabilities.NEEDED), NetworkKind.NAMESPACES)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def three_peers(namespaces_work):
    """Peers a, b and c, in a user namespace of their own even where root runs the tests."""
    network = Namespaces(["a", "b", "c"], own_user=True)
    yield network
    network.close()


@pytest.fixture
def net(three_peers):
    """The same network with all links clear."""
    three_peers.apply({})
    return three_peers
