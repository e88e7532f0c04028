"""Short names of files: the user's own come first; what is unknown or ambiguous is refused."""

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.named_files import (
    EXPERIMENT_FILES,
    FAULT_FILES,
    PROFILE_FILES,
    TOPOLOGY_FILES,
    NamedFiles,
)
from prisam_p2p.plan.topology import load_topology
from prisam_p2p.shipped import PEERS, TOPOLOGIES


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("files", "name", "path"),
    [
        (TOPOLOGY_FILES, "ring-8", TOPOLOGIES / "ring-8.toml"),
        (TOPOLOGY_FILES, "experiments/networks/equal-8", None),
        (PROFILE_FILES, "laptop", PEERS / "laptop.toml"),
        (FAULT_FILES, "churn-30", TOPOLOGIES / "faults" / "churn-30.toml"),
        (EXPERIMENT_FILES, "smoke", TOPOLOGIES / "experiments" / "two-core" / "smoke.toml"),
        (EXPERIMENT_FILES, "paper/study-churn", None),
    ],
    ids=str,
)
def test_files_of_the_package_are_found_from_any_folder(here, files, name, path):
    found = files.find(name, "NAME")
    assert found.is_file()
    assert found == path or path is None


def test_own_files_come_before_those_of_the_package(here):
    own = put(here / "topologies" / "ring-8.toml")
    assert TOPOLOGY_FILES.find("ring-8", "TOPOLOGY").resolve() == own
    assert TOPOLOGY_FILES.find("star-9", "TOPOLOGY") == TOPOLOGIES / "star-9.toml"
    assert TOPOLOGY_FILES.known()["ring-8"].resolve() == own


def test_a_topology_of_the_package_takes_the_users_own_profile(here):
    put(here / "peers" / "laptop.toml", 'description = "mine"\nsource = "me"\n')
    profiles = load_topology(TOPOLOGIES / "ring-8.toml").profiles.values()
    assert {p.description for p in profiles if p.name == "laptop"} == {"mine"}
    assert {p.description for p in profiles if p.name == "raspberry-pi-4"} != {"mine"}


@pytest.mark.parametrize("text", ["mine.toml", "sub/plan.json", "no-ending"])
def test_a_path_is_taken_as_it_is(here, text):
    there = put(here / text)
    assert TOPOLOGY_FILES.find(text, "TOPOLOGY", beside=here) == there


def test_a_name_that_two_sub_folders_have_is_refused_with_both(tmp_path):
    files = NamedFiles("an experiment", (tmp_path,), nested=True)
    for name in ("a/churn", "b/churn", "b/smoke", "networks/smoke"):
        put(tmp_path / f"{name}.toml")
    assert list(files.known()) == ["a/churn", "b/churn", "smoke"]
    with pytest.raises(
        ConfigError, match=rf"^FILE = 'churn': expected a/churn or b/churn, .*{tmp_path}"
    ):
        files.find("churn", "FILE")
    assert files.find("b/churn", "FILE") == tmp_path / "b" / "churn.toml"


def test_an_unknown_name_is_refused_with_the_nearest_and_where_was_looked(tmp_path):
    other = tmp_path / "other"
    files = NamedFiles("a topology", (tmp_path, other))
    put(other / "ring-8.toml")
    told = r"^x.toml: topology = 'ring-9': expected a topology; the nearest is ring-8 \(looked in "
    with pytest.raises(ConfigError, match=rf"{told}{tmp_path} and {other}\)$"):
        files.find("ring-9", "x.toml", "topology")


def test_a_missing_path_is_refused_with_the_name_that_there_is(here):
    with pytest.raises(ConfigError, match=r"^topologies/ring-8.toml = .*, or the name ring-8$"):
        TOPOLOGY_FILES.find("topologies/ring-8.toml", "TOPOLOGY")
    with pytest.raises(ConfigError, match=r"^topologies/ring-9.toml = \(no such file\)"):
        TOPOLOGY_FILES.find("topologies/ring-9.toml", "TOPOLOGY")
