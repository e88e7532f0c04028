"""Every message between the launcher and a peer. They are encoded and decoded in codec.py.

An *order* goes from the launcher to a peer, a *report* from a peer to the launcher. What peers
say to each other is the subject of `prisam_p2p.wire`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field

from prisam_p2p.control.message_rule import Rule
from prisam_p2p.control.spec import Phase, Stop

Round: TypeAlias = Annotated[int, Field(ge=0)]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65_535)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]


class _Checked:
    """How codec.py checks the fields of a message: exact types, no unknown field."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )


@dataclass(frozen=True, slots=True)
class RosterEntry(_Checked):
    """Where a peer's process can be reached, and the key it proves itself by.

    Attributes:
        port: of its ROUTER.
        incarnation: 0 for a peer's first process, then counting up.
        public_key: Z85 text; None = connections are plain.
    """

    peer: str
    address: str
    port: Annotated[int, Field(ge=1, le=65_535)]
    incarnation: Count = 0
    public_key: str | None = None


# -- orders --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roster(_Checked):
    """Connect to these neighbors. Sent once to each process, after its `ProcessUp`.

    Attributes:
        version: of the launcher's knowledge of all peers; it grows with every change.
    """

    version: Count
    entries: tuple[RosterEntry, ...]


@dataclass(frozen=True, slots=True)
class RosterUpdate(_Checked):
    """A neighbor can be reached here from now on. Sent when it joins, or comes back elsewhere.

    Attributes:
        version: as in `Roster`; an update that is not newer than what the peer knows is ignored.
    """

    version: Count
    entry: RosterEntry


@dataclass(frozen=True, slots=True)
class Fence(_Checked):
    """Hear no process of this neighbor before `least_incarnation`; answer with `Fenced`.

    Its host was lost: its process may still run there, or go on after a while.
    """

    peer: str
    least_incarnation: Count


@dataclass(frozen=True, slots=True)
class StartRounds(_Checked):
    """Begin with the rounds. Sent once to each process, after its `Ready`."""


@dataclass(frozen=True, slots=True)
class LeaveBarrier(_Checked):
    """Go on from the barrier that `AtBarrier` reported."""


@dataclass(frozen=True, slots=True)
class ResumeTransfer(_Checked):
    """Continue the transfer that waits at `stop`, as `TransferHeld` reported."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class SetRule(_Checked):
    """Apply a message-fault rule from now on."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class RemoveRule(_Checked):
    """Stop applying a message-fault rule, and answer with `RuleRemoved`."""

    rule_id: str


@dataclass(frozen=True, slots=True)
class SettleConnections(_Checked):
    """Wait until the connections that faults broke are back, and answer with `ConnectionsSettled`.

    Sent to all peers after the last round of a run with faults, or where a peer stopped early.

    Attributes:
        peers: connections to these count.
        timeout_s: report after this time at the latest.
    """

    peers: tuple[str, ...]
    timeout_s: Seconds


@dataclass(frozen=True, slots=True)
class Exit(_Checked):
    """All peers are done: shut down cleanly."""


Order: TypeAlias = (
    Roster | RosterUpdate | Fence | StartRounds | LeaveBarrier | ResumeTransfer
    | SetRule | RemoveRule | SettleConnections | Exit
)  # fmt: skip


# -- reports -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProcessUp(_Checked):
    """The process listens. The first report of every process.

    Attributes:
        port: of its ROUTER; 0 = its algorithm never communicates.
    """

    port: Port


@dataclass(frozen=True, slots=True)
class Ready(_Checked):
    """The process is connected to the neighbors that it could reach, and waits for the start."""


@dataclass(frozen=True, slots=True)
class Fenced(_Checked):
    """The answer to `Fence`: nothing of the neighbor's earlier processes is heard any more."""

    peer: str
    least_incarnation: Count


@dataclass(frozen=True, slots=True)
class RoundsBegun(_Checked):
    """The process begins with this round; not 0 if it joins late or follows an earlier process."""

    round_index: Round


@dataclass(frozen=True, slots=True)
class AtBarrier(_Checked):
    """The peer waits for `LeaveBarrier` before this phase of this round."""

    round_index: Round
    phase: Phase


@dataclass(frozen=True, slots=True)
class TrainedOnNewData(_Checked):
    """The peer has trained on other images, for the first time in this process.

    Attributes:
        fault: id of the fault that gives them; "" = what one took away is back.
        group: data group of most of them; None = the split has no groups.
        images: number of its training images.
        new: how many of them it did not have before.
    """

    round_index: Round
    fault: str
    group: int | None
    images: Count
    new: Count


@dataclass(frozen=True, slots=True)
class RoundDone(_Checked):
    """The peer has finished a round.

    Attributes:
        accuracy: moment -> test accuracy in [0, 1] of the last evaluation; {} before the first.
        bytes_out: payload and header bytes that this process has sent so far.
    """

    round_index: Round
    accuracy: dict[str, float]
    bytes_out: Count


@dataclass(frozen=True, slots=True)
class StateLost(_Checked):
    """The peer could not write its state after a round; it continues without."""

    round_index: Round
    reason: str


@dataclass(frozen=True, slots=True)
class ResourceLost(_Checked):
    """The system refused what the process cannot run without, such as its journal; it ends now.

    Attributes:
        what: the path or the limit.
        reason: the system's words.
        to_do: what the user can do about it.
    """

    what: str
    reason: str
    to_do: str


@dataclass(frozen=True, slots=True)
class TransferHeld(_Checked):
    """A transfer of this donor waits at `stop` for `ResumeTransfer`."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class RuleRemoved(_Checked):
    """A message-fault rule is no longer applied.

    Attributes:
        acted: messages that it dropped, delayed or changed.
    """

    rule_id: str
    acted: Count


@dataclass(frozen=True, slots=True)
class AttackActed(_Checked):
    """A Byzantine peer has attacked. Sent at the 1st, 2nd, 4th, 8th, .. time.

    Attributes:
        fault: id of the fault that made this peer Byzantine.
        acted: how often this process has attacked so far.
    """

    fault: str
    acted: Count


@dataclass(frozen=True, slots=True)
class ConnectionsSettled(_Checked):
    """The answer to `SettleConnections`.

    Attributes:
        complete: all connections are back; False = the time was up first.
    """

    complete: bool


@dataclass(frozen=True, slots=True)
class PeerDone(_Checked):
    """The peer runs no more rounds; if it was not stopped, it answers pulls until `Exit`.

    Attributes:
        state: how it ended; the process still writes its last records.
    """

    state: Literal["completed", "stopped", "out-of-memory"]


Report: TypeAlias = (
    ProcessUp | Ready | Fenced | RoundsBegun | AtBarrier | TrainedOnNewData | RoundDone | StateLost
    | ResourceLost | TransferHeld | RuleRemoved | AttackActed | ConnectionsSettled | PeerDone
)  # fmt: skip
