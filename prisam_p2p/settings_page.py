"""Makes docs/settings.md: `python -m prisam_p2p.settings_page > docs/settings.md`.

A test compares the file with this text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import annotated_types
from pydantic.fields import FieldInfo

from prisam_p2p.options import choices, default_text, option_name, plain_type
from prisam_p2p.settings import Heading, RunSettings, about

_TOP = """# Settings

<!-- Generated. Do not edit; run: python -m prisam_p2p.settings_page > docs/settings.md -->

Every setting is an option of `prisam launch`, `plan`, `soak` and `experiment`, and a key of a
topology's `[run]`: `--rounds 20`, or `rounds = 20`. The command line wins over `[run]`, which wins
over the default. A run's plan.json holds the values of all settings.

`--help` shows the settings in **bold**, `--help-all` shows all of them.
"""
_UNITS = {"_s": "s", "_kib": "KiB"}
_SYMBOLS = {
    annotated_types.Ge: ("ge", "≥"),
    annotated_types.Gt: ("gt", ">"),
    annotated_types.Le: ("le", "≤"),
    annotated_types.Lt: ("lt", "<"),
}


def settings_page() -> str:
    """Return the text of docs/settings.md."""
    return "\n".join([_TOP, *_groups()]).rstrip("\n") + "\n"


def _groups() -> Iterator[str]:
    for group in Heading:
        yield f"## {group}\n"
        yield "| option | TOML key | default | unit, values | meaning |"
        yield "|---|---|---|---|---|"
        for name, field in RunSettings.model_fields.items():
            if about(field).group is group:
                yield _row(name, field)
        yield ""


def _row(name: str, field: FieldInfo) -> str:
    option = f"`{option_name(name)}`"
    if plain_type(field.annotation) is bool:
        option += f", `--no-{option_name(name)[2:]}`"
    if about(field).common:
        option = f"**{option}**"
    default = default_text(field)
    if field.default is not None:
        default = f"`{str(field.default).lower() if isinstance(field.default, bool) else default}`"
    cells = (option, f"`{name}`", default, _values(name, field), field.description or "")
    return f"| {' | '.join(cells)} |"


def _values(name: str, field: FieldInfo) -> str:
    """Return unit, bounds and choices of a setting."""
    kind = plain_type(field.annotation)
    if names := choices(field):
        code = ["your own code"] if about(field).code else []
        return ", ".join([*(f"`{name}`" for name in names), *code])
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    kinds = {int: "integer", float: "number", bool: "true, false"}
    bounds = [_bound(each) for each in field.metadata if type(each) in _SYMBOLS]
    return ", ".join(filter(None, (unit or kinds.get(kind, "text"), *bounds)))


def _bound(limit: Any) -> str:
    attribute, symbol = _SYMBOLS[type(limit)]
    return f"{symbol} {getattr(limit, attribute):,}"


if __name__ == "__main__":
    print(settings_page(), end="")
