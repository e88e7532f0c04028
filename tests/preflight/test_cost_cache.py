"""What probes measured is remembered by what it depends on."""

from pathlib import Path

from test_needs import COST

from prisam_p2p.preflight.cost_cache import cache_folder, remember, remembered

KEY = {"model": "vgg-s", "peers": (1, 2)}


def test_what_was_remembered_comes_back(tmp_path):
    folder = tmp_path / "not" / "there"
    assert remembered(folder, KEY) is None
    remember(folder, KEY, [COST])
    assert remembered(folder, KEY) == [COST]
    assert remembered(folder, {**KEY, "model": "vgg11"}) is None
    assert [each.suffix for each in folder.iterdir()] == [".json"]


def test_a_file_that_cannot_be_read_is_as_none(tmp_path):
    remember(tmp_path, KEY, [COST])
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    for broken in ("", whole[:40], "[]", whole.replace('"macs"', '"mags"')):
        file.write_text(broken)
        assert remembered(tmp_path, KEY) is None
    file.write_text(whole.replace('"schema_version": 3', '"schema_version": 2'))
    assert remembered(tmp_path, KEY) is None
    file.write_text(whole.replace("vgg-s", "other"))
    assert remembered(tmp_path, KEY) is None


def test_a_folder_that_cannot_be_written_is_left_out(tmp_path):
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file", KEY, [COST])
    assert remembered(tmp_path / "file", KEY) is None


def test_the_user_says_where_caches_are(tmp_path):
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "prisam" / "probes"
    home = Path.home() / ".cache" / "prisam" / "probes"
    assert cache_folder({}) == home
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == home  # as the standard has it
