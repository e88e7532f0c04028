"""How many processes, threads, connections and descriptors a run has at its peak. Pure.

They follow from the plan alone. The constants were counted in /proc/PID/fd of runs; a test and
benchmarks/preflight.py hold them against runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from prisam_p2p.core.participation import participants
from prisam_p2p.plan.plan import Plan
from prisam_p2p.preflight.donors import donors_of_a_round, donors_of_a_run, peers_heard
from prisam_p2p.settings import Start

_LAUNCHER_FILES, _ENGINE_FILES = 11, 10
_SILENT_FILES, _PEER_FILES = 14, 32
"""Beside those that were open before: journals, logs, images, the board, the control line, and at
the peak two contexts of ZeroMQ."""
_FILES_OF_A_NEIGHBOR = 5
"""A connection from either side, and three descriptors of ZeroMQ for the one that it opens."""
_FILES_OF_A_DONOR, _FILES_OF_A_REQUESTER = 5, 1
"""A connection for weights has as many; its weights are kept in a file (transport/spool.py)."""

_NAMESPACE_FILES, _HOLDER_FILES, _HOLDER_FILES_OF_A_PEER = 3, 9, 7
"""Of a network namespace and two sockets in it; forks inherit them from the launcher."""

_THREADS, _SILENT_THREADS, _LAUNCHER_THREADS = 7, 2, 3


@dataclass(frozen=True)
class Circumstances:
    """What the launcher is started in.

    Attributes:
        namespaces: whether each peer has a network namespace.
        secured: whether connections are encrypted.
        open_files: descriptors that the launcher has open before the run.
    """

    namespaces: bool
    secured: bool
    open_files: int


@dataclass(frozen=True)
class RunCounts:
    """What a run has at its peak, on this host.

    Attributes:
        participants: peers that take part in a round, but for the first and the last.
        processes: the peers, the launcher and its helpers.
        connections: TCP connections; each has both ends on this host.
        peer_connections: of the peer with the most, in both directions.
        launcher_files, helper_files: descriptors of the launcher, and of its largest helper.
        peer_files: of the peer with the most, whose name is `busiest`.
        host_files: of all processes together.
        degrees: peer -> neighbors that it connects to.
        heard: peer -> peers whose masks it hears in a round.
        donors: peer -> neighbors that it pulls from in a round.
    """

    peers: int
    participants: int
    processes: int
    threads: int
    connections: int
    peer_connections: int
    launcher_files: int
    helper_files: int
    peer_files: int
    busiest: str
    host_files: int
    degrees: dict[str, int]
    heard: dict[str, int]
    donors: dict[str, int]

    @property
    def process_files(self) -> int:
        """The most descriptors of any one process."""
        return max(self.launcher_files, self.helper_files, self.peer_files)


def count(plan: Plan, around: Circumstances) -> RunCounts:
    """Count what the run of `plan` has at its peak."""
    silent = plan.traits.silent
    n, spawned = len(plan.peers), plan.settings.start is Start.SPAWN
    inherited = _NAMESPACE_FILES * n if around.namespaces else 0
    own = (3 if spawned else around.open_files + inherited) + int(around.secured)
    pulls = {} if silent else {peer: donors_of_a_run(plan, peer) for peer in plan.peers}
    degrees = {peer: 0 if silent else len(each.neighbors) for peer, each in plan.peers.items()}
    files = {
        peer: own
        + (_SILENT_FILES if silent else _PEER_FILES)
        + _FILES_OF_A_NEIGHBOR * degrees[peer]
        + (_FILES_OF_A_DONOR + _FILES_OF_A_REQUESTER) * ceil(pulls.get(peer, 0))
        for peer in plan.peers
    }
    busiest = max(files, key=lambda peer: files[peer])
    launcher = around.open_files + inherited + _LAUNCHER_FILES + n
    helpers = [] if spawned else [around.open_files + inherited + _ENGINE_FILES]
    helpers += [_HOLDER_FILES + _HOLDER_FILES_OF_A_PEER * n] if around.namespaces else []
    threads = _SILENT_THREADS if silent else _THREADS
    return RunCounts(
        peers=n,
        participants=participants(plan.settings.participation, n),
        processes=n + 1 + len(helpers),
        threads=threads * n + _LAUNCHER_THREADS + len(helpers),
        connections=round(sum(degrees.values()) + sum(pulls.values())),
        peer_connections=2 * degrees[busiest] + 2 * ceil(pulls.get(busiest, 0)),
        launcher_files=launcher,
        helper_files=max(helpers, default=0),
        peer_files=files[busiest],
        busiest=busiest,
        host_files=sum(files.values()) + launcher + sum(helpers),
        degrees=degrees,
        heard={peer: 0 if silent else len(peers_heard(plan, peer)) for peer in plan.peers},
        donors={peer: donors_of_a_round(plan, peer) for peer in plan.peers},
    )
