"""Calls users' code: what goes wrong in it becomes an error that names file and line.

It imports nothing of theirs, so that what reads a run folder may import it.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError


@contextmanager
def user_code(option: str, text: str) -> Iterator[None]:
    """Turn what users' code raises in the block into a ConfigError that names file and line.

    A ConfigError, and what asks this process to end, passes through.
    """
    try:
        yield
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        right = f"code that runs; {_place(error)}{type(error).__name__}: {_first_line(error)}"
        raise ConfigError(option, "", text, right) from error


def check_call(value: Any, arguments: int, option: str, text: str, right: str) -> None:
    """Check that `value` can be called with this many positional arguments.

    Args:
        right: how it should be written, as the rest of the sentence "expected ...".

    Raises:
        ConfigError: it cannot.
    """
    found = "not a function"
    if callable(value):
        try:
            inspect.signature(value).bind(*range(arguments))
            return
        except TypeError:
            found = f"it takes {inspect.signature(value)}"
        except ValueError:  # a function of C tells no signature
            return
    raise ConfigError(option, "", text, f"{right} ({found}{_where(value)})")


def _place(error: BaseException) -> str:
    """Return the file and line of the user's code that raised, the innermost that is not ours."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: "
    ours = str(Path(__file__).parents[1])
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f.filename, ours)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""


def _is_users(file: str, ours: str) -> bool:
    return not (file.startswith((ours, "<")) or "site-packages" in file or "/lib/python" in file)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _where(value: Callable[..., Any]) -> str:
    code = getattr(value, "__code__", None)
    return f"; {code.co_filename}, line {code.co_firstlineno}" if code else ""
