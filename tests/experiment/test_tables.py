import csv
from dataclasses import replace

import duckdb
import pytest
from hand_results import AXES, results

from prisam_p2p.experiment.output_specs import TableSpec
from prisam_p2p.experiment.tables import write_cells, write_table

SPEC = TableSpec(
    name="accuracy",
    title="Accuracy",
    measures=["accuracy_deployed"],
    rows=["split"],
    columns="method",
)


def test_markdown_matches_a_table_by_hand(tmp_path):
    """Values 0.10, 0.04 and 0.06 apart have sample deviations of 0.0707, 0.0283 and 0.0424."""
    text = write_table(SPEC, results(), AXES, tmp_path)
    assert text == (tmp_path / "accuracy.md").read_text()
    assert text.splitlines() == [
        "### Accuracy",
        "",
        "Mean ± sample standard deviation over the seeds, n = 2 seeds.",
        "",
        "test accuracy (0 to 1), deployed:",
        "",
        "| split | PRISAM | local |",
        "| --- | ---: | ---: |",
        "| hard | 0.650 ± 0.071 | 0.530 ± 0.042 |",
        "| easy | 0.920 ± 0.028 | 0.850 ± 0.000 |",
    ]


def test_n_is_in_each_cell_if_it_varies(tmp_path):
    text = write_table(SPEC, results()[1:], AXES, tmp_path)
    assert "| hard | 0.700 (1) | 0.530 ± 0.042 (2) |" in text
    assert "n in brackets" in text


def test_differences_have_a_sign_and_the_reference_has_no_column(tmp_path):
    spec = SPEC.model_copy(update={"against": {"method": "PRISAM"}})
    text = write_table(spec, results(), AXES, tmp_path)
    assert "| split | local |" in text
    assert "| hard | -0.120 ± 0.028 |" in text
    assert "minus that of PRISAM" in text


def test_without_an_axis_of_columns_the_measures_are_the_columns(tmp_path):
    spec = SPEC.model_copy(
        update={
            "columns": None,
            "rows": ["method"],
            "measures": ["sent_mib", "ari"],
            "where": {"split": "hard"},
        }
    )
    text = write_table(spec, results(), AXES, tmp_path)
    assert "| PRISAM | 30.0 ± 0.0 | 1.000 ± 0.000 |" in text
    assert "| local | 0.0 ± 0.0 | - |" in text
    assert "Only split: hard." in text


def test_means_with_cells_of_other_code_are_marked(tmp_path):
    assert "†" not in write_table(SPEC, results(), AXES, tmp_path)
    old = [
        replace(r, stale=(r.labels["seed"], r.labels["method"]) == (1, "local")) for r in results()
    ]
    text = write_table(SPEC, old, AXES, tmp_path)
    assert "| hard | 0.650 ± 0.071 | 0.530 ± 0.042 † |" in text
    assert "| easy | 0.920 ± 0.028 | 0.850 ± 0.000 † |" in text
    assert "--rerun-stale" in text
    with (tmp_path / "accuracy.csv").open() as file:
        stale = {(row["split"], row["method"]): row["stale"] for row in csv.DictReader(file)}
    assert stale["hard", "local"] == "1"
    assert stale["hard", "PRISAM"] == "0"


def test_a_difference_to_a_cell_of_other_code_is_marked(tmp_path):
    old = [replace(r, stale=r.labels["method"] == "PRISAM") for r in results()]
    spec = SPEC.model_copy(update={"against": {"method": "PRISAM"}})
    text = write_table(spec, old, AXES, tmp_path)
    assert "| hard | -0.120 ± 0.028 † |" in text


def test_cells_tell_the_code_that_made_them(tmp_path):
    first, *rest = results()
    write_cells([replace(first, code=("aa", "bb"), stale=True), *rest], AXES, tmp_path)
    with (tmp_path / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["code_digest"], rows[0]["stale"].lower()) == ("aa bb", "true")
    assert rows[1]["stale"].lower() == "false"


def rows_of(query):
    with duckdb.connect(":memory:") as database:
        return database.execute(query).fetchall()


def test_csv_and_parquet_hold_the_same_rows(tmp_path):
    write_table(SPEC, results(), AXES, tmp_path)
    with (tmp_path / "accuracy.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["split"], rows[0]["method"], rows[0]["n"]) == ("hard", "PRISAM", "2")
    stored = rows_of(f"SELECT mean, sd, low, high, n FROM '{tmp_path / 'accuracy.parquet'}'")
    figures = ("mean", "sd", "low", "high", "n")
    assert stored == [tuple(float(row[name]) for name in figures) for row in rows]
    assert stored[0][:1] + stored[0][2:] == pytest.approx((0.65, 0.6, 0.7, 2))


def test_cells_and_rounds_are_written_without_averaging(tmp_path):
    write_cells(results(), AXES, tmp_path)
    cells = f"SELECT count(*), max(accuracy_deployed) FROM '{tmp_path / 'cells.parquet'}'"
    assert rows_of(cells) == [(8, 0.94)]
    assert rows_of(f"SELECT count(*) FROM '{tmp_path / 'rounds.csv'}'") == [(24,)]
