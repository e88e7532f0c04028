"""What a run's headline says, and whom it calls lost: for each way in which a run can end."""

import json

import pytest
from hand_networks import KILLED, ROUNDS, End, HandNetwork

from prisam_p2p.measure import records
from prisam_p2p.report.summary import write_summary

STOPPED = End(17, 0, "stopped", "told to stop")
PEERS = HandNetwork().peers
KILL = {
    "id": "kill#0",
    "kind": "kill",
    "peers": ["device-001"],
    "links": [],
    "trigger": {"round": 2, "phase": "train"},
    "heal": {"never": True},
    "params": {},
}


@pytest.fixture
def told(tmp_path):
    """Returns the headline of a run, without its first words, and whom it lost."""

    def write(**network):
        summary = write_summary(HandNetwork(**network).write(tmp_path))
        assert json.loads((tmp_path / "summary.json").read_text()) == summary
        first, said = summary["headline"].split(": ", 1)
        assert first == "prisam on hand-made"
        return said, {each.pop("peer"): each for each in summary["lost"]}

    return write


def lost(reason, round_, planned=False):
    return {"reason": reason, "round": round_, "planned": planned, "host": ""}


def test_a_run_in_which_all_went_well(told):
    assert told() == ("completed, 40 rounds in 62.1 s", {})


def test_four_of_twelve_that_were_killed_do_not_hide_the_others(told):
    four = ["device-001", "device-004", "device-007", "device-010"]
    said, gone = told(ends=dict.fromkeys(four, KILLED))
    assert said == (
        "8 of 12 peers ran 40 rounds in 62.1 s; 4 lost: device-001 (killed, round 2), "
        "device-004 (killed, round 2), device-007 (killed, round 2), device-010 (killed, round 2)"
    )
    assert gone == dict.fromkeys(four, lost("killed", 2))


def test_a_peer_that_was_killed_when_it_had_done_all_rounds_was_in_none(told):
    said, gone = told(ends={"device-001": End(ROUNDS, -9, "died with -9", None)})
    assert said.endswith("1 lost: device-001 (killed, after the last round)")
    assert gone == {"device-001": lost("killed", ROUNDS)}


def test_of_many_lost_peers_the_first_are_named(told):
    said, gone = told(n_peers=60, ends=dict.fromkeys(HandNetwork(60).peers[:23], KILLED))
    assert said.startswith("37 of 60 peers ran 40 rounds in 62.1 s; 23 lost: device-000 (killed")
    assert said.endswith("device-005 (killed, round 2) + 17 more")
    assert len(gone) == 23


def test_a_peer_that_converged_is_not_lost(told):
    early = dict.fromkeys(PEERS[:3], End(5))
    assert told(ends=early) == ("completed, 5 to 40 rounds (3 converged early) in 62.1 s", {})


def test_of_many_lost_peers_the_check_names_ten(tmp_path):
    run = HandNetwork(n_peers=60, ends=dict.fromkeys(HandNetwork(60).peers[:23], KILLED))
    checks = {each["check"]: each for each in write_summary(run.write(tmp_path))["checks"]}
    why = checks["final states"]["why"]
    assert why.startswith("device-000 died with -9; device-001 died with -9; ")
    assert why.endswith("device-009 died with -9; and 13 more")


def test_all_peers_may_be_lost(told):
    said, gone = told(ends=dict.fromkeys(PEERS, KILLED))
    assert said.startswith("no peer of 12 completed in 62.1 s; 12 lost: ")
    assert len(gone) == 12


def test_planned_losses_are_said_to_be_planned(told):
    planned = End(2, -9, "died with -9 as planned", None)
    said, gone = told(ends={"device-001": planned})
    assert said.endswith("1 lost as planned: device-001 (killed, round 2)")
    assert gone == {"device-001": lost("killed", 2, True)}


def test_of_planned_and_other_losses_each_says_which_it_is(told):
    planned = End(3, 0, "stopped as planned", "told to stop")
    said, _ = told(ends={"device-001": planned, "device-002": KILLED})
    assert said.endswith(
        "2 lost: device-001 (stopped as planned, round 3), device-002 (killed, round 2)"
    )


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (End(4, -11, "died with -11", None), "ended by SIGSEGV"),
        (End(4, -6, "died with -6", None), "ended by SIGABRT"),
        (End(4, -99, "died with -99", None), "ended by signal 99"),
        (End(4, 0, "out-of-memory", "more than 64 MiB"), "out of memory"),
        (End(4, 0, "stopped", "told to stop"), "told to stop by SIGTERM"),
        (End(4, 7, "died with 7", None), "ended with exit code 7: OSError: the last line"),
        (
            End(4, 1, "failed", "ValueError: no such thing"),
            "ended with exit code 1: ValueError: no such thing",
        ),
        (End(0, None, "not started", None), "never started"),
    ],
)
def test_why_a_peer_was_lost(tmp_path, end, reason):
    run = HandNetwork(ends={"device-003": end}).write(tmp_path)
    (tmp_path / "logs" / "device-003.log").write_text("Traceback\nOSError: the last line\n\n")
    (found,) = write_summary(run)["lost"]
    assert found == {"peer": "device-003", **lost(reason, 4 if end.rounds else None)}


WORDS = "stopped for 60 s while training in round 3"


