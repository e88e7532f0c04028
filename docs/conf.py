"""Settings of the documentation site: `make docs` builds it into build/docs."""

import sys
from pathlib import Path

import prisam_p2p

sys.path.insert(0, str(Path(__file__).parent))
from commands_page import commands_page

project = "prisam-p2p"
author = "the authors of prisam-p2p"
release = prisam_p2p.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["measured"]
html_theme = "furo"
html_title = "prisam-p2p"
html_copy_source = False

myst_heading_anchors = 4  # the same anchors as GitHub makes, so a link works in both places
default_role = "code"  # docstrings write names between single backticks, as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "description"


def setup(app):
    """Add the help of all commands to their page. Sphinx calls this."""
    app.connect("source-read", add_commands)


def add_commands(app, docname, source):
    """Add to the text of reference/commands.md, `source[0]`."""
    if docname == "reference/commands":
        source[0] += "\n" + commands_page()
