"""summary.json with types: what docs/run-folder.md documents, as attributes.

Keys that this version does not know stay readable as attributes. What an older run, or one that
was killed, does not have is None or empty.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    """A table of the summary."""

    model_config = ConfigDict(extra="allow", frozen=True)


class RunAccuracy(_Part):
    """Test accuracy, a share: of a peer, or the mean over the peers that have it."""

    after_aggregation: float | None = None
    after_training: float | None = None
    deployed: float | None = None


class GroupingSummary(_Part):
    """How well groups were found.

    Attributes:
        ari: adjusted Rand index of the last round, against the groups of the data.
        chosen_in_group: share of the chosen peers that have similar data.
    """

    ari: float | None = None
    ari_by_round: list[float] = []
    chosen_in_group: float | None = None


class SentBytes(_Part):
    """Messages of one kind, and their bytes by layer (docs/ledger.md)."""

    messages: int = 0
    payload: int = 0
    header: int = 0
    framing: int = 0
    stream: int = 0
    wire: int = 0


class ClosureSummary(_Part):
    """Whether every byte is accounted for."""

    verdict: str | bool
    connections: int = 0
    judged_connections: int = 0
    unexplained_bytes: int = 0
    source: str = ""
    failures: list[str] = []
    lost_hosts: list[dict[str, Any]] = []


class CheckSummary(_Part):
    """A rule of the run and its verdict."""

    check: str
    verdict: str | bool
    why: str = ""
    judged: int | None = None


class FaultSummary(_Part):
    """A fault of the plan and its verdict."""

    id: str
    kind: str
    verdict: str | bool
    why: str = ""
    fired: bool | None = None
    verified: bool | None = None
    contained: bool | None = None


class LostPeerSummary(_Part):
    """A peer that ended before the run did."""

    peer: str
    reason: str
    round: int | None = None
    planned: bool = False
    host: str = ""


class PeerSummary(_Part):
    """The result of one peer.

    Attributes:
        group: the peers of its last group, itself included.
        data_group: of peers with similar data, the last one if data changed; None where the
            split has none.
        data_changes: (round, data group of most of the images from then on).
        params, macs: of the deployed model.
        bytes: "in" and "out" -> kind of message -> counts.
    """

    pid: int | None = None
    state: str = "unknown"
    rounds_done: int | None = None
    profile: str = ""
    host: str = ""
    prune_ratio: float | None = None
    group: list[str] = []
    data_group: int | None = None
    data_changes: list[tuple[int, int]] = []
    params: int | None = None
    macs: int | None = None
    accuracy: RunAccuracy = Field(default_factory=RunAccuracy)
    deployed_from: str | None = None
    bytes: dict[str, dict[str, SentBytes]] = {}
    budgets: dict[str, Any] = {}


class HostsSummary(_Part):
    """The hosts of a run, those that it lost, and the bytes within and across hosts by kind."""

    hosts: dict[str, dict[str, Any]] = {}
    lost: list[dict[str, Any]] = []
    bytes: dict[str, dict[str, SentBytes]] = {}


class RunSummary(_Part):
    """The result of a run.

    Attributes:
        status: completed, interrupted, failed, or killed.
        start: what `all_ready` tells; None where peers on other hosts are not measured.
        hosts: None in a run without hosts.
        twin: mean deployed accuracy of the control run.
    """

    status: str
    algorithm: str
    seed: int
    rounds: int
    topology: str
    headline: str = ""
    rounds_done: int | None = None
    duration_s: float | None = None
    start: dict[str, float | None] = {}
    peers: dict[str, PeerSummary] = {}
    lost: list[LostPeerSummary] = []
    accuracy: RunAccuracy = Field(default_factory=RunAccuracy)
    grouping: GroupingSummary = Field(default_factory=GroupingSummary)
    bytes: dict[str, SentBytes] = {}
    hosts: HostsSummary | None = None
    closure: ClosureSummary
    rejected: dict[str, Any] = {}
    left_out: dict[str, int] = {}
    checks: list[CheckSummary] = []
    faults: list[FaultSummary] = []
    twin: float | None = None
