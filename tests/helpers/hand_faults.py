"""Networks made by hand, and short ways from text to a scenario, a plan and its occurrences."""

import tomllib

import networkx as nx

from prisam_p2p.faults.compiler.compile import compile_plan
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.scenario.scenario import scenario_from


def targets_on(graph, groups=0, profiles=("laptop",), hosts=0):
    """Return the targets of a graph over strings; groups are blocks, the others dealt in turn."""
    peers = tuple(sorted(graph))
    n = len(peers)
    return Targets(
        peers=peers,
        links=tuple(sorted({(a, b) for a, b in graph.edges} | {(b, a) for a, b in graph.edges})),
        data_groups={peer: i * groups // n for i, peer in enumerate(peers)} if groups else {},
        profiles={peer: profiles[i % len(profiles)] for i, peer in enumerate(peers)},
        hosts={peer: f"h{1 + i % hosts}" for i, peer in enumerate(peers)} if hosts else {},
    )


def full(n, **facts):
    return targets_on(nx.relabel_nodes(nx.complete_graph(n), "p{:02d}".format), **facts)


def star(n):
    return targets_on(nx.relabel_nodes(nx.star_graph(n - 1), "p{:02d}".format))


def neighbors(targets):
    return {peer: {b for a, b in targets.links if a == peer} for peer in targets.peers}


def scenario(text, guard=None):
    """Return the scenario of one [[fault]] for each paragraph."""
    head = 'description = "made by hand"\n'
    if guard is not None:
        head += f"[guard]\nmost_down = {guard}\n"
    faults = "".join(f"[[fault]]\n{each}\n" for each in text.strip().split("\n\n"))
    return scenario_from(tomllib.loads(head + faults), "hand", "hand.toml")


def plan(text, targets=None, rounds=12, seed=0, guard=None):
    return compile_plan(scenario(text, guard), targets or full(10), rounds, seed)


def fault(rest, id="f", kind="kill", at='{ round = 1, phase = "train" }'):
    """Return the text of a fault: its id, kind and trigger, then `rest`; at = None: no trigger."""
    when = f"at = {at}\n" if at else ""
    return f'id = "{id}"\nkind = "{kind}"\n{when}{rest}'
