import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.netns import doctor
from prisam_p2p.netns.namespaces import Namespaces


@pytest.fixture(scope="session")
def namespaces_work():
    """Skip, with the doctor's reason, where the machine cannot have namespaces."""
    try:
        doctor.choose(doctor.probe(doctor.NEEDED), doctor.NAMESPACES)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def three_peers(namespaces_work):
    """Peers a, b and c, in a user namespace of their own also where root runs the tests."""
    network = Namespaces(["a", "b", "c"], own_user=True)
    yield network
    network.close()


@pytest.fixture
def net(three_peers):
    """The same, without faults."""
    three_peers.apply({})
    return three_peers
