"""The page opens from a file, offline: one request, no error, whatever the run holds."""

from hand_pages import a_payload, a_run, an_empty_payload
from page_steps import draw_all, open_tables

HOSTILE = (
    '<img src=x onerror="document.title=`owned`">',
    "</script><script>document.title='owned'</script>",
    "\"quoted\" 'twice' & = cmd",
    "\u202ereversed\u2066",
)


def test_a_page_asks_for_itself_only_and_shows_the_verdict_first(open_page, written):
    page = open_page(written(a_payload()))
    assert page.locator("#headline").inner_text() == "4 of 4 peers ran 3 rounds in 9.0 s"
    assert page.locator("main section").first.get_attribute("id") == "section-strip"
    assert page.locator("[data-tile=deployed] .printed").inner_text() == "0.812"
    draw_all(page)


def test_a_folder_without_journals_opens_and_says_what_is_missing(open_page, written):
    page = open_page(written(an_empty_payload()))
    draw_all(page)
    assert "no journal" in page.locator("#missing").inner_text()
    for figure in page.locator("figure").all():
        assert figure.locator(".empty").inner_text() != ""


def test_hostile_names_stay_text(open_page, written):
    run = a_run(HOSTILE[0], ids=HOSTILE, headline=HOSTILE[1], missing=list(HOSTILE))
    page = open_page(written({"format": 1, "runs": [run]}))
    draw_all(page)
    open_tables(page)
    page.locator("#select-peer").select_option("1")
    assert page.title().startswith("<img")
    assert page.locator("#headline").inner_text() == HOSTILE[1]
    assert page.locator("img").count() == 0
    assert page.evaluate("document.scripts.length") == page.evaluate(
        "document.querySelectorAll('#palette, #data, script[data-file]').length"
    )


def test_a_selected_peer_stands_in_the_address_and_escape_clears_it(open_page, written):
    page = open_page(written(a_payload()))
    page.locator("#select-peer").select_option("2")
    page.locator("#select-round").select_option("1")
    assert page.url.endswith("#peer=c&round=1")
    again = open_page(written(a_payload(), "again.html").as_uri() + "#peer=c&round=1")
    assert again.evaluate("[prisam.selection.peer, prisam.selection.round]") == [2, 1]
    again.keyboard.press("Escape")
    assert "#" not in again.url
    assert again.locator("#select-peer").input_value() == ""


def test_a_changed_row_takes_the_place_of_the_old_one(open_page, written):
    page = open_page(written(a_payload()))
    columns = {"peer": [0, 0], "round": [0, 3], "moment": [2, 2], "test": [0.1, 0.2]}
    change = {"tables": {"accuracy": {"columns": columns}}}
    page.evaluate("(it) => { prisam.store.upsert(it); prisam.store.upsert(it); }", change)
    every = page.evaluate("prisam.store.table('accuracy').rows()")
    rows = [row for row in every if (row["peer"], row["moment"]) == (0, 2)]
    assert [row["test"] for row in rows] == [0.1, 0.62, 0.72, 0.2]
    assert rows[0]["t_s"] == 2.0  # a column that the change leaves out stays
