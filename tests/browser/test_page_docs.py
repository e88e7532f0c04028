"""docs/page.md tells how to read each view in the words of the page itself."""

import re
from pathlib import Path

from hand_pages import a_payload

DOCS = Path(__file__).parents[2] / "docs" / "page.md"


def test_docs_have_the_paragraph_of_every_view_in_the_order_of_the_page(open_page, written):
    page = open_page(written(a_payload(runs=2)))
    views = page.evaluate("prisam.views.all().map((view) => [view.title, view.how])")
    section = DOCS.read_text().split("\n## The views\n")[1].split("\n## ")[0]
    told = [part.split("\n", 1) for part in section.split("\n### ")[1:]]
    assert [[title, " ".join(how.split("![")[0].split())] for title, how in told] == [
        [title, " ".join(how.split())] for title, how in views
    ]
    assert len(views) == 11
    pictures = re.findall(r"\]\((pictures/.*\.png)\)", section)
    assert len(pictures) == len(views)
    assert all((DOCS.parent / picture).stat().st_size > 10_000 for picture in pictures)