@pytest.mark.parametrize(
    ("line", "state", "reason"),
    [
        (
            {"record": "given_up", "peers": ["device-003"], "silent_s": 60.3},
            "died with -6",
            "stopped: ended by the watchdog after 60 s",
        ),
        (
            {
                "record": "given_up",
                "peers": ["device-003"],
                "silent_s": 60.3,
                "reasons": {"device-003": WORDS},
            },
            "died with -6",
            f"{WORDS}: ended by the watchdog",
        ),
        (
            {
                "record": "peer_refused",
                "peer": "device-003",
                "what": "journal/device-003.jsonl",
                "reason": "No space left on device",
            },
            "lost: journal/device-003.jsonl: No space left on device",
            "journal/device-003.jsonl: No space left on device",
        ),
    ],
)
def test_the_launcher_may_know_why_a_peer_ended(tmp_path, line, state, reason):
    run = HandNetwork(ends={"device-003": End(3, -6, state, None)}).write(tmp_path)
    path = tmp_path / "journal" / "launcher.jsonl"
    *before, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*before, json.dumps({"t_s": 1.0, **line}) + "\n", last]))
    summary = write_summary(run)
    (found,) = summary["lost"]
    assert found == {"peer": "device-003", **lost(reason, 3)}
    where = "" if WORDS in reason else ", round 3"  # it is said once
    assert summary["headline"].endswith(f"1 lost: device-003 ({reason}{where})")


def test_an_interrupted_run_tells_how_far_it_came_and_whom_it_had_lost(told):
    ends = dict.fromkeys(PEERS, STOPPED) | {PEERS[0]: End(18, 0, "stopped", "told to stop")}
    said, gone = told(status="interrupted", ends=ends | {"device-005": KILLED})
    assert said == (
        "interrupted after 17 to 18 of 40 rounds, 62.1 s; 1 lost: device-005 (killed, round 2)"
    )
    assert [*gone] == ["device-005"]


def test_peers_that_end_because_the_run_does_are_not_lost(told):
    ends = dict.fromkeys(PEERS, STOPPED)
    ends |= {PEERS[0]: End(17, -15, "died with -15", None)}
    ends |= {PEERS[1]: End(17, None, "killed by the launcher", None)}
    assert told(status="interrupted", ends=ends)[1] == {}


def test_an_interrupt_before_the_rounds(told):
    ends = dict.fromkeys(PEERS, End(0, None, "not started", None))
    assert told(status="interrupted", ready=False, ends=ends) == (
        "interrupted before the rounds began, after 62.1 s",
        {},
    )


def test_a_run_that_failed_names_the_peer_that_did_not_come_up(told):
    ends = dict.fromkeys(PEERS, End(0, None, "killed by the launcher", None))
    said, _ = told(
        status="failed", ready=False, ends=ends | {"device-002": End(0, -9, "died with -9", None)}
    )
    assert said == (
        "failed before the rounds began, after 62.1 s; "
        "1 lost: device-002 (killed, before the rounds)"
    )


def test_a_run_that_failed_because_all_were_lost(told):
    full = End(6, 6, "lost: journal/x.jsonl: No space left on device", None)
    said, gone = told(status="failed", ends=dict.fromkeys(PEERS, full))
    assert said.startswith("failed after 6 of 40 rounds, 62.1 s; 12 lost: device-000 (")
    assert len(gone) == 12


def test_a_run_that_failed_in_the_middle(told):
    ends = dict.fromkeys(PEERS, End(9, None, "killed by the launcher", None))
    assert told(status="failed", ends=ends)[0] == "failed after 9 of 40 rounds, 62.1 s"


def test_a_run_whose_launcher_was_killed(told):
    ends = dict.fromkeys(PEERS, End(9, None, "unknown", None)) | {"device-002": KILLED}
    said, gone = told(status=None, ends=ends)
    assert said == (
        "not ended (its launcher was killed, could not write, or still runs) after 9 of 40 rounds; "
        "1 lost: device-002 (killed, round 2)"
    )
    assert gone == {"device-002": lost("killed", 2)}


def test_in_a_run_whose_launcher_was_killed_a_planned_loss_is_one(told):
    ends = dict.fromkeys(PEERS, End(9, None, "unknown", None)) | {"device-001": KILLED}
    applied = records.FaultApplied("kill#0", "kill", "device-001", 0.0)
    _, gone = told(status=None, ends=ends, faults=[KILL], launcher=[applied])
    assert gone == {"device-001": lost("killed", 2, True)}


def test_a_peer_that_was_started_again_is_not_lost(told):
    """Its first process was killed, its second one completed."""
    again = [records.PeerEnded("device-001", 101, -9), records.PeerStarted("device-001", 300, 1)]
    assert told(launcher=again) == ("completed, 40 rounds in 62.1 s", {})


def test_each_peer_tells_its_rounds(tmp_path):
    run = HandNetwork(ends={"device-001": KILLED, "device-002": End(5)}).write(tmp_path)
    summary = write_summary(run)
    done = {peer: each["rounds_done"] for peer, each in summary["peers"].items()}
    assert done == {**dict.fromkeys(PEERS, ROUNDS), "device-001": 2, "device-002": 5}
    assert summary["rounds_done"] == 2  # those that every peer finished


def test_rounds_of_a_killed_peer_that_never_communicates_are_counted_too(tmp_path):
    run = HandNetwork(ends={"device-001": KILLED}).write(tmp_path)
    path = tmp_path / "journal" / "device-001.jsonl"
    lines = [x for x in path.read_text().splitlines(keepends=True) if "traffic" not in x]
    path.write_text("".join(lines))
    assert write_summary(run)["peers"]["device-001"]["rounds_done"] == 1
