"""Puts the page together: one HTML file that asks for nothing else.

Scripts and styles stand in the file. Its content security policy names each by its hash, so that
nothing else can run, whatever a run's names and reasons contain.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from prisam_p2p.page import palette

ASSETS = Path(str(files("prisam_p2p.page"))) / "assets"
FORMAT = 1
_BEFORE_VIEWS = (
    "vendor/echarts.min.js",
    *("js/text.js", "js/store.js", "js/selection.js", "js/theme.js"),
    *("js/series.js", "js/charts.js", "js/table.js", "js/download.js"),
    *("js/controls.js", "js/selection_bar.js", "js/figure.js", "js/views.js"),
    *("js/shapes.js", "js/matrix.js", "js/mask_bits.js", "js/span_index.js"),
    *("js/timeline_model.js", "js/timeline_draw.js", "js/timeline_tip.js"),
    *("js/accuracy_series.js", "js/accuracy_by_class.js"),
    *("js/fell_model.js", "js/fell_explained.js", "js/bytes_model.js", "js/bytes_links.js"),
)
_LIVE = "js/live.js"
_START = "js/start.js"
_STYLE = "page.css"


def page_of(
    payload: Mapping[str, Any], title: str, *, live: Mapping[str, str] | None = None
) -> str:
    """Return the page that shows a payload (`page.data`), or several runs beside each other.

    Args:
        payload: {"format": 1, "runs": [..]}; names and texts in it may be hostile.
        title: the title of the window.
        live: what the script needs that asks the page's own server for changes (`prisam view`):
            the path `events`, and `after`, the mark of this payload. None: no such script.
    """
    is_live = live is not None
    scripts = [(name, source_of(name)) for name in script_names(is_live)]
    return filled(
        (ASSETS / "page.html").read_text(encoding="utf-8"),
        {
            "policy": policy(is_live),
            "title": html.escape(title),
            "style": source_of(_STYLE),
            "palette": _data_island(palette.as_json()),
            "live": _live_island(live) if is_live else "",
            "data": packed(payload),
            "scripts": "\n".join(
                f'<script data-file="{name}">{source}</script>' for name, source in scripts
            ),
        },
    )


def script_names(live: bool = False) -> list[str]:
    """Return the scripts of the page below assets/, in the order in which they run."""
    views = sorted(f"views/{path.name}" for path in (ASSETS / "views").glob("*.js"))
    return [*_BEFORE_VIEWS, *views, *([_LIVE] if live else []), _START]


def packed(payload: Mapping[str, Any]) -> str:
    """Return a payload as the page carries it: JSON, gzip, base64. The same data, the same text."""
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@cache
def source_of(name: str) -> str:
    """Return a script or style of assets/.

    Raises:
        ValueError: it contains what would end its element too early; a bug of ours.
    """
    text = (ASSETS / name).read_text(encoding="utf-8")
    for end in ("</script", "<!--", "</style"):
        if end in text.lower():
            raise ValueError(f"{name} contains {end}, so it cannot stand within a page")
    return text


def _data_island(value: Any) -> str:
    """Return JSON that may stand within <script>: no text in it can end the element."""
    return json.dumps(value).replace("<", "\\u003c")


def _live_island(live: Mapping[str, str] | None) -> str:
    return f'<script type="application/json" id="live">{_data_island(live)}</script>'


@cache
def policy(live: bool = False) -> str:
    """Return the page's content security policy: its scripts and style only, and no request.

    Args:
        live: requests to the page's own server are allowed.
    """
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(content_hash(source_of(name)) for name in script_names(live)),
        "style-src": content_hash(source_of(_STYLE)),
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    if live:
        rules["connect-src"] = "'self'"
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def content_hash(source: str) -> str:
    """Return how a content security policy names a script or style: by its hash."""
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Put each part in the place of its {{name}}; what the parts contain is left as it is."""
    filled = []
    for piece in template.split("{{"):
        name, mark, rest = piece.partition("}}")
        filled.append(parts[name] + rest if mark else piece)
    return "".join(filled)
