"""The errors that users can meet, each with the exit code of the program.

`ValueError` and `TypeError` are not here: they mean a bug in this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class PrisamError(Exception):
    """Something the user can act on. `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 1


class ConfigError(PrisamError):
    """The input is wrong, and nothing was started.

    Args:
        where: the file or the command-line option that holds the value.
        key: dotted path of the key in that file; "" for the file or option as a whole.
        value: the wrong value.
        right: what would be right, as the rest of the sentence "expected ...".
    """

    exit_code = 2

    def __init__(self, where: str, key: str, value: object, right: str) -> None:
        self.where, self.key, self.value, self.right = where, key, value, right
        place = f"{where}: {key}" if key else where
        super().__init__(f"{place} = {value!r}: expected {right}")


class DoesNotFit(PrisamError):
    """The run needs more than this machine has, and nothing was started."""

    exit_code = 2


class LaunchError(PrisamError):
    """A process did not start, or the launcher cannot go on with it; `last_lines`: its output."""

    exit_code = 3

    def __init__(self, child: str, reason: str, last_lines: Sequence[str] = ()) -> None:
        self.child, self.reason, self.last_lines = child, reason, tuple(last_lines)
        tail = "".join(f"\n  | {line}" for line in self.last_lines)
        super().__init__(f"{child}: {reason}{tail}")


class CheckFailed(PrisamError):
    """A finished run broke an invariant."""

    exit_code = 4


class Undecided(PrisamError):
    """A finished run broke no invariant, but not all of them could be checked."""

    exit_code = 5


class ResourceError(PrisamError):
    """The system refused what the program needs: disk, memory, descriptors, processes, a file.

    Args:
        what: the path or the limit.
        reason: the system's words.
        to_do: what the user can do about it (system/refusals.py).
    """

    exit_code = 6

    def __init__(self, what: str, reason: str, to_do: str) -> None:
        self.what, self.reason, self.to_do = what, reason, to_do
        super().__init__(f"{what}: {reason}; {to_do}")


class WireError(PrisamError):
    """A neighbor's frames are not a message. Count it, drop it, carry on."""


class ControlError(PrisamError):
    """A line of the control protocol is no message: which one, which field, what was expected."""
