import networkx as nx
import pytest

from prisam_p2p.faults.compiler.compile import compile_plan
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.scenario.scenario import load_scenario
from prisam_p2p.soak.drawing import draw_scenario

GRAPH = nx.relabel_nodes(nx.complete_graph(12), "p{:02d}".format)
PEERS = tuple(sorted(GRAPH))
TARGETS = Targets(
    peers=PEERS,
    links=tuple((a, b) for a in PEERS for b in PEERS if a != b),
    data_groups={},
    profiles=dict.fromkeys(PEERS, "laptop"),
)


@pytest.mark.parametrize("with_links", [False, True])
@pytest.mark.parametrize("rounds", [3, 8])
def test_every_draw_is_a_scenario_that_compiles(tmp_path, rounds, with_links):
    kinds = set()
    for cycle in range(60):
        path = tmp_path / "drawn.toml"
        path.write_text(draw_scenario(1, cycle, rounds, with_links))
        plan = compile_plan(load_scenario(path), TARGETS, rounds, seed=cycle)
        kinds |= {each.kind for each in plan.occurrences}
        assert 2 <= len(plan.occurrences) <= 6
    assert kinds == {"kill", "restart", "pause"} | ({"cut", "partition"} if with_links else set())


def test_a_draw_follows_from_seed_and_cycle():
    assert draw_scenario(3, 7, 8, True) == draw_scenario(3, 7, 8, True)
    assert len({draw_scenario(s, c, 8, True) for s in range(3) for c in range(3)}) == 9
