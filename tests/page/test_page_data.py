"""A page's data from run folders that were made by hand."""

import json

import pytest
from hand_runs import announced, orderly

from prisam_p2p.errors import ConfigError
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.page.data.tables import TABLES
from prisam_p2p.report.breakdown import by_kind
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder


def rows(payload, name):
    """Return a table's rows as dicts."""
    columns = payload["runs"][0]["tables"][name]["columns"]
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


@pytest.fixture
def run(tmp_path):
    return announced(orderly()).write(tmp_path)


def test_every_table_has_all_its_columns_of_one_length(run):
    tables = page_data_of(run)["runs"][0]["tables"]
    assert {name: [*t["columns"]] for name, t in tables.items()} == {
        name: [*table.columns] for name, table in TABLES.items()
    }
    assert all(len({len(c) for c in t["columns"].values()}) == 1 for t in tables.values())


def test_bytes_by_kind_are_those_of_prisam_bytes(run):
    found = {}
    for row in rows(page_data_of(run), "bytes"):
        found.setdefault(row["kind"], {}).setdefault(row["layer"], 0)
        found[row["kind"]][row["layer"]] += row["n_bytes"]
    for kind, _, payload, header, framing, stream, wire, _ in by_kind(make_ledger(run)).rows:
        assert found[kind] == {
            "payload": payload,
            "header": header,
            "framing": framing,
            "beyond": wire - stream,
        }


def test_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(ConfigError):
        page_data_of(RunFolder(tmp_path))
    for plan in ([1], {}, {"peers": 3}, {"peers": ["a"]}, {"peers": [1]}):
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        with pytest.raises(ConfigError):
            page_data_of(RunFolder(tmp_path))
