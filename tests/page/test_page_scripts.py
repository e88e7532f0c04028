"""How the page's own scripts and styles are written; CONTRIBUTING.md names the formatter."""

from pathlib import Path

import pytest

ASSETS = Path(__file__).parents[2] / "prisam_p2p" / "page" / "assets"
SCRIPTS = sorted([*(ASSETS / "js").glob("*.js"), *(ASSETS / "views").glob("*.js")])
LONGEST = 100
"""Characters of a line, as in Python."""


@pytest.mark.parametrize(
    "path", [*SCRIPTS, *ASSETS.glob("*.css")], ids=lambda path: path.relative_to(ASSETS).as_posix()
)
def test_no_line_is_too_long(path):
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    assert [number for number, line in lines if len(line) > LONGEST] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ASSETS).as_posix())
def test_a_script_says_first_what_it_holds_and_is_strict(path):
    text = path.read_text(encoding="utf-8")
    comment, _, rest = text.partition("*/\n")
    assert comment.startswith("/* ")
    assert rest.startswith('"use strict";\n\n')
