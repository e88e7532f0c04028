"""A run of 24 peers on three hosts is the run on one host, to the bit and to the byte.

One run on each engine serves all tests; the run on one host serves both engines.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hosted_run import HostedRun, write_network
from launching import asked, journal, launch
from secrets_search import files_of, processes_texts, stop_telling, tell_keys, told_keys
from three_hosts import HOUR_S

pytestmark = pytest.mark.hosts

NETWORK = {
    "peers": 24,
    "rounds": 6,
    "links": 'generator = "k-regular"\ndegree = 8',
    "is_patient": True,
}


@dataclass
class Done:
    """A run that is over: its folder, and what was seen of it meanwhile and afterwards."""

    folder: Path
    code: int
    printed: str
    texts: dict[str, bytes]
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    found_in: list[str] = field(default_factory=list)
    n_files: int = 0

    @property
    def summary(self):
        return json.loads((self.folder / "summary.json").read_text())

    def records(self, name, kind):
        return [each for each in journal(self.folder, name) if each["record"] == kind]


@pytest.fixture(scope="session")
def on_one_host(tmp_path_factory):
    """Return the folder of the same run without hosts."""
    folder = tmp_path_factory.mktemp("one-host")
    net = write_network(folder, "net", NETWORK)
    code, _, err = launch(net, "--run-dir", folder / "run", "--quiet")
    assert (code, err) == (0, "")
    return folder / "run"


@pytest.fixture(scope="module")
def done(engine, tmp_path_factory):
    """Return the run on three hosts."""
    engine.be_whole()
    hosts = engine.hosts
    tell_keys(hosts)
    run = HostedRun(engine, **NETWORK)
    run.until_round(1)
    texts = processes_texts(hosts)
    code = run.wait()
    run.nothing_left(10)
    kept = tmp_path_factory.mktemp(engine.name) / "run"
    shutil.copytree(run.folder, kept)
    result = Done(kept, code, run.printed(), texts, told_keys(hosts))
    for name, content in files_of(hosts):
        result.n_files += 1
        if any(key in content for keys in result.keys.values() for key in keys):
            result.found_in.append(name)
    stop_telling(hosts)
    return result


def test_it_completes_and_is_the_run_on_one_host(done, on_one_host):
    assert done.code == 0, done.printed
    code, out = asked("verify", on_one_host, done.folder)
    assert code == 0, out
    homes = {x["peer"]: x["host"] for x in done.records("launcher", "peer_started")}
    assert len(homes) == 24
    assert set(homes.values()) == {"h1", "h2", "h3"}
    assert json.loads((done.folder / "plan.json").read_text())["hosts"]["placement"] == homes
    models = {path.name for path in (done.folder / "models").iterdir()}
    assert models == {path.name for path in (on_one_host / "models").iterdir()}


def test_every_byte_is_explained_by_the_kernels_of_both_ends(done, on_one_host):
    closure = done.summary["closure"]
    assert (closure["verdict"], closure["source"]) == ("true", "kernel")
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["judged_connections"] == closure["connections"]
    expected = json.loads((on_one_host / "summary.json").read_text())["closure"]["connections"]
    assert closure["connections"] == expected
    for host in ("h1", "h2", "h3"):
        assert len(done.records(f"kernel-{host}", "socket")) > 24
        (watch,) = done.records(f"kernel-{host}", "watch")
        assert watch["host"] == host
    assert not (done.folder / "journal" / "kernel.jsonl").exists()


def test_it_tells_how_long_it_took_and_what_crossed(done, record_property, capsys):
    (ready,) = done.records("launcher", "all_ready")
    told = done.summary["hosts"]["bytes"]
    crossed, within = (
        sum(kind["wire"] for kind in told[where].values()) for where in ("across", "within")
    )
    assert crossed > within > 0  # two of three neighbors are elsewhere
    assert ready["wall_s"] > 0
    figures = {
        "all ready s": ready["t_s"],
        "of which starting peers s": ready["wall_s"],
        "bytes between hosts": crossed,
        "bytes within hosts": within,
        "run s": done.summary["duration_s"],
    }
    for name, value in figures.items():
        record_property(name, value)
    with capsys.disabled():
        print(f"\n24 peers on three hosts: {figures}")


def test_events_of_different_hosts_are_in_order_within_the_journalled_bound(done):
    clocks = done.records("launcher", "host_clock")
    bound_s = {
        host: max(x["bound_s"] for x in clocks if x["host"] == host) for host in ("h1", "h2", "h3")
    }
    assert max(bound_s.values()) < 0.05
    offsets = {x["host"]: x["offset_s"] for x in clocks}
    assert abs(offsets["h2"] - offsets["h1"]) > HOUR_S
    assert abs(offsets["h3"] - offsets["h2"]) > HOUR_S

    plan = json.loads((done.folder / "plan.json").read_text())
    homes = plan["hosts"]["placement"]
    neighbors = {peer: each["neighbors"] for peer, each in plan["peers"].items()}
    masked_s = {
        (peer, x["round"]): x["t_s"] for peer in homes for x in done.records(peer, "masked")
    }
    judged = 0
    for peer, home in homes.items():
        for x in done.records(peer, "arrivals"):
            for sender, ms in zip(sorted(neighbors[peer]), x["ms"], strict=True):
                if ms is None or homes[sender] == home:
                    continue
                slack_s = bound_s[home] + bound_s[homes[sender]] + 0.001  # ms are whole
                arrived_s = x["t0_s"] + ms / 1000
                assert arrived_s >= masked_s[sender, x["round"]] - slack_s, (sender, peer, x)
                judged += 1
    assert judged > 6 * 24 * 3

    served = {
        (peer, x["to"], x["round"]): x["began_s"]
        for peer in homes
        for x in done.records(peer, "served")
    }
    answered = 0
    for peer, home in homes.items():
        for x in done.records(peer, "pulled"):
            began_s = served.get((x["donor"], peer, x["round"]))
            if began_s is None or homes[x["donor"]] == home:
                continue
            slack_s = bound_s[home] + bound_s[homes[x["donor"]]] + 0.001
            assert x["began_s"] - slack_s <= began_s <= x["t_s"] + slack_s, (peer, x)
            answered += 1
    assert answered > 24


def test_no_secret_key_is_in_a_file_a_command_line_or_an_environment(done):
    assert all(len(keys) >= 8 for keys in done.keys.values()), done.keys  # its peers', its agent's
    keys = set().union(*done.keys.values())
    assert len(keys) >= 24 + 3 + 1  # peers, agents, the launcher
    assert len(done.texts) > 2 * 24
    assert [name for name, text in done.texts.items() if any(key in text for key in keys)] == []
    assert done.n_files > 100
    assert done.found_in == []
