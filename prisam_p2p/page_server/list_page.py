"""The page that lists runs and experiments: plain HTML without a script."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from prisam_p2p.page_server.shelf import FolderKind, Listing, Shelved

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid; }
td.when { white-space: nowrap; font-variant-numeric: tabular-nums; }
"""


def policy() -> str:
    """Return the content security policy of these pages: one style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


def list_page(listing: Listing) -> str:
    """Return the page of a folder's runs and experiments."""
    name = listing.folder.name or str(listing.folder)
    if not listing.shelved:
        return _page(name, "<p>There is no run and no experiment in this folder.</p>")
    rows = "\n".join(map(_row, listing.shelved))
    head = "".join(
        f'<th scope="col">{word}</th>' for word in ("began", "name", "status", "what happened")
    )
    told = ""
    if listing.left_out:
        told = (
            f"<p>The newest {len(listing.shelved)} are listed; {listing.left_out} older ones are "
            f"left out. <code>prisam view {escape(str(listing.folder / 'NAME'))}</code> shows any "
            "of them.</p>"
        )
    return _page(name, f"{told}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def message_page(title: str, *sentences: str, again: str = "") -> str:
    """Return a page that says something.

    Args:
        again: a path of this server that may be tried; "" = none.
    """
    link = f'<p><a href="{escape(again)}">Go on</a></p>' if again else ""
    return _page(title, "".join(f"<p>{escape(each)}</p>" for each in sentences) + link)


def _row(each: Shelved) -> str:
    path = "/run" if each.kind is FolderKind.RUN else "/folder"
    what = "" if each.kind is FolderKind.RUN else " (experiment)"
    return (
        f'<tr><td class="when">{each.began:%Y-%m-%d %H:%M}</td>'
        f'<td><a href="{path}?n={each.number}">{escape(each.name)}</a>{what}</td>'
        f"<td>{escape(each.status)}</td><td>{escape(each.headline)}</td></tr>"
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"</head><body><main><h1>{escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )
