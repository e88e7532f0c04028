"""--network namespaces on hosts: a VXLAN joins the peers' namespaces, and faults act on packets."""

import pytest
from hosted_run import HostedRun

pytestmark = pytest.mark.hosts

HOSTS = ("h1", "h2", "h3")
SCENARIO = """
description = "a link is reset, and another is slow and late"

[[fault]]
id = "reset"
kind = "cut"
links = { between = [["p03"], ["p04"]] }
at = { round = 1, phase = "announce" }
heal = { rounds = 1 }
how = "reset"

[[fault]]
id = "slow"
kind = "shape"
links = { between = [["p00"], ["p01"]] }
at = { round = 1, phase = "announce" }
heal = { rounds = 3 }
rate_mbit_s = 10
delay_ms = 5
"""


def test_faults_act_on_packets_between_hosts_and_every_byte_is_explained(cluster):
    (cluster.hosts["h1"].tmp / "faults.toml").write_text(SCENARIO)
    options = ("--network", "namespaces", "--placement", "spread", "--faults", "/tmp/faults.toml")
    run = HostedRun(cluster, *options, peers=8, rounds=8)
    try:
        assert run.wait() == 0, run.printed()
        run.nothing_left(10)
    finally:
        run.end()
    homes = {peer: host for host in HOSTS for peer in run.peers_of(host)}
    assert homes["p03"] != homes["p04"], "the faults are of links between hosts"
    assert homes["p00"] != homes["p01"], "the faults are of links between hosts"
    (network,) = run.records("launcher", "network_made")
    assert (network["kind"], network["mtu"]) == ("namespaces", 1450)
    assert network["congestion"] in ("cubic", "reno")
    for peer in homes:
        (started,) = run.records(peer, "started")
        assert started["address"] == f"10.0.0.{1 + int(peer[1:])}", "of its namespace"
    verified = run.records("launcher", "fault_verified")
    assert {x["fault"] for x in verified} == {"reset#0", "slow#0"}
    assert all(int(x["evidence"].split()[0]) > 0 for x in verified), verified
    verdicts = {each["id"]: each["verdict"] for each in run.summary["faults"]}
    assert verdicts == {"reset#0": "true", "slow#0": "true"}
    closure = run.summary["closure"]
    assert (closure["verdict"], closure["source"]) == ("true", "kernel")
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["judged_connections"] == closure["connections"] > 8 * 7
