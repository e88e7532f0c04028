"""Messages of a host line as frames: a JSON object, and bytes where the message carries some.

{"v":1,"message":"StartProcess","number":3,"spec":"..","incarnation":"..","gpu":null}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from prisam_p2p.errors import ControlError
from prisam_p2p.hosts.messages import HostOrder, HostReport

HOST_VERSION = 1
"""In every message. Launcher and agents of one run are the same release."""

_ORDERS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in get_args(HostOrder)
}
_REPORTS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in get_args(HostReport)
}


def encode(message: HostOrder | HostReport, data: bytes = b"") -> list[bytes]:
    """Return the frames of a message; `data` is what it carries."""
    line = {"v": HOST_VERSION, "message": type(message).__name__, **asdict(message)}
    return [json.dumps(line, separators=(",", ":")).encode(), data]


def decode_order(frames: Sequence[bytes]) -> tuple[HostOrder, bytes]:
    """Return an order and what it carries. Raise ControlError, and nothing else."""
    return _decode(frames, _ORDERS)


def decode_report(frames: Sequence[bytes]) -> tuple[HostReport, bytes]:
    """Return a report and what it carries. Raise ControlError, and nothing else."""
    return _decode(frames, _REPORTS)


def _decode(frames: Sequence[bytes], kinds: dict[str, TypeAdapter[Any]]) -> tuple[Any, bytes]:
    if len(frames) != 2:
        raise ControlError(f"{len(frames)} frames: expected 2")
    try:
        fields = json.loads(frames[0])
    except (ValueError, RecursionError):
        raise ControlError("expected a JSON object in the first frame") from None
    if not isinstance(fields, dict) or fields.pop("v", None) != HOST_VERSION:
        raise ControlError(f"expected a JSON object of version {HOST_VERSION}")
    kind = kinds.get(str(fields.pop("message", None)))
    if kind is None:
        raise ControlError(f"expected one of {', '.join(sorted(kinds))}")
    try:
        return kind.validate_json(json.dumps(fields)), frames[1]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "as a whole"
        raise ControlError(f"field {where}: {first['msg']}") from None
