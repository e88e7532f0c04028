from hand_cells import RING

from prisam_p2p.experiment.cells import Cell, Trial, key_of
from prisam_p2p.experiment.tuning import Tried, choose, edges, record


def tried(method, rate, validation):
    one = Cell(f"{method}-{rate}", {}, RING, None, {})
    return Tried(Trial({"method": method}, {"learning_rate": rate}, one), validation)


def test_the_best_validation_accuracy_is_chosen_and_a_tie_goes_to_the_first():
    trials = [
        *(tried("a", 0.1, 0.5), tried("a", 0.2, 0.7), tried("a", 0.3, 0.7)),
        *(tried("b", 0.1, 0.9), tried("b", 0.2, None)),
        tried("c", 0.1, None),
    ]
    chosen = choose(trials)
    assert chosen == {
        key_of({"method": "a"}): {"learning_rate": 0.2},
        key_of({"method": "b"}): {"learning_rate": 0.1},
    }
    entries = record(trials, chosen)
    assert entries[0]["chosen"] == {"learning_rate": 0.2}
    assert entries[0]["candidates"][1] == {"learning_rate": 0.2, "validation": 0.7, "cell": "a-0.2"}
    assert entries[2]["chosen"] is None


def test_a_choice_at_the_edge_of_the_grid_is_told():
    rates = [{"rate": r, "decay": 0.8, "by": word} for r in (1, 2, 4) for word in ("a", "b")]
    assert edges({"rate": 2, "decay": 0.8, "by": "a"}, rates) == []
    assert edges({"rate": 4, "decay": 0.8, "by": "a"}, rates) == ["rate"]
    trials = [tried("a", 0.1, 0.5), tried("a", 0.2, 0.7), tried("a", 0.4, 0.6)]
    assert record(trials, choose(trials))[0]["at_edge"] == []
    assert record(trials[:2], choose(trials[:2]))[0]["at_edge"] == ["learning_rate"]
