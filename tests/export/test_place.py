"""Where exports go, and what they may replace."""

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.export.place import in_its_place, require_free


def export(place, text="x", run_id="r1"):
    with in_its_place(place, run_id) as beside:
        (beside / "metrics.csv").write_text(text)


def test_a_second_export_of_a_run_takes_the_place_of_the_first(tmp_path):
    place = tmp_path / "logs" / "demo"
    assert not require_free(place, "r1", "--out")
    export(place, "one")
    (place / "old").touch()
    assert require_free(place, "r1", "--out")
    export(place, "two")
    assert (place / "metrics.csv").read_text() == "two"
    assert not (place / "old").exists()
    assert [each.name for each in place.parent.iterdir()] == ["demo"]


def test_an_empty_folder_is_free(tmp_path):
    assert not require_free(tmp_path, "r1", "--out")


def test_nothing_else_is_replaced(tmp_path):
    export(tmp_path / "other", run_id="r2")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "prisam-export.json").write_text("[" * 50_000)
    for name in ("other", "mine", "file", "link", "odd"):
        with pytest.raises(ConfigError) as error:
            require_free(tmp_path / name, "r1", "--out")
        assert str(error.value).startswith("--out = ")


def test_a_failed_export_leaves_the_earlier_one_and_nothing_beside_it(tmp_path):
    place = tmp_path / "demo"
    export(place, "one")

    def fail():
        with in_its_place(place, "r1") as beside:
            (beside / "metrics.csv").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (place / "metrics.csv").read_text() == "one"
    assert [each.name for each in tmp_path.iterdir()] == ["demo"]
