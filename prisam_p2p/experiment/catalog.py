"""What can be measured in a run: names, titles, units. Tables and figures name measures by these.

Pure: no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """Attributes.

    title: with its unit, as a column's head or an axis's label.
    decimals: shown in Markdown.
    by_round: it is also known after each round (of `docs/experiments.md`'s table of rounds).
    """

    title: str
    decimals: int
    by_round: bool = False


ACCURACY = "test accuracy (0 to 1)"

CATALOG: dict[str, Measure] = {
    "accuracy_deployed": Measure(f"{ACCURACY}, deployed", 3, by_round=True),
    "accuracy_aggregated": Measure(f"{ACCURACY}, after aggregation", 3, by_round=True),
    "accuracy_trained": Measure(f"{ACCURACY}, after local training", 3, by_round=True),
    "validation_deployed": Measure("validation accuracy, deployed model", 3, by_round=True),
    "ari": Measure("adjusted Rand index of the groups found", 3, by_round=True),
    "mask_auc": Measure("pair AUC of the masks", 3, by_round=True),
    "chosen_in_group": Measure("chosen peers of the chooser's group, share", 3),
    "sent_mib": Measure("sent by all peers, on the wire, MiB", 1, by_round=True),
    "weights_mib": Measure("weights sent by all peers, payload, MiB", 1, by_round=True),
    "weights_mib_a_peer_and_round": Measure("weights a peer pulls in a round, MiB", 3),
    "mask_bytes": Measure("a mask on the wire, payload, bytes", 0),
    "weights_share": Measure("bytes of a pull, share of the dense model's", 3),
    "model_bytes_share": Measure("bytes of the model, share of the dense one's", 3),
    "macs_share": Measure("MACs of an inference, share of the dense model's", 3),
    "mega_macs": Measure("MACs of an inference, millions", 2),
    "prune_ratio": Measure("prune ratio", 2),
    "rounds_to_90_percent": Measure("rounds to 90 % of the best method's accuracy", 1),
    "sent_mib_to_90_percent": Measure(
        "sent by all peers until 90 % of the best method's accuracy, MiB", 1
    ),
    "restarted_share": Measure("peers restarted by faults in a round, share", 3),
    "left_out": Measure("masks and pulls left out between peers that no fault hits", 0),
    "duration_s": Measure("duration of the run on this host, s", 1),
}

BETWEEN_METHODS = ("rounds_to_90_percent", "sent_mib_to_90_percent")
"""Measures that need the other methods' runs: the axis called "method" must be there."""

METHOD, SEED = "method", "seed"
"""The axis whose values are compared, and the one that results are summed up over."""


def of_rounds() -> list[str]:
    """Return the measures that are known after each round."""
    return [name for name, measure in CATALOG.items() if measure.by_round]
