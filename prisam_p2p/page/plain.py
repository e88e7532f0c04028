"""A page of text, tables and pictures in the look of the run's page: one file, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from prisam_p2p.page.assembly import ASSETS, content_hash, filled, source_of

_DARK = re.compile(r':root\[data-theme="dark"\] \{(?P<variables>.*?)\}', re.DOTALL)


def plain_page(product: str, title: str, head: str, sections: Iterable[tuple[str, str]]) -> str:
    """Return the page.

    Args:
        product: what it is, above the title; `title`: text.
        head: HTML below the title.
        sections: heading (text) and HTML of each.
    """
    style = plain_style()
    parts = {
        "policy": f"default-src 'none'; style-src {content_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        "title": escape(title),
        "product": escape(product),
        "style": style,
        "head": head,
        "sections": "\n".join(
            f'<section class="view"><h2>{escape(heading)}</h2>\n{body}\n</section>'
            for heading, body in sections
        ),
    }
    return filled((ASSETS / "plain.html").read_text(encoding="utf-8"), parts)


def plain_style() -> str:
    """Return the style of the run's page and what a page without scripts needs beside it.

    Without a script nothing sets the theme: the system's choice does.
    """
    style = source_of("page.css")
    dark = _DARK.search(style)
    if dark is None:
        raise ValueError("page.css has no block of the dark theme's variables")
    follows = f"@media screen and (prefers-color-scheme: dark) {{ :root {{{dark['variables']}}} }}"
    return f"{style}\n{follows}\n{source_of('plain.css')}"
