"""Memory, disk and time, from hand-made costs of a peer."""

from dataclasses import replace

import pytest
from hand_plans import plan_of, with_settings, with_speed

from prisam_p2p.peer.baselines import pens
from prisam_p2p.preflight import declared
from prisam_p2p.preflight.counts import Circumstances, count
from prisam_p2p.preflight.duration import seconds
from prisam_p2p.preflight.needs import MIB, disk, memory, most_memory
from prisam_p2p.preflight.peer_cost import PeerCost, PeerCosts

COST = PeerCost(
    donors=0,
    trained=32,
    tested=150,
    parameters=60_000,
    macs=200_000,
    held_bytes=30 * MIB,
    peak_bytes=100 * MIB,
    page_table_bytes=1 * MIB,
    start_s=0.0,
    step_s=0.1,
    dense_step_s=0.1,
    round_s=0.0,
)
SMALL = COST.model_copy(update={"parameters": 20_000, "macs": 50_000, "held_bytes": 10 * MIB})
SILENT = with_settings(plan_of(), algorithm="local")


def on(plan, cores):
    return plan.model_copy(update={"host": plan.host.model_copy(update={"cores": cores})})


def counted(plan):
    return count(plan, Circumstances(namespaces=False, secured=False, open_files=4))


def peers_mib(plan, *costs):
    found = memory(plan, counted(plan), PeerCosts(costs), 400 * MIB, namespaces=False)
    assert found.total == found.shared + found.added
    return found.peers / MIB


def test_full_speed_devices_train_in_turns():
    fast = on(with_speed(SILENT, 1.0), 2)
    assert peers_mib(fast, COST) == pytest.approx(12 * 30 + 2 * 70)
    assert peers_mib(on(fast, 100), COST) == pytest.approx(12 * 100)


def test_slow_devices_and_those_without_turns_train_all_at_once():
    assert peers_mib(with_speed(SILENT, 0.5), COST) == pytest.approx(12 * 100)
    without = with_settings(with_speed(SILENT, 1.0), turns=False)
    assert peers_mib(without, COST) == pytest.approx(12 * 100)


def test_a_connection_costs_memory_in_the_peers_and_in_the_kernel():
    talking, costs = with_speed(plan_of(), 0.5), PeerCosts([COST])
    beside = memory(talking, counted(talking), costs, 0, namespaces=False)
    alone = memory(SILENT, counted(SILENT), costs, 0, namespaces=False)
    assert beside.peers > alone.peers + 168 * 2**16
    assert beside.kernel > alone.kernel + 168 * 2 * 4096


def test_devices_lie_on_the_line_between_the_measured_ones():
    costs = PeerCosts([COST, SMALL])
    assert costs.memory_bytes(20_000)[0] == 10 * MIB
    assert costs.memory_bytes(40_000)[0] == pytest.approx(20 * MIB)
    assert costs.memory_bytes(60_000)[0] == 30 * MIB


def test_the_upper_bound_is_one():
    for plan in (plan_of(), SILENT):
        counts = counted(plan)
        most = most_memory(plan, counts, 400 * MIB)
        assert most > memory(plan, counts, PeerCosts([COST]), 0, namespaces=False).added


def test_rounds_and_peers_take_time_and_cores_save_it():
    plan = with_settings(on(with_speed(SILENT, 1.0), 1), rounds=11)
    costs = PeerCosts([COST])
    took = seconds(plan, counted(plan), costs)
    # 32 images are 2 steps of 0.1 s; 3 epochs, then 10 rounds of 2 epochs; 12 peers
    assert 12 * (3 + 10 * 2) * 2 * 0.1 <= took <= 1.3 * 12 * (3 + 10 * 2) * 2 * 0.1
    assert seconds(on(plan, 4), counted(plan), costs) < took / 2
    longer = with_settings(plan, rounds=21)
    assert seconds(longer, counted(longer), costs) > 1.7 * took


def test_the_slowest_device_decides_where_cores_are_idle():
    slow = with_settings(on(with_speed(SILENT, 0.05), 64), rounds=1)
    assert seconds(slow, counted(slow), PeerCosts([COST])) > 3 * 2 * 0.1 / 0.05


def test_many_rounds_are_counted_without_counting_each():
    plan = with_settings(plan_of(), rounds=100_000)
    assert seconds(plan, counted(plan), PeerCosts([COST])) > 10_000


def test_a_run_writes_models_states_and_records():
    plan = with_settings(plan_of(), rounds=4)  # before the round in which channels return
    models = sum(each.n_bytes for each in plan.peers.values())
    written = disk(plan, counted(plan)).run_folder
    assert 3 * models < written < 3 * models + 2 * MIB
    more = disk(with_settings(plan, rounds=40), counted(plan)).run_folder
    assert more > written + 36 * 12 * 11 * 100


