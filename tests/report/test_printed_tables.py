"""What the commands print of 12 and of 200 peers, on terminals of any width and into a pipe."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest
from hand_networks import KILLED, HandNetwork
from launching import asked

from prisam_p2p.bench.table import print_rows
from prisam_p2p.netns.doctor import print_findings

WIDTHS = (40, 80, 100, 132, 200)
PIPE = None
NOTE = "too narrow for: "
PEER = re.compile(r"device-\d{3}")
SIZES = (12, 200)
COLUMNS_OF_PEERS = [
    *("peer", "profile", "rho", "deployed", "group", "in MiB", "out MiB", "aggregated"),
    *("trained", "params", "MACs"),
]
HEADINGS = {
    *COLUMNS_OF_PEERS,
    *("data group", "peers", "lost", "lowest", "highest", "when", "why", "planned"),
}
SELECT = "SELECT peer, round, moment, test, 'some words' AS said, peer AS neighbor FROM evaluated"
ASKED = ["peer", "round", "moment", "test", "said", "neighbor"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of 12 peers, and one of 200; some of each were killed."""
    made = {}
    for n_peers in SIZES:
        network = HandNetwork(n_peers)
        network.ends = dict.fromkeys(network.peers[1:40:5], KILLED)
        made[n_peers] = tmp_path_factory.mktemp(f"of-{n_peers}")
        network.write(made[n_peers])
    return made


def printed(monkeypatch, width, *arguments):
    """Return what a command prints."""
    if width is PIPE:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    code, text = asked(*arguments)
    assert code == 0, text
    return text


def tables(text):
    """Return the tables in a text, each as its heading and its rows."""
    lines = text.splitlines()
    rules = [i for i, line in enumerate(lines) if set(line) == {"─"}]
    found = []
    for i in rules:
        over = (j for j in range(i, len(lines)) if not lines[j] or lines[j].startswith(NOTE))
        found.append((lines[i - 1], lines[i + 1 : next(over, len(lines))]))
    return found


def check_widths(text, width):
    assert "…" not in text
    if width is not PIPE:
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("n_peers", SIZES)
@pytest.mark.parametrize("width", [*WIDTHS, PIPE])
def test_a_summary_is_never_cut(runs, monkeypatch, n_peers, width):
    text = printed(monkeypatch, width, "summary", runs[n_peers])
    check_widths(re.sub(r"^run folder:.*", "", text, flags=re.S | re.M), width)
    found = tables(text)
    assert len(found) == (1 if n_peers == 12 else 5)
    for heading, rows in found:
        assert set(re.split(r" {2,}", heading.strip())) <= HEADINGS
        assert rows
    peers_tables = [rows for heading, rows in found if heading.startswith("peer ")]
    named = [PEER.findall(row)[0] for rows in peers_tables for row in rows]
    if n_peers == 12:
        assert named == HandNetwork(12).peers
    else:
        assert len(named) == 6


@pytest.mark.parametrize("n_peers", SIZES)
@pytest.mark.parametrize("width", WIDTHS)
def test_all_rows_are_printed_on_request(runs, monkeypatch, n_peers, width):
    text = printed(monkeypatch, width, "summary", runs[n_peers], "--all")
    heading, rows = tables(text)[0]
    assert [row.split()[0] for row in rows] == HandNetwork(n_peers).peers
    assert heading.split()[0] == "peer"


def test_a_digest_holds_best_worst_groups_profiles_and_lost(runs, monkeypatch):
    text = printed(monkeypatch, PIPE, "summary", runs[200])
    best, worst, groups, profiles, lost = tables(text)
    assert [row.split()[0] for row in best[1]] == ["device-199", "device-198", "device-197"]
    assert [row.split()[0] for row in worst[1]] == ["device-000", "device-002", "device-003"]
    assert [row.split()[:3] for row in groups[1]] == [
        ["0", "67", "3"],
        ["1", "67", "3"],
        ["2", "66", "2"],
    ]
    assert [row.split()[:3] for row in profiles[1]] == [
        ["laptop", "100", "4"],
        ["raspberry-pi-zero-2w", "100", "4"],
    ]
    assert [row.split() for row in lost[1]] == [
        [f"device-{i:03}", "round", "2", "killed", "no"] for i in range(1, 40, 5)
    ]
    assert "prisam summary RUN --all prints a row for every peer" in text


