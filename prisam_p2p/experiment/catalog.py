"""The catalog of measures: their names, titles and units. measures.py computes their values.

Pure: no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """How tables and figures show a measure.

    Attributes:
        title: with its unit, for column heads and axes.
        decimals: number of decimals in Markdown.
        by_round: whether it has a value after each round, too.
    """

    title: str
    decimals: int
    by_round: bool = False


ACCURACY = "test accuracy (0 to 1)"

CATALOG: dict[str, Measure] = {
    "accuracy_deployed": Measure(f"{ACCURACY}, deployed", 3, by_round=True),
    "accuracy_aggregated": Measure(f"{ACCURACY}, after aggregation", 3, by_round=True),
    "accuracy_trained": Measure(f"{ACCURACY}, after local training", 3, by_round=True),
    "accuracy_drifted": Measure(f"{ACCURACY}, deployed, peers whose data group changes", 3, True),
    "validation_deployed": Measure("validation accuracy, deployed model", 3, by_round=True),
    "ari": Measure("adjusted Rand index of the groups found", 3, by_round=True),
    "mask_auc": Measure("pair AUC of the masks", 3, by_round=True),
    "rounds_to_follow": Measure("rounds until the Rand index is 1 after a drift", 1),
    "drifts_followed": Measure("drifts after which the Rand index was 1 again, share", 2),
    "chosen_in_group": Measure("chosen peers of the chooser's group, share", 3),
    "sent_mib": Measure("sent by all peers, on the wire, MiB", 1, by_round=True),
    "weights_mib": Measure("weights sent by all peers, payload, MiB", 1, by_round=True),
    "weights_mib_a_peer_and_round": Measure(
        "weights a peer pulls in a round that it takes part in, MiB", 3
    ),
    "mask_bytes": Measure("a mask on the wire, payload, bytes", 0),
    "weights_share": Measure("bytes of a pull, share of the dense model's", 3),
    "model_bytes_share": Measure("bytes of the model, share of the dense one's", 3),
    "macs_share": Measure("MACs of an inference, share of the dense model's", 3),
    "mega_macs": Measure("MACs of an inference, millions", 2),
    "training_giga_macs": Measure("MACs of a peer's training in the run, billions", 1),
    "prune_ratio": Measure("prune ratio", 2),
    "rounds_to_90_percent": Measure("rounds to 90 % of the best method's accuracy", 1),
    "sent_mib_to_90_percent": Measure(
        "sent by all peers until 90 % of the best method's accuracy, MiB", 1
    ),
    "restarted_share": Measure("peers restarted by faults in a round, share", 3),
    "left_out": Measure("masks, pulls and rounds left out between peers that no fault hits", 0),
    "duration_s": Measure("duration of the run on this host, s", 1),
}

BETWEEN_METHODS = ("rounds_to_90_percent", "sent_mib_to_90_percent")
"""Measures that need the runs of other methods, so the experiment needs an axis "method"."""

OF_COST = ("macs_share", "model_bytes_share", "weights_share")
"""Measures of a figure of the cost: shares of the dense model's."""

METHOD, SEED = "method", "seed"
"""The axis of what is compared, and the axis over which results are averaged."""


def of_rounds() -> list[str]:
    """Return the names of measures that have a value after each round."""
    return [name for name, measure in CATALOG.items() if measure.by_round]
