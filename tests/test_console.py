"""Printed tables: what a line has no room for is left out, and nothing is cut."""

import pytest

from prisam_p2p.console import (
    TableColumn,
    columns_that_fit,
    output_width,
    print_line,
    table_text,
    wrapped,
)

COLUMNS = [
    TableColumn("peer", keeps=True),
    TableColumn("why it ended", wraps=True),
    TableColumn("accuracy", right=True),
    TableColumn("MACs", right=True),
]
ROWS = [
    ["p01", "the watchdog ended it after 60 s", "0.912", "61,050 100%"],
    ["device-017", "killed", "0.500", "30,842 51%"],
]


def test_without_a_limit_everything_is_shown():
    assert table_text(COLUMNS, ROWS, None).splitlines() == [
        "peer        why it ended                      accuracy         MACs",
        "───────────────────────────────────────────────────────────────────",
        "p01         the watchdog ended it after 60 s     0.912  61,050 100%",
        "device-017  killed                               0.500   30,842 51%",
    ]


def test_prose_is_wrapped_before_a_column_is_left_out():
    assert table_text(COLUMNS, ROWS, 50).splitlines() == [
        "peer        why it ended     accuracy         MACs",
        "──────────────────────────────────────────────────",
        "p01         the watchdog        0.912  61,050 100%",
        "            ended it after",
        "            60 s",
        "device-017  killed              0.500   30,842 51%",
    ]


@pytest.mark.parametrize("width", range(1, 70))
def test_no_word_is_cut_and_no_line_is_too_long(width):
    text = table_text(COLUMNS, ROWS, width)
    assert max(map(len, text.splitlines())) <= max(width, len("device-017"))
    table = text.split("too\n")[0].split("too narrow")[0]
    assert {"peer", "p01", "device-017"} <= set(table.split())
    titles = " ".join(each.title for each in COLUMNS)
    words = {word for row in ROWS for cell in row for word in cell.split()} | {*titles.split()}
    assert {word for word in table.split() if "─" not in word} <= words


def test_columns_go_from_the_right_and_are_named():
    only_first = [True, False, False, False]
    assert columns_that_fit([10, 8, 8, 8], only_first, 30) == [True, True, True, False]
    assert columns_that_fit([10, 8, 8, 8], only_first, 20) == [True, True, False, False]
    text = table_text(COLUMNS, ROWS, 31)
    assert text.splitlines()[-1] == "too narrow for: accuracy, MACs"


def test_ids_stay_wherever_they_stand():
    assert columns_that_fit([10, 8, 10], [True, False, True], 22) == [True, False, True]
    assert columns_that_fit([10, 8, 10], [True, False, True], 5) == [True, False, True]


def test_a_column_that_no_line_could_hold_takes_no_other_with_it():
    assert columns_that_fit([4, 700, 8], [True, False, False], 80) == [True, False, True]


def test_a_table_without_rows_has_its_headings():
    assert table_text(COLUMNS, [], None).split()[0] == "peer"


def test_brackets_are_no_markup():
    assert "[bold]" in table_text([TableColumn("[red]x")], [["[bold]"]], None)


def test_lines_are_wrapped_between_words_only():
    assert wrapped("8 of 12 peers ran", 10) == "8 of 12\npeers ran\n"
    assert wrapped("a runs/of-a-long-name b", 10) == "a\nruns/of-a-long-name\nb\n"
    assert wrapped("8 of 12 peers " * 40, None).count("\n") == 1
    assert wrapped("", 10) == "\n"


def test_a_pipe_has_no_width_unless_columns_gives_one(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output_width() is None
    monkeypatch.setenv("COLUMNS", "33")
    assert output_width() == 33
    print_line("word " * 10)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 33
