"""Tables as rows, as data frames and as HTML."""

import pytest

from prisam_p2p.python_api.result_table import ResultTable

TABLE = ResultTable(
    {"name": "VARCHAR", "n": "BIGINT", "share": "DOUBLE"}, [["a<b>", 1, 0.5], ["c", None, None]]
)


def test_rows_are_named():
    assert TABLE.rows == [
        {"name": "a<b>", "n": 1, "share": 0.5},
        {"name": "c", "n": None, "share": None},
    ]
    assert (len(TABLE), list(TABLE)) == (2, TABLE.rows)
    assert "a<b>" in repr(TABLE)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named(library, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, library, None)  # as if not installed
    with pytest.raises(ModuleNotFoundError, match=f"pip install {library}") as caught:
        getattr(TABLE, f"to_{library}")()
    assert caught.value.name == library


def test_a_frame_of_pandas_keeps_integers():
    frame = TABLE.to_pandas()
    assert list(frame.columns) == list(TABLE.columns)
    assert str(frame["n"].dtype) == "Int64"
    assert frame["n"][0] == 1


def test_a_frame_of_polars_has_the_rows():
    assert TABLE.to_polars().to_dicts() == TABLE.rows


def test_html_is_escaped_and_says_what_it_leaves_out():
    shown = TABLE._repr_html_()
    assert "a&lt;b&gt;" in shown
    assert "<b>" not in shown
    long = ResultTable({"<i>": "BIGINT"}, [[i] for i in range(1000)])._repr_html_()
    assert long.count("<tr>") < 100
    assert "and 940 more rows" in long
    assert "&lt;i&gt;" in long
