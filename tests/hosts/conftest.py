"""Tests on three hosts, with Ray and Slurm: minutes, so only `pytest -m hosts` runs them."""

import pytest
from ray_cluster import RayCluster
from slurm_cluster import SlurmCluster
from three_hosts import three_hosts, why_no_hosts


def pytest_collection_modifyitems(config, items):
    """Take these tests out of a run that does not ask for them."""
    if "hosts" in config.option.markexpr:
        return
    unasked = [item for item in items if item.get_closest_marker("hosts")]
    if unasked:
        config.hook.pytest_deselected(items=unasked)
        items[:] = [item for item in items if item not in set(unasked)]


@pytest.fixture(scope="session")
def three(tmp_path_factory):
    """Return the hosts h1, h2, h3; skip where this machine cannot be three hosts."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    with three_hosts(tmp_path_factory.mktemp("hosts")) as hosts:
        yield hosts


@pytest.fixture
def hosts(three):
    """Return the hosts, booted anew: nothing runs on them."""
    three.reboot()
    return three


@pytest.fixture(scope="session", params=[RayCluster, SlurmCluster], ids=["ray", "slurm"])
def engine(request, three):
    """Return an engine that is up on the three hosts; once more for each engine."""
    if reason := request.param.why_not():
        pytest.skip(reason)
    started = request.param(three)
    started.be_whole()
    return started


@pytest.fixture
def cluster(engine):
    """Return the engine with all nodes up: where a test before broke one, started anew."""
    engine.be_whole()
    return engine
