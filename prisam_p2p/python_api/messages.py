"""What a run's child process tells its caller: JSON, one message a line. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from prisam_p2p.errors import PrisamError
from prisam_p2p.python_api.errors_as_data import error_as_data, error_from_data


@dataclass(frozen=True)
class LaunchAdvanced:
    """How far a run is.

    Attributes:
        label: what runs.
        phase, round: they change when there is news.
        done, total: rounds, summed over the peers.
        line: all of it in words.
    """

    label: str
    phase: str
    round: int
    done: int
    total: int
    line: str


@dataclass(frozen=True)
class LaunchEnded:
    """A run, with all that belongs to it, has come to its end.

    Attributes:
        run_dir: its folder.
        refused: why peers were lost that the system refused something, or why the summary could
            not be written; None: all is there.
    """

    run_dir: str
    refused: PrisamError | None


@dataclass(frozen=True)
class LaunchFailed:
    """There is no result.

    Attributes:
        run_dir: the folder that the run left; "" if it was not begun.
    """

    error: PrisamError
    run_dir: str


LaunchMessage = LaunchAdvanced | LaunchEnded | LaunchFailed


def to_line(message: LaunchMessage) -> bytes:
    """Return a message as a line."""
    match message:
        case LaunchAdvanced():
            data = {"advanced": asdict(message)}
        case LaunchEnded(run_dir, refused):
            told = error_as_data(refused) if refused else None
            data = {"ended": {"run_dir": run_dir, "refused": told}}
        case LaunchFailed(error, run_dir):
            data = {"failed": {"error": error_as_data(error), "run_dir": run_dir}}
    return json.dumps(data).encode() + b"\n"


def from_line(line: bytes) -> LaunchMessage:
    """Return the message in a line that `to_line` made."""
    ((kind, data),) = json.loads(line).items()
    if kind == "advanced":
        return LaunchAdvanced(**data)
    if kind == "failed":
        return LaunchFailed(error_from_data(data["error"]), data["run_dir"])
    refused = error_from_data(data["refused"]) if data["refused"] else None
    return LaunchEnded(data["run_dir"], refused)
