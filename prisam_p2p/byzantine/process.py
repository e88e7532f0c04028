"""What a rude peer's process does: all that a peer's does, with one part that lies."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from prisam_p2p.byzantine import exchanges, networks, transports
from prisam_p2p.byzantine.corruptions import Tally
from prisam_p2p.control.messages import AttackActed
from prisam_p2p.control.spec import AttackSpec, PeerSpec
from prisam_p2p.errors import ConfigError
from prisam_p2p.peer import process
from prisam_p2p.peer.components import Parts
from prisam_p2p.peer.process import SendReport, spawned
from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.transport import Transport


def main(spec: PeerSpec, line: socket.socket) -> None:
    """Play the rude peer of `spec` until the launcher says exit, or SIGTERM."""
    assert spec.attack is not None, f"{spec.peer_id} has no attack"
    process.main(spec, line, partial(parts_of, spec, spec.attack))


def parts_of(spec: PeerSpec, attack: AttackSpec, report: SendReport) -> Parts:
    """Return what a rude peer's network is made of; `report` hears how often it lied.

    Raises:
        ConfigError: its kind is no lie.
    """
    tally = Tally(lambda lies: report(AttackActed(attack.fault, lies)))
    match attack.kind:
        case "lying-mask":
            seed = (spec.settings.seed, spec.index)
            return Parts(network=partial(networks.LyingMask, seed, tally))
        case "copied-mask":
            return Parts(network=partial(networks.CopiedMask, min(spec.neighbors), tally))
        case "stale-mask":
            network = partial(networks.StaleMask, spec.journal_path, tally)
            return Parts(partial(transports.Repeating, tally), network)
        case "nan":
            return Parts(network=partial(networks.WithNan, tally))
        case "scaled":
            return Parts(network=partial(networks.Times, attack.factor, tally))
        case "sign-flipped":
            return Parts(network=partial(networks.Times, -1.0, tally))
        case "slow-serving":
            return Parts(partial(transports.Slow, tally))
        case "wrong-shape":
            return _through(partial(exchanges.Misshapen, tally))
        case "refusal":
            return _through(partial(exchanges.Refusing, tally))
        case "spoofed":
            return _through(partial(exchanges.Spoofing, spec.neighbors, tally))
        case "other-version":
            return _through(partial(exchanges.OtherVersion, tally))
    raise ConfigError("spec", "attack.kind", attack.kind, "a lie that a rude peer can tell")


def _through(messenger_of: Callable[..., Messenger]) -> Parts:
    return Parts(partial(Transport, messenger_of=messenger_of))


if __name__ == "__main__":
    main(*spawned())
