"""TOML as text, for files that Python writes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return a TOML file: plain values first, then tables, and lists of tables as [[..]].

    Raises:
        TypeError: a value is none that TOML has.
    """
    plain = {k: v for k, v in tables.items() if not (isinstance(v, Mapping) or _is_tables(v))}
    parts = [_lines(plain)] if plain else []
    for name, value in tables.items():
        if isinstance(value, Mapping):
            parts.append(f"[{_key(name)}]\n{_lines(value)}")
        elif _is_tables(value):
            parts += [f"[[{_key(name)}]]\n{_lines(each)}" for each in value]
    return "\n".join(parts)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int():
            return int.__repr__(value)
        case float():
            return float.__repr__(value)  # of NumPy's too, which are shown otherwise
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            pairs = (f"{_key(k)} = {_value(v)}" for k, v in value.items())
            return f"{{ {', '.join(pairs)} }}"
    raise TypeError(f"{value!r} is no value of TOML")
