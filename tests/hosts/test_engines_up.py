"""Ray and Slurm really run on the three hosts, and notice a host that is gone."""

import pytest
from waiting import wait_until

pytestmark = pytest.mark.hosts


def test_the_engine_has_a_node_on_each_host_and_loses_one_that_dies(cluster):
    assert cluster.alive() == {"h1", "h2", "h3"}
    for host in cluster.hosts:
        assert cluster.daemon in {each.name for each in host.processes()}
    assert sorted(cluster.hostnames()) == ["h1", "h2", "h3"]

    cluster.hosts["h3"].pull_cable()
    cluster.hosts["h3"].kill()
    wait_until(lambda: cluster.alive() == {"h1", "h2"}, 60, f"{cluster.name} to give up h3")
