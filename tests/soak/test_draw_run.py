from collections import Counter

import pytest
from hand_deliveries import KNOWN, PEERS

from prisam_p2p.errors import ConfigError
from prisam_p2p.soak.unplanned.disturbances import read_drawn_run
from prisam_p2p.soak.unplanned.draw import NOTICED_S, draw_run

RUNS = [draw_run(1, number, KNOWN) for number in range(400)]
DISTURBANCES = [each for run in RUNS for each in run.disturbances]


def test_a_draw_follows_from_seed_and_number():
    assert draw_run(3, 7, KNOWN) == draw_run(3, 7, KNOWN)
    assert len({draw_run(s, n, KNOWN) for s in range(3) for n in range(3)}) == 9


def test_every_run_has_something_to_suffer_and_no_target_twice():
    for run in RUNS:
        targets = [each.target for each in run.disturbances]
        assert len(set(targets)) == len(targets)
        assert bool(targets) + bool(run.disk_kib) + bool(run.open_files) == 1


def test_every_signal_target_and_lack_is_drawn():
    assert {each.target for each in DISTURBANCES} == {"launcher", "zygote", "everything", *PEERS}
    signals = Counter(each.signal for each in DISTURBANCES)
    assert {*signals} == {"SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM", "SIGSTOP", "SIGCONT"}
    assert min(signals.values()) > 20
    assert sum(bool(run.disk_kib) for run in RUNS) > 20
    assert sum(bool(run.open_files) for run in RUNS) > 20
    assert {run.force for run in RUNS if run.disk_kib} == {True, False}
    by_clock = [each.after_round is None for each in DISTURBANCES]
    assert 0.4 < sum(by_clock) / len(by_clock) < 0.6


def test_a_stop_is_clearly_shorter_or_longer_than_the_stall_timeout():
    stops = [each for each in DISTURBANCES if each.signal == "SIGSTOP"]
    for each in stops:
        if each.hold_s is None:
            assert each.target not in ("launcher", "everything")  # nobody could end them
        else:
            timeout_s = KNOWN.stall_timeout_s
            assert each.hold_s <= timeout_s / 2 or each.hold_s >= timeout_s + NOTICED_S
    assert {each.hold_s is None for each in stops} == {True, False}


def test_a_run_is_read_back_from_the_file_that_keeps_it(tmp_path):
    path = tmp_path / "disturbances.json"
    for run in RUNS[:40]:
        path.write_text(run.model_dump_json(exclude_none=True))
        assert read_drawn_run(path) == run


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1]", "= 'list'"),
        ("", "no JSON"),
        ('{"seed": 0, "number": 0, "disk_kb": 3}', "disk_kb"),
        ('{"seed": 0, "number": 0, "open_files": 0}', "open_files = 0"),
        (
            '{"seed":0,"number":0,"disturbances":[{"target":"p0","signal":"SIGHUP","after_s":1}]}',
            "disturbances[0].signal = 'SIGHUP'",
        ),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, text, told):
    path = tmp_path / "disturbances.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_drawn_run(path)
    assert told in str(caught.value)
