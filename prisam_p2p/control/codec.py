"""Control messages as lines: one JSON object each, with a version and the message's name.

    {"v":1,"order":"settle-connections","peers":["p01"],"timeout_s":10.0}
    {"v":1,"report":"round-done","round_index":3,"accuracy":{},"bytes_out":1200}

Adding a message takes a class in messages.py, a name here, and a golden vector.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from prisam_p2p.control import messages
from prisam_p2p.control.messages import Order, Report
from prisam_p2p.errors import ControlError

CONTROL_VERSION = 1
"""In every line. Launcher and peers of one run are the same release: another version is refused."""

ORDERS: Mapping[str, type[Order]] = {
    "roster": messages.Roster,
    "roster-update": messages.RosterUpdate,
    "fence": messages.Fence,
    "start-rounds": messages.StartRounds,
    "leave-barrier": messages.LeaveBarrier,
    "resume-transfer": messages.ResumeTransfer,
    "set-rule": messages.SetRule,
    "remove-rule": messages.RemoveRule,
    "settle-connections": messages.SettleConnections,
    "exit": messages.Exit,
}
REPORTS: Mapping[str, type[Report]] = {
    "process-up": messages.ProcessUp,
    "ready": messages.Ready,
    "fenced": messages.Fenced,
    "rounds-begun": messages.RoundsBegun,
    "at-barrier": messages.AtBarrier,
    "trained-on-new-data": messages.TrainedOnNewData,
    "round-done": messages.RoundDone,
    "state-lost": messages.StateLost,
    "resource-lost": messages.ResourceLost,
    "transfer-held": messages.TransferHeld,
    "rule-removed": messages.RuleRemoved,
    "attack-acted": messages.AttackActed,
    "connections-settled": messages.ConnectionsSettled,
    "peer-done": messages.PeerDone,
}

# Built here, for each takes milliseconds: the zygote does it once for all peers that it forks.
_CHECKERS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (*ORDERS.values(), *REPORTS.values())
}
_SHOWN = 80


def name_of(kind: type) -> str:
    """Return the name that messages of a class have in their lines."""
    return _key_and_name(kind)[1]


def encode(message: Order | Report) -> bytes:
    """Return the line of a message, its newline included."""
    kind: type = type(message)
    which, name = _key_and_name(kind)
    line = {"v": CONTROL_VERSION, which: name, **asdict(message)}
    return json.dumps(line, separators=(",", ":"), default=sorted).encode() + b"\n"  # sets


def decode_order(line: bytes) -> Order:
    """Return the order in a line. Raise ControlError, and nothing else."""
    order: Order = _decode(line, "order", ORDERS)
    return order


def decode_report(line: bytes) -> Report:
    """Return the report in a line. Raise ControlError, and nothing else."""
    report: Report = _decode(line, "report", REPORTS)
    return report


def _decode(line: bytes, which: str, kinds: Mapping[str, type]) -> Any:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise ControlError(f"expected a JSON object, got {_shown(line)}") from None
    if not isinstance(fields, dict):
        raise ControlError(f"expected a JSON object, got {_shown(line)}")
    version = fields.pop("v", None)
    if type(version) is not int or version != CONTROL_VERSION:
        raise ControlError(f"control version {version!r}: expected {CONTROL_VERSION}")
    if which not in fields:
        raise ControlError(f"no {which} in {_shown(line)}")
    name = fields.pop(which)
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ControlError(f"{which} {name!r}: expected one of {', '.join(sorted(kinds))}")
    try:
        return _CHECKERS[kind].validate_json(json.dumps(fields))
    except ValidationError as error:
        raise ControlError(f"{which} {name!r}, {_first(error)}") from None


@cache
def _key_and_name(kind: type) -> tuple[str, str]:
    for which, kinds in (("order", ORDERS), ("report", REPORTS)):
        for name, each in kinds.items():
            if each is kind:
                return which, name
    raise TypeError(f"{kind.__name__} is no control message")


def _first(error: ValidationError) -> str:
    """Say what the first wrong field is and what was expected."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "as a whole"
    got = "" if first["type"] == "missing" else f", got {_shown(repr(first['input']))}"
    return f"field {field}: {first['msg'][0].lower()}{first['msg'][1:]}{got}"


def _shown(given: bytes | str) -> str:
    """Return the beginning of what came, as text of one line."""
    text = repr(bytes(given[: _SHOWN + 1]))[1:] if isinstance(given, bytes) else given
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}.."
