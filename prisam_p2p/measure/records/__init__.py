"""Every line a journal can hold, by subject. docs/run-folder.md documents them for readers.

A record is written as one JSON object: {"t_s": seconds since the run began, "record": its
class name in snake case, **fields}. Bits are hexadecimal, high bit first. Add fields freely;
never change what one means.

Callers write `records.NAME`, whichever module of this package it stands in.
"""

# ruff: noqa: F403, F405 - each name is re-exported; mypy finds one that does not exist

from __future__ import annotations

from prisam_p2p.measure.records.connections import *
from prisam_p2p.measure.records.exchange import *
from prisam_p2p.measure.records.faults import *
from prisam_p2p.measure.records.hosts import *
from prisam_p2p.measure.records.model import *
from prisam_p2p.measure.records.process import *
from prisam_p2p.measure.records.run import *

Record = (
    # run.py
    RunStarted
    | Watched
    | NetworkMade
    | PeerStarted
    | AllReady
    | PeerEnded
    | PeerRefused
    | Settled
    | RunEnded
    # hosts.py
    | HostUp
    | HostClock
    | HostLost
    | HostFenced
    | NoRoom
    | HostLine
    # faults.py
    | FaultApplied
    | FaultMissed
    | FaultVerified
    | FaultHealed
    | PolicyActed
    | TransferStopped
    | Stalled
    | MovedOn
    | GivenUp
    # process.py
    | Started
    | Resumed
    | CaughtUp
    | SatOut
    | StateNotWritten
    | Spans
    | Resources
    | MemoryExceeded
    | Finished
    # connections.py
    | Connected
    | NeighborJoined
    | NeighborLeft
    | NeighborFenced
    | Turned
    | Connection
    | Traffic
    | Socket
    | Watch
    # model.py
    | DataChanged
    | Trained
    | Probed
    | Compared
    | Differentiated
    | Regrown
    | Masked
    | MaskNoised
    | Evaluated
    | GuardActed
    | Deployed
    # exchange.py
    | Offered
    | Announced
    | Heard
    | Relayed
    | Arrivals
    | Grouped
    | Pulled
    | PullFailed
    | Rejected
    | Served
    | Aggregated
)