def test_columns_are_left_out_from_the_right_and_named(runs, monkeypatch):
    heads = {}
    for width in WIDTHS:
        text = printed(monkeypatch, width, "summary", runs[12])
        heads[width] = re.split(r" {2,}", tables(text)[0][0].strip())
        left_out = re.findall(r"too narrow for: ((?:.|\n)*?)\n\n", text)
        told = " ".join(left_out[0].split()).split(", ") if left_out else []
        assert heads[width] + told == COLUMNS_OF_PEERS
    assert len(heads[40]) < len(heads[80]) < len(heads[200]) == len(COLUMNS_OF_PEERS)


@pytest.mark.parametrize("width", [*WIDTHS, PIPE])
def test_answers_keep_their_ids_and_wrap_words(runs, monkeypatch, width):
    text = printed(monkeypatch, width, "sql", runs[200], SELECT + " WHERE round = 7 ORDER BY peer")
    check_widths(text, width)
    ((heading, rows),) = tables(text)
    assert {"peer", "neighbor"} <= set(heading.split()) <= {*ASKED}
    found = [PEER.findall(row) for row in rows if PEER.search(row)]
    alive = [f"device-{i:03}" for i in range(200) if i not in range(1, 40, 5)]
    assert found == [[peer, peer] for peer in alive]


@pytest.mark.parametrize("width", [*WIDTHS, PIPE])
def test_bytes_are_never_cut(runs, monkeypatch, width):
    text = printed(monkeypatch, width, "bytes", runs[12])
    check_widths(text, width)
    assert [heading.split()[0] for heading, _ in tables(text)] == [
        "kind",
        "layer",
        "sender",
        "round",
    ]


def test_a_file_gets_all_columns_whatever_the_terminal(runs, monkeypatch, tmp_path):
    path = tmp_path / "answer.txt"
    printed(monkeypatch, 40, "sql", runs[12], SELECT, "--out", path)
    assert path.read_text().split("\n")[0].split() == ASKED


@pytest.mark.parametrize("width", [*WIDTHS, PIPE])
def test_a_fault_plan_is_never_cut(monkeypatch, width):
    plan = ("plan", "topologies/clusters-20.toml", "--faults", "topologies/faults/churn-30.toml")
    text = printed(monkeypatch, width, *plan)
    check_widths(text, width)
    *_, (_, rows) = tables(text)  # after that of the preflight
    assert [row.split()[0] for row in rows if "#" in row] == [f"churn#{i}" for i in range(11)]


@pytest.mark.parametrize("width", [*WIDTHS, PIPE])
def test_findings_and_benchmarks_are_never_cut(monkeypatch, capsys, width):
    if width is PIPE:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    probe = {"what": "user namespaces", "available": False}
    probe |= {"detail": "/proc/sys/user/max_user_namespaces is 0", "costs": "links have no rate"}
    network = {"network": "loopback", "reason": "this machine cannot have namespaces"}
    print_findings({"probes": [probe], "measured": [], "network": network})
    print_rows(("what", "ours", "beside"), [("pulls of a VGG-11, raw TCP beside", 1234.5, 0.25)])
    text = capsys.readouterr().out
    check_widths(text, width)
    (capability, rows), (what, _) = tables(text)
    assert capability.startswith("capability       here")
    assert rows[0].startswith("user namespaces  no")
    assert what.split()[0] == "what"


def test_a_terminal_tells_its_own_width(runs):
    """A real one, of 60 columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    command = "from prisam_p2p.cli import main; main()"
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-c", command, "summary", str(runs[12])], stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        while chunk := read(ours):
            text += chunk
        assert process.wait(timeout=60) == 0
    os.close(ours)
    lines = text.decode().split("\r\n")
    rule = next(line for line in lines if line.startswith("─"))
    assert 40 < len(rule) <= 60
    assert any(line.startswith(NOTE) for line in lines)


def read(terminal):
    """Return what a terminal has to show, nothing at its end."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""
