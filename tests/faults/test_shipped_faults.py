"""The scenarios in topologies/faults/ and docs/faults.md: all compile, and are what they say."""

import re
import tomllib
from pathlib import Path

import pytest
from hand_faults import neighbors

from prisam_p2p.faults.attacks import ATTACKS
from prisam_p2p.faults.barrier_plan import barriers_of, transfer_stops
from prisam_p2p.faults.compiler.compile import compile_plan
from prisam_p2p.faults.compiler.targets import targets_of
from prisam_p2p.faults.fault_plan import read_fault_plan
from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.faults.scenario.scenario import load_scenario, scenario_from
from prisam_p2p.plan.topology import load_topology

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "topologies" / "faults").glob("*.toml"))
DOCUMENT = (ROOT / "docs" / "faults.md").read_text()
TOPOLOGY = load_topology(ROOT / "topologies" / "clusters-20.toml")
TARGETS = targets_of(
    TOPOLOGY,
    {peer: i // 5 for i, peer in enumerate(TOPOLOGY.peer_ids)},
    {peer: f"h{1 + i % 3}" for i, peer in enumerate(TOPOLOGY.peer_ids)},
)


def compiled(name, rounds=12, seed=0):
    scenario = load_scenario(ROOT / "topologies" / "faults" / f"{name}.toml")
    return compile_plan(scenario, TARGETS, rounds, seed)


def neighbors_of(plan):
    """Return peer -> its neighbors; newcomers have those of their places."""
    near = neighbors(TARGETS)
    return {peer: near[peer.partition("-")[0]] for peer in plan.peers}


def of(plan, fault):
    return [each for each in plan.occurrences if each.fault == fault]


def test_the_targets_are_the_topologys():
    assert len(TARGETS.links) == 20 * 19
    assert TARGETS.data_groups["p05"] == 1
    assert set(TARGETS.profiles.values()) == set(
        TOPOLOGY.run.get("profiles", TARGETS.profiles.values())
    )
    assert targets_of(TOPOLOGY, dict.fromkeys(TOPOLOGY.peer_ids)).data_groups == {}


def test_scenarios_are_shipped():
    assert {path.stem for path in SHIPPED} >= {
        "kill-at-half-a-pull", "churn-30", "partition-3-rounds", "storm", "pauses", "liars",
        "masks-lost", "host-down", "host-cut", "drift", "seasons", "turnover",
    }  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("rounds", [12, 20])
def test_a_shipped_scenario_compiles_and_hits_somebody_each_time(path, rounds):
    for seed in range(3):
        plan = compiled(path.stem, rounds, seed)
        assert all(each.concerned for each in plan.occurrences)
        assert not any(each.cut_to_fit for each in plan.occurrences)
        assert barriers_of(plan, neighbors_of(plan)) or transfer_stops(plan)


def test_the_kill_is_at_half_a_pull():
    plan = compiled("kill-at-half-a-pull")
    assert transfer_stops(plan) == {peer: [(2, 0.5)] for peer in TARGETS.peers}
    assert [each.kind for each in plan.occurrences] == ["kill"]


def test_churn_is_30_percent_in_every_round():
    plan = compiled("churn-30")
    assert [each.trigger.round for each in plan.occurrences] == list(range(1, 12))
    assert {len(each.peers) for each in plan.occurrences} == {6}
    assert len({tuple(each.peers) for each in plan.occurrences}) > 5


def test_the_partition_is_of_halves_for_3_rounds():
    (halves,) = compiled("partition-3-rounds").occurrences
    assert halves.heal.round - halves.trigger.round == 3
    assert len(halves.links) == 2 * 10 * 10


def test_one_host_goes_down_with_all_of_its_peers():
    (outage,) = compiled("host-down").occurrences
    (host,) = outage.parameters["hosts"]
    assert outage.peers == [peer for peer, its in TARGETS.hosts.items() if its == host]
    assert len(outage.peers) in (6, 7)


def test_one_host_is_cut_off_for_two_rounds():
    (cable,) = compiled("host-cut").occurrences
    n = sum(host in cable.parameters["hosts"] for host in TARGETS.hosts.values())
    assert len(cable.links) == 2 * n * (20 - n)
    assert cable.heal.round - cable.trigger.round == 2


def test_the_storm_is_all_that_it_says():
    plan = compiled("storm", rounds=20)
    assert plan.most_down == 10
    (weather,), (liar,), (poison,) = (of(plan, each) for each in ("weather", "liar", "poison"))
    assert (weather.parameters, len(weather.links)) == ({"delay_ms": 20.0, "loss": 0.02}, 380)
    assert (liar.kind, poison.kind) == ("lying-mask", "nan")
    churn = of(plan, "churn")
    assert [each.trigger.round for each in churn] == list(range(1, 19))
    assert all(len(each.peers) + each.already_down == 6 for each in churn)
    byzantine = {*liar.peers, *poison.peers}
    assert not any(byzantine & {*each.peers} for each in churn)
    assert [len(each.peers) for each in plan.occurrences if each.kind == "pause"] == [1, 1]
    (halves,) = of(plan, "halves")
    assert halves.heal.round - halves.trigger.round == 3


# --- the document ---


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_a_documented_example_compiles(block):
    data = {"description": "an example", **tomllib.loads(block)}
    assert compile_plan(scenario_from(data, "example", "docs"), TARGETS, 12, 0).occurrences


def test_the_documented_plan_is_one(tmp_path):
    (block,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "faults.json").write_text(block)
    assert read_fault_plan(tmp_path / "faults.json").to_json() == block


@pytest.mark.parametrize(("name", "attack"), ATTACKS.items())
def test_an_attack_is_documented_with_how_it_is_noticed(name, attack):
    (row,) = re.findall(rf"^\| `{name}` \|.*\| (.*)\|$", DOCUMENT, re.MULTILINE)
    assert row.replace("`", "").split(": ")[-1].strip() == attack.noticed_by


def test_every_kind_and_parameter_is_documented():
    named = set(re.findall(r"`([\w-]+)(?: = [^`]*)?`", DOCUMENT))
    for kind, row in KINDS.items():
        model = row.model
        fields = {model.model_fields[name].alias or name for name in model.parameter_names()}
        assert {kind, *fields} <= named
