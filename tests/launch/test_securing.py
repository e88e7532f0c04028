import pytest

from prisam_p2p.launch.specs import is_secured
from prisam_p2p.settings import Security

HERE, THERE = ["127.1.0.1", "127.255.0.7", "::1"], ["127.1.0.1", "192.168.0.7"]


@pytest.mark.parametrize("addresses", [HERE, THERE, []])
@pytest.mark.parametrize("ours_alone", [False, True])
def test_what_is_asked_for_is_done(addresses, ours_alone):
    assert is_secured(Security.CURVE, addresses, ours_alone)
    assert not is_secured(Security.PLAIN, addresses, ours_alone)


@pytest.mark.parametrize(
    ("addresses", "ours_alone", "secured"),
    [
        (HERE, False, False),
        (["10.0.0.1", "10.0.0.2"], True, False),  # namespaces of our own
        (["10.0.0.1", "10.0.0.2"], False, True),
        (THERE, False, True),  # one is enough
        (["8.8.8.8"], False, True),
        (["0.0.0.0"], False, True),
        (["fe80::1"], False, True),
    ],
)
def test_auto_secures_what_leaves_this_machine(addresses, ours_alone, secured):
    assert is_secured(Security.AUTO, addresses, ours_alone) is secured
