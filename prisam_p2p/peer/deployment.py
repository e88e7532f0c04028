"""Saves the model that a peer ends with, and journals what was deployed."""

from __future__ import annotations

import json

import xxhash

from prisam_p2p.core.entrywise import EntryLayout, network_of
from prisam_p2p.core.layout import pack
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.personalized import save_personalized
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.peer import Peer


def save_deployed(peer: Peer, architecture: Architecture, journal: Journal) -> None:
    """Write the personalized model and journal what was deployed."""
    deployed = peer.deployment
    if deployed is None:
        right = "an algorithm that ends with me.deploy(..)"
        raise ConfigError("--algorithm", "", str(peer.spec.settings.algorithm), right)
    buffer = pack(peer.layout, deployed.weights)
    extra = {
        "peer": peer.peer_id,
        "dataset": peer.spec.settings.dataset,
        "mean": json.dumps(peer.spec.mean),
        "std": json.dumps(peer.spec.std),
        "run": peer.spec.run_id,
        "prune_ratio": str(deployed.prune_ratio),
        "similarity_mask": peer.announced.hex,
        "moment": deployed.moment,
        "test_accuracy": str(deployed.accuracy.test),
    }
    layout, weights = peer.layout, deployed.weights
    if isinstance(layout, EntryLayout):  # pruned entries are zeros: no layer gets smaller
        weights, layout = network_of(layout, weights), layout.network
    save_personalized(peer.spec.model_path, architecture, layout, weights, extra)
    journal.write(
        records.Deployed(
            deployed.moment,
            deployed.accuracy.validation,
            deployed.accuracy.test,
            deployed.prune_ratio,
            peer.layout.n_parameters(deployed.weights.mask),
            macs(architecture, weights.mask),
            len(buffer),
            xxhash.xxh3_128_hexdigest(buffer),
        )
    )
