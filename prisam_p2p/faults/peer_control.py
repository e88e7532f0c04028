"""What the injector can do to the peers of a run; launch/peer_processes.py implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from prisam_p2p.control.messages import Order
from prisam_p2p.control.spec import AttackSpec, Source
from prisam_p2p.processes.process_acts import ProcessActs


class PeerControl(Protocol):
    """The peers of a run. Signals and orders to a peer without a process are ignored."""

    @property
    def acts(self) -> ProcessActs:
        """What else can be done to a process, by its `number`."""

    def number(self, peer: str) -> int | None:
        """Return the number of a peer's process (processes/engine.py); None = it has none."""

    def signal(self, peer: str, signum: int) -> None:
        """Signal a peer's process."""

    def start_again(self, peer: str, source: Source, first_round: int) -> None:
        """Start the next process of a peer that is down, or the first one of an absent peer.

        Args:
            source: of its first weights (`Source` in control/spec.py).
            first_round: the earliest round in which it may begin.
        """

    def end_host(self, peer: str) -> None:
        """Have the host that a peer lives on go down, with all that runs there."""

    def lost_host(self, peer: str) -> str:
        """Return the name of the host that was lost with a peer's process; "" = none was."""

    def set_attack(self, peer: str, attack: AttackSpec | None) -> None:
        """Have the next processes of a peer carry out `attack`; None = be honest."""

    def order(self, peer: str, order: Order) -> None:
        """Send an order to a peer."""

    def is_stopped(self, peer: str) -> bool:
        """Tell whether a peer's process is stopped: a SIGSTOP has taken effect."""

    def is_removing_rules(self, peer: str) -> bool:
        """Tell whether a peer has not removed yet all rules for messages that it was told to."""

    def is_down(self, peer: str) -> bool:
        """Tell whether a peer has no process."""

    def state_path(self, peer: str) -> Path:
        """Return the file of the state from which a later process of a peer goes on."""

    def is_past(self, peer: str, round_index: int) -> bool:
        """Tell whether a peer has finished a round, or all rounds."""
