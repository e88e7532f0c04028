"""The process of a Byzantine peer: a real peer's process with some parts replaced."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from prisam_p2p.byzantine import messengers, networks, transports
from prisam_p2p.byzantine.attacker import Attacker, Tally
from prisam_p2p.control.messages import AttackActed
from prisam_p2p.control.spec import AttackSpec, Incarnation, PeerSpec
from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.attacks import ATTACKS
from prisam_p2p.peer import process
from prisam_p2p.peer.components import Parts
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.process import SendReport, spawned
from prisam_p2p.plan.toml_file import near
from prisam_p2p.transport.transport import Transport


def main(spec: PeerSpec, incarnation: Incarnation, line: socket.socket) -> None:
    """Play a Byzantine peer until the launcher orders the exit, or until SIGTERM."""
    attack = incarnation.attack
    assert attack is not None, f"{spec.peer_id} has no attack"
    process.main(spec, incarnation, line, partial(parts_of, spec, attack))


def parts_of(spec: PeerSpec, attack: AttackSpec, report: SendReport) -> Parts:
    """Return the parts of a Byzantine peer, as the table of attacks names them.

    Args:
        report: takes the peer's counts of its attacks.

    Raises:
        ConfigError: there is no such attack.
    """
    if attack.kind not in ATTACKS:
        right = f"an attack; {near(attack.kind, ATTACKS)}"
        raise ConfigError("spec", "attack.kind", attack.kind, right)
    row = ATTACKS[attack.kind]
    attacker = Attacker(spec, attack, Tally(lambda n: report(AttackActed(attack.fault, n))))
    transport = _replaced(Transport, transports, row.transport, attacker)
    if row.messenger:
        messenger_of = partial(getattr(messengers, row.messenger), attacker)
        transport = partial(transport, messenger_of=messenger_of)
    return Parts(transport, _replaced(Neighbors, networks, row.network, attacker))


def _replaced(
    real: Callable[..., Any], module: ModuleType, name: str, attacker: Attacker
) -> Callable[..., Any]:
    """Return the class `name` for this attacker, or the real part where the name is empty."""
    return partial(getattr(module, name), attacker) if name else real


if __name__ == "__main__":
    main(*spawned())
