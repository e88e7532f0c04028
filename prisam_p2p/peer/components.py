"""Builds the components of a peer from its spec: the learner and the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import xxhash

from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.layout import Layout, pack
from prisam_p2p.core.masks import similarity_bits
from prisam_p2p.learn.entry_learner import EntryLearner
from prisam_p2p.learn.learner import Learner
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.shared_data import SharedImages, open_shared
from prisam_p2p.learn.training import Hyperparameters
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.peer.data_orders import rows_of
from prisam_p2p.peer.marks import Marks
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.relaying import make_relaying
from prisam_p2p.peer.round_book import RoundBook
from prisam_p2p.peer.round_deadline import DeadlineRule, RoundDeadline
from prisam_p2p.settings import InitialWeights
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pacing import bytes_per_second
from prisam_p2p.transport.pull_manager import MIN_RATE_BYTES_S, Patience
from prisam_p2p.transport.servings import Serving
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.messages import WireDtype

_OF_W0 = 1
"""Draws a peer's own W0 apart from its shuffles."""


@dataclass(frozen=True)
class Parts:
    """The classes that make a peer's network; a Byzantine peer has others for some."""

    transport: Callable[..., Transport] = Transport
    network: Callable[..., Neighbors] = Neighbors


def w0_seed(spec: PeerSpec) -> int:
    """Return the seed of this peer's initial weights: the run's, unless each peer has its own."""
    if spec.settings.initial_weights is InitialWeights.COMMON:
        return spec.settings.seed
    own = np.random.SeedSequence([spec.settings.seed, spec.index, _OF_W0])
    return int(own.generate_state(1)[0])


def make_learner(spec: PeerSpec, architecture: Architecture, layout: Layout) -> Learner:
    """Return the learner on this peer's images."""
    shared = SharedImages(spec.data.fd, spec.data.n_images, spec.image_shape, spec.dtype)
    images, labels = open_shared(shared)
    data = rows_of(spec.data)
    s = spec.settings
    how = Hyperparameters(s.batch_size, s.momentum, s.gamma_l1, s.weight_decay, s.flips)
    seed = int(np.random.SeedSequence([s.seed, spec.index]).generate_state(1)[0])
    given = (architecture, images, labels, data, how, seed, s.device.value)
    return EntryLearner(layout, *given) if isinstance(layout, EntryLayout) else Learner(*given)


def make_network(
    spec: PeerSpec,
    incarnation: Incarnation,
    layout: Layout,
    learner: Learner,
    inbox: Inbox[events.Event],
    journal: Journal,
    parts: Parts,
    marks: Marks,
) -> tuple[Neighbors | None, Transport | None]:
    """Return the network and its transport; None, None for an algorithm that never communicates.

    The peers of a run know it by its common initial weights: they refuse a peer of others.

    Args:
        marks: shows whom this peer waits for.
    """
    s = spec.settings
    traits = spec.traits
    if traits.silent:
        return None, None
    digest = xxhash.xxh3_128_digest(pack(layout, learner.initial_weights(s.seed)))
    identity = Identity(
        bytes.fromhex(spec.run_id), spec.peer_id, incarnation.number, digest, layout.digest
    )
    relaying = make_relaying(spec, identity)
    me = LocalPeer(
        identity,
        spec.address,
        spec.neighbors,
        incarnation.port,
        spec.keys,
        spec.shared_address,
        **relaying.of_transport if relaying else {},
    )
    up, down = spec.device.up_mbit_s, spec.device.down_mbit_s
    how = TransportSettings(
        chunk_bytes=s.chunk_kib * 1024,
        patience=Patience(s.pull_timeout_s, MIN_RATE_BYTES_S, s.reconnect_timeout_s),
        rates=Rates(bytes_per_second(up), bytes_per_second(down)),
        message_fault_seed=s.seed,
        heartbeat_s=s.heartbeat_s,
    )
    transport = parts.transport(
        me, layout, inbox, how, journal.write, served=partial(_write_serving, journal)
    )
    n_bits = {
        "similarity": similarity_bits(layout, s.similarity_layers),
        "structure": layout.n_bits,
        "choice": spec.clusters,
    }
    book = RoundBook(spec.neighbors, n_bits.get(traits.masks, 0), spec.participation())
    dtype = WireDtype[s.wire_dtype.name]
    deadline = RoundDeadline(DeadlineRule(s.round_timeout_s, s.round_deadline_k))
    relay = relaying.make(transport, n_bits["similarity"]) if relaying else None
    what = (book, deadline, inbox, journal, layout, s.pull_deadline_s, dtype, marks, relay)
    return parts.network(transport, *what), transport


def _write_serving(journal: Journal, serving: Serving) -> None:
    journal.write(
        records.Served(
            round=serving.round_index,
            to=serving.to,
            offered_round=serving.latest_round,
            n_bytes=serving.n_bytes,
            began_s=journal.run_s(serving.began_s),
            queued_s=round(serving.queued_s, 4),
            wall_s=round(serving.wall_s, 4),
            state=serving.ending,
        )
    )
