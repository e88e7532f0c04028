"""The table of attacks: what each Byzantine peer does, and what honest peers must make of it. Pure.

A Byzantine peer is built from the real peer's parts, with some parts replaced by a class of the
package byzantine. To add an attack: that class, a row here and a row in docs/faults.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from prisam_p2p.faults.scenario.peer_faults import AttackFault, ScaledFault


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of the table.

    Attributes:
        network: class in byzantine/networks.py that replaces the peer's network; "" = none does.
        transport: class in byzantine/transports.py that replaces its transport; "" = none does.
        messenger: class in byzantine/messengers.py that its transport sends through; "" = the
            real one.
        noticed_by: how an honest neighbor notices it: a check on received weights ("finite",
            "norm", "shape"), a verdict on received messages ("stale", "spoofed", "malformed"; where
            connections have keys also "forged"), or "pull_failed"; "" = it does not.
        never_averaged: what the peer offers must not enter any average. Where "norm" notices it,
            that holds for factors far beyond the norm limit only.
        model: its parameters in a scenario.
    """

    network: str = ""
    transport: str = ""
    messenger: str = ""
    noticed_by: str = ""
    never_averaged: bool = False
    model: type[AttackFault] = AttackFault


ATTACKS: dict[str, Attack] = {
    "lying-mask": Attack(network="RandomMask"),
    "copied-mask": Attack(network="CopiedMask"),
    "stale-mask": Attack(network="StaleMask", transport="RepeatedStaleMask", noticed_by="stale"),
    "wrong-shape": Attack(messenger="WrongShapes", noticed_by="shape", never_averaged=True),
    "nan": Attack(network="NanWeights", noticed_by="finite", never_averaged=True),
    "sign-flipped": Attack(network="SignFlippedWeights"),
    "refusal": Attack(messenger="Refusals", noticed_by="pull_failed", never_averaged=True),
    "slow-serving": Attack(
        transport="SlowUploads",
        messenger="CountedOffers",
        noticed_by="pull_failed",
        never_averaged=True,
    ),
    "spoofed": Attack(messenger="SpoofedHellos", noticed_by="spoofed"),
    "other-version": Attack(messenger="OtherVersion", noticed_by="malformed", never_averaged=True),
    "forged-relay": Attack(messenger="ForgedRelays", noticed_by="forged"),
    "scaled": Attack(
        network="ScaledWeights", noticed_by="norm", never_averaged=True, model=ScaledFault
    ),
}
"""Attack -> its row; the attacks' names are kinds of fault."""