def test_what_was_pulled_is_kept_in_temporary_files():
    plan = with_settings(plan_of(), algorithm="d-psgd")
    assert disk(plan, counted(plan)).temporary == 12 * 11 * plan.model.n_bytes
    assert disk(SILENT, counted(SILENT)).temporary == 0


def test_a_spool_has_an_end():
    plan = with_settings(plan_of(), algorithm="d-psgd")
    large = plan.model_copy(update={"model": plan.model.model_copy(update={"n_bytes": 100 * MIB})})
    assert disk(large, counted(large)).temporary == 12 * 256 * MIB


def test_a_round_of_more_donors_takes_longer():
    counts = counted(plan_of())
    more = replace(counts, donors=dict.fromkeys(counts.donors, 11))
    costs = PeerCosts([COST.model_copy(update={"step_s": 0.0, "dense_step_s": 0.0})])
    assert seconds(plan_of(), more, costs) > seconds(plan_of(), counts, costs)


def test_donors_beyond_those_of_the_probe_are_added():
    plan = with_speed(with_settings(plan_of(), algorithm="d-psgd"), 0.5)
    few, all_ = (PeerCosts([COST.model_copy(update={"donors": n})]) for n in (8, 11))
    counts = counted(plan)
    beside = memory(plan, counts, few, 0, namespaces=False)
    exact = memory(plan, counts, all_, 0, namespaces=False)
    assert beside.peers - exact.peers == 12 * 3 * plan.model.n_bytes


def timed(plan, **costs):
    return seconds(plan, counted(plan), PeerCosts([COST.model_copy(update=costs)]))


def test_as_many_models_are_counted_as_pens_tries():
    assert declared.PENS_TRIED_FOR_EACH == pens.TRIED_FOR_EACH


def test_time_follows_what_an_algorithm_declares():
    plan = with_settings(on(with_speed(plan_of(), 1.0), 1), algorithm="fedavg-random", rounds=11)
    # 32 images are 2 steps of 0.1 s; 3 epochs, then 10 rounds of 2 epochs; 12 peers on one core
    training_s = 12 * (3 + 10 * 2) * 2 * 0.1 / 0.9
    once_s = timed(plan)
    for algorithm, trainings in (("ditto", 2), ("fedrep", 4)):
        more_s = timed(with_settings(plan, algorithm=algorithm)) - once_s
        assert more_s == pytest.approx((trainings - 1) * training_s)
    tuned = with_settings(plan, algorithm="fedavg-ft", finetune_epochs=30)
    assert timed(tuned) - once_s == pytest.approx(12 * 30 * 2 * 0.1 / 0.9)
    k = plan.clusters
    compared_s = timed(with_settings(plan, algorithm="ifca"), trained=0) - timed(plan, trained=0)
    # each of k models twice: for its statistics, and for its loss: 2 batches, forward alone
    assert compared_s == pytest.approx(11 * 12 * 2 * k * 2 * (0.1 / 3) / 0.9)


def test_time_follows_who_takes_part_and_whether_w0_is_trained():
    plan = with_settings(on(with_speed(plan_of(), 1.0), 1), rounds=11, regrowth_every=0)
    all_s = timed(plan)
    some = with_settings(plan, participation=0.5)
    # all in two rounds, half in nine
    assert timed(some) / all_s == pytest.approx((3 + 2 + 9 * 2 / 2) / (3 + 10 * 2), abs=0.1)
    of_w0 = with_settings(plan, similarity_by="gamma-of-w0", similarity_epochs=4)
    assert timed(of_w0) - all_s == pytest.approx(10 * 12 * 4 * 2 * 0.1 / 0.9)
    seldom = with_settings(of_w0, similarity_every=5)
    assert timed(seldom) - all_s == pytest.approx(2 * 12 * 4 * 2 * 0.1 / 0.9)


def test_states_hold_the_further_models_of_an_algorithm():
    plan = with_settings(plan_of(), algorithm="fedavg-random")
    plain = disk(plan, counted(plan)).run_folder
    for algorithm, kept in (("ditto", 1), ("ifca", plan.clusters), ("facade", plan.clusters)):
        more = with_settings(plan, algorithm=algorithm)
        written = disk(more, counted(more)).run_folder - plain
        assert written == 12 * 2 * kept * plan.model.n_bytes


def test_states_of_earlier_rounds_are_kept_where_peers_sit_rounds_out():
    plan = with_settings(plan_of(), algorithm="ditto", rounds=6)
    plain = disk(plan, counted(plan)).run_folder
    some = with_settings(plan, participation=0.5)
    written = disk(some, counted(some)).run_folder - plain
    assert written == 12 * 4 * 2 * plan.model.n_bytes
