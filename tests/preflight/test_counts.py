"""Connections and descriptors follow from the plan: by the algorithm, the links and the network."""

import pytest
from hand_plans import plan_of, with_settings

from prisam_p2p.plan.plan import DataChange
from prisam_p2p.preflight.counts import Circumstances, count
from prisam_p2p.preflight.donors import donors_of_a_round, donors_of_a_run, peers_heard

PLAIN = Circumstances(namespaces=False, secured=False, open_files=4)


def counted(plan, **circumstances):
    return count(plan, Circumstances(**{**vars(PLAIN), **circumstances}))


@pytest.mark.parametrize(
    ("settings", "of_a_round"),
    [
        ({}, 3),  # the other three of its group
        ({"grouping": "dbscan"}, 3),
        ({"grouping": "top-m", "top_m": 5}, 5),
        ({"grouping": "top-m", "top_m": 50}, 11),
        ({"algorithm": "local"}, 0),
        ({"algorithm": "d-psgd"}, 11),
        ({"algorithm": "exact-similarity"}, 11),
        ({"algorithm": "oracle"}, 3),
        ({"algorithm": "fedavg-random"}, 3),  # the plan's fan-in
        ({"algorithm": "pens"}, 11),  # five times the fan-in
        ({"algorithm": "pens", "pens_sampled": 6}, 6),
    ],
)
def test_how_many_neighbors_a_peer_pulls_from(settings, of_a_round):
    plan = plan_of()
    assert plan.fan_in == 3
    assert donors_of_a_round(with_settings(plan, **settings), "p00") == of_a_round


def test_where_data_change_the_round_with_the_most_alike_counts():
    plan = with_settings(plan_of(), algorithm="oracle")
    p04 = plan.peers["p04"]
    assert (plan.peers["p00"].group, p04.group) == (0, 1)
    change = DataChange(round=2, group=0, classes=[])
    moved = p04.model_copy(update={"data_changes": [change]})
    changed = plan.model_copy(update={"peers": {**plan.peers, "p04": moved}})
    assert donors_of_a_round(changed, "p00") == donors_of_a_round(plan, "p00") + 1 == 4
    assert donors_of_a_round(changed, "p05") == 3  # as many as before p04 left
    assert donors_of_a_round(changed, "p04") == 4


def test_a_peer_that_draws_its_donors_meets_more_of_them_in_more_rounds():
    drawing = with_settings(plan_of(), algorithm="fedavg-random", rounds=1)
    assert donors_of_a_run(drawing, "p00") == pytest.approx(3)
    later = donors_of_a_run(with_settings(drawing, rounds=2), "p00")
    assert later == pytest.approx(11 * (1 - (8 / 11) ** 2))
    assert donors_of_a_run(with_settings(drawing, rounds=1000), "p00") == pytest.approx(11)


def test_a_group_stays_and_so_do_its_donors():
    assert donors_of_a_run(with_settings(plan_of(), rounds=1000), "p00") == 3


def test_a_full_network_of_twelve():
    counts = counted(plan_of())
    assert counts.connections == 12 * 11 + 12 * 3  # for masks, and for weights
    assert (counts.processes, counts.peers) == (14, 12)
    assert counts.launcher_files == 4 + 11 + 12
    assert counts.peer_files == 109 == 36 + 11 * 5 + 3 * 6  # as counted in /proc/PID/fd of a run
    assert counts.process_files == counts.peer_files


def test_without_communication_there_is_no_connection():
    counts = counted(with_settings(plan_of(), algorithm="local"))
    assert (counts.connections, counts.peer_connections) == (0, 0)
    assert counts.peer_files == 18


def test_the_hub_of_a_star_is_the_busiest():
    counts = counted(plan_of("star-9"))
    assert counts.busiest == "p00"
    leaf = 36 + 5 + 6
    assert counts.peer_files >= leaf + 7 * 5


def test_namespaces_cost_descriptors_in_every_process():
    counts, plain = counted(plan_of(), namespaces=True), counted(plan_of())
    assert counts.peer_files == plain.peer_files + 3 * 12
    assert counts.launcher_files == plain.launcher_files + 3 * 12
    assert counts.helper_files == 9 + 7 * 12  # of the process that holds the namespaces
    assert counts.processes == plain.processes + 1


def test_peers_inherit_what_the_launcher_has_open_unless_they_are_spawned():
    assert counted(plan_of(), open_files=104).peer_files == counted(plan_of()).peer_files + 100
    spawned = with_settings(plan_of(), start="spawn")
    assert counted(spawned, open_files=104).peer_files == counted(spawned).peer_files
    assert counted(spawned).processes == 13


def test_encryption_costs_a_descriptor():
    assert counted(plan_of(), secured=True).peer_files == counted(plan_of()).peer_files + 1


@pytest.mark.parametrize(("hops", "heard"), [(1, 2), (2, 4), (3, 6), (4, 7), (9, 7)])
def test_where_masks_are_relayed_a_peer_of_a_ring_hears_more_than_its_neighbors(hops, heard):
    plan = with_settings(plan_of("ring-8"), mask_hops=hops)
    assert len(peers_heard(plan, "p00")) == heard
    assert peers_heard(plan, "p00")[:2] == plan.peers["p00"].neighbors
    baseline = with_settings(plan, algorithm="fedavg-random")
    assert len(peers_heard(baseline, "p00")) == 2


def test_peers_beyond_the_neighbors_count_as_donors():
    near, far = (with_settings(plan_of("ring-8"), mask_hops=hops) for hops in (1, 4))
    assert (donors_of_a_round(near, "p00"), donors_of_a_round(far, "p00")) == (1, 3)
    assert counted(far).connections == 8 * 2 + 8 * 3  # two neighbors, three donors
