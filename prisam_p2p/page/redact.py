"""What a page shows of texts: nothing endless; in a redacted page, nothing of whose machine it was.

A redacted page has no paths, names of hosts and users, addresses or command lines. Ids of peers and
faults stay, and so do our own sentences.
"""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Callable, Iterable
from typing import Any

from prisam_p2p.page.data.tables import CellKind, Columns, PageTable

LEFT_OUT = "(left out)"
MOST_CHARACTERS = 1000
"""Longer texts are cut, and say so: a journal may come from anybody."""

_UNSAFE = re.compile(
    r"""
    \S*[/\\~@$]\S*          # paths, addresses of mail, variables of a shell
    | \S*\b\d{1,3}(?:\.\d{1,3}){3}\S*   # IPv4 addresses, with a port or not
    | \S*(?:[0-9a-fA-F]{0,4}:){2,}\S*   # IPv6 addresses, with a port or not
    | \S*[^\W\d]\w*\.\w*[^\W\d]\S*      # names with a dot: files, hosts, modules
    | (?<!\S)-{1,2}[a-zA-Z]\S*          # options of a command
    """,
    re.VERBOSE,
)

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of what follows: they would turn our own words, too."""


class Words:
    """Shows texts as a page has them.

    Args:
        redact: whether what tells of a machine or a user is left out.
        names: further words to leave out.
    """

    def __init__(self, redact: bool, names: Iterable[str] = ()) -> None:
        self.redact = redact
        self._known: set[str] = set()
        self._names: re.Pattern[str] | None = None
        self.leave_out({*names, *(_who_and_where() if redact else ())})

    def leave_out(self, names: Iterable[str]) -> None:
        """Leave more words out, from now on."""
        if new := {*names} - self._known - {""}:
            self._known |= new
            words = map(re.escape, sorted(self._known, key=len, reverse=True))
            self._names = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)

    def text(self, text: str) -> str:
        """Return a text as the page shows it."""
        text = _TURNING.sub("\ufffd", text)
        if len(text) > MOST_CHARACTERS:
            text = f"{text[:MOST_CHARACTERS]} .. ({len(text):,} characters)"
        if not self.redact:
            return text
        text = _UNSAFE.sub(LEFT_OUT, text)
        return self._names.sub(LEFT_OUT, text) if self._names else text

    def value(self, value: Any) -> Any:
        """Return a value of facts, the texts in it as the page shows them."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {key: self.value(each) for key, each in value.items()}
        return value

    def columns(self, table: PageTable, columns: Columns) -> Columns:
        """Return a table's columns with their texts as the page shows them."""
        return {
            name: list(map(self._cell(table.columns[name]), cells))
            if table.columns[name] in _WITH_TEXTS
            else cells
            for name, cells in columns.items()
        }

    def _cell(self, kind: CellKind) -> Callable[[Any], Any]:
        return self.value if kind is not CellKind.WORD else self._word

    def _word(self, value: Any) -> Any:
        """Return an id or a name: it stays in a redacted page, unless it is a path."""
        if not isinstance(value, str):
            return value
        if self.redact and re.search(r"[/\\~@]", value):
            return LEFT_OUT
        return value[:MOST_CHARACTERS]


_WITH_TEXTS = (CellKind.WORD, CellKind.TEXT, CellKind.LIST)


def _who_and_where() -> set[str]:
    """Return the names of this machine and of who runs this, where they are not of everybody."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = ""
    names = {user, platform.node(), platform.node().split(".")[0]}
    return {each for each in names if len(each) > 2} - {"root", "localhost"}
