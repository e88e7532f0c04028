"""The judge of unplanned disturbances: true accounts pass, and every kind of untruth is told."""

import json

import pytest
from hand_deliveries import PEERS, case_of, sent, summary_of

from prisam_p2p.soak.unplanned.account import Asked
from prisam_p2p.soak.unplanned.disturbances import DrawnRun
from prisam_p2p.soak.unplanned.truth import untruths

FINAL = ["final states"]
KILLED = [sent("p02", "SIGKILL")]
RESUMED = json.dumps({"status": "completed", "peers": {p: {"state": "completed"} for p in PEERS}})


def lost(**why):
    return summary_of(broken=FINAL, **why)


TRUE = {
    "nothing was done": case_of([], 0, summary_of()),
    "a peer was killed": case_of(KILLED, 4, lost(p02="killed")),
    "a peer crashed": case_of([sent("p02", "SIGSEGV")], 4, lost(p02="ended by SIGSEGV")),
    "a peer was killed when its work was done": case_of(
        [sent("p02", "SIGKILL", done=True)], 0, summary_of()
    ),
    "a peer was stopped for ever": case_of([sent("p02", "SIGSTOP")], 4, lost(p02="stopped")),
    "a peer was stopped for a while": case_of([sent("p02", "SIGSTOP", 1.0)], 0, summary_of()),
    "a peer was stopped for long": case_of([sent("p02", "SIGSTOP", 11.0)], 4, lost(p02="stopped")),
    "a peer was continued, which was not stopped": case_of(
        [sent("p02", "SIGCONT")], 0, summary_of()
    ),
    "a signal came too late": case_of(
        [sent("p02", "SIGKILL", too_late="the run was over")], 0, summary_of()
    ),
    "all was stopped, beyond the stall timeout": case_of(
        [sent("everything", "SIGSTOP", 11.0)], 0, summary_of()
    ),
    "the launcher was killed": case_of(
        [sent("launcher", "SIGKILL")], -9, summary_of("killed"), resumed=Asked(0, RESUMED, ""),
        summarized=Asked(0, RESUMED, ""), ended=False,
    ),
    "the launcher was killed before it began": case_of(
        [sent("launcher", "SIGABRT")], -6, None, began=False
    ),
    "the launcher was told to stop": case_of(
        [sent("launcher", "SIGTERM")], 130, summary_of("interrupted"), resumed=Asked(0, RESUMED, "")
    ),
    "the zygote was killed": case_of(
        [sent("zygote", "SIGKILL")], 3, summary_of("failed"),
        launched=Asked(3, "", "error: zygote: it ended before the run did\n"),
    ),
    "a peer was killed before the rounds": case_of(
        [sent("p02", "SIGKILL", ready=False)], 3, summary_of("failed"),
        launched=Asked(3, "", "error: peer p02: ended with -9 while starting\n"),
    ),
    "the disk was full": case_of([], 6, None, drawn=DrawnRun(seed=0, number=0, disk_kib=100)),
    "the disk was full, even for the launcher's last line": case_of(
        [], 6, summary_of("killed"), drawn=DrawnRun(seed=0, number=0, disk_kib=100), ended=False
    ),
    "too few descriptors, refused": case_of(
        [], 2, None, drawn=DrawnRun(seed=0, number=0, open_files=20), began=False
    ),
    "a check could not be made": case_of([], 5, summary_of(undecided=["exact masks"])),
}  # fmt: skip


@pytest.mark.parametrize("case", TRUE.values(), ids=TRUE)
def test_the_truth_is_let_pass(case):
    assert untruths(case) == []


FALSE = {
    "a killed peer is not lost": (case_of(KILLED, 0, summary_of(), deployed=PEERS[:2]),
        "p02 got SIGKILL and is not lost"),
    "another peer is lost, too": (case_of(KILLED, 4, lost(p02="killed", p03="killed")),
        "p03 is lost (killed), and nothing ended it"),
    "lost for a wrong reason": (case_of(KILLED, 4, lost(p02="out of memory")),
        "p02 is lost (out of memory), expected killed"),
    "lost, and an exit code that says nothing": (case_of(KILLED, 0, lost(p02="killed")),
        "it ended with exit code 0, expected 4"),
    "lost, though it was continued in time": (
        case_of([sent("p02", "SIGSTOP", 1.0)], 4, lost(p02="stopped")),
        "p02 is lost (stopped), and nothing ended it"),
    "lost, because the launcher was stopped": (
        case_of([sent("launcher", "SIGSTOP", 11.0)], 4, lost(p01="stopped")),
        "p01 is lost (stopped), and nothing ended it"),
    "stopped for ever, and not lost": (
        case_of([sent("p02", "SIGSTOP")], 0, summary_of(), deployed=("p00", "p01", "p03")),
        "p02 got SIGSTOP and is not lost"),
    "completed without a model": (case_of([], 0, summary_of(), deployed=PEERS[1:]),
        "p00 has no final model and is not lost"),
    "too many rounds": (case_of(KILLED, 4, lost(p02="killed"), rounds={"p02": 2}),
        "p02 has 3 rounds done, expected 2"),
    "killed, and called completed": (
        case_of([sent("launcher", "SIGKILL")], -9, summary_of(), ended=False),
        "its status is completed, expected killed with exit code -9"),
    "ended by itself, and called killed": (
        case_of([], 6, summary_of("killed"), drawn=DrawnRun(seed=0, number=0, disk_kib=100)),
        "its status is killed, expected completed or failed with exit code 6"),
    "survived a kill": (case_of([sent("launcher", "SIGKILL")], 0, summary_of()),
        "it ended with exit code 0, expected -9"),
    "a wrong culprit": (
        case_of([sent("zygote", "SIGKILL")], 3, summary_of("failed"),
            launched=Asked(3, "", "error: peer p01: ended with -9\n")),
        "its error names none of zygote: error: peer p01: ended with -9"),
    "refused, when peers had been started": (
        case_of([], 2, None, drawn=DrawnRun(seed=0, number=0, open_files=20)),
        "it ended with exit code 2, expected 6"),
    "refused, though it was to go on": (
        case_of([], 2, None, began=False,
            drawn=DrawnRun(seed=0, number=0, disk_kib=20, force=True)),
        "it ended with exit code 2, expected 6"),
    "failed, and nobody was killed": (case_of([], 3, summary_of("failed")),
        "it ended with exit code 3, expected "),
    "failed without a word": (
        case_of([sent("zygote", "SIGTERM")], 3, summary_of("failed"), launched=Asked(3, "", "")),
        "it ended with exit code 3 and 0 lines that say why"),
    "a headline that names another": (
        case_of(KILLED, 4, lost(p02="killed") | {"headline": "1 lost: p01 (killed, round 3)"}),
        "its headline names p01, lost are p02: 1 lost: p01 (killed, round 3)"),
    "a headline that counts wrongly": (
        case_of(KILLED, 4, lost(p02="killed") | {"headline": "2 lost: p02 (killed, round 3)"}),
        "its headline counts other than 1 lost peers: 2 lost: p02 (killed, round 3)"),
    "a headline that is not shown": (
        case_of([], 0, summary_of(), launched=Asked(0, "done", "")),
        "its headline was not printed: prisam on net: completed"),
    "a broken rule": (case_of([], 4, summary_of(broken=["exact masks"])),
        "it broke a rule: exact masks: because"),
    "a peer was killed before the launcher, and is not lost": (
        case_of([sent("p02", "SIGKILL", at_s=3.0), sent("launcher", "SIGTERM")], 130,
            summary_of("interrupted") | {"peers": {p: {"state": "stopped"} for p in PEERS}}),
        "p02 was killed before the run ended and is not lost"),
    "a peer is lost, though only the launcher was killed": (
        case_of([sent("launcher", "SIGKILL")], -9, summary_of("killed", p01="killed"), ended=False),
        "p01 is lost (killed), and nothing ended it"),
    "no summary": (case_of(KILLED, 4, None), "there is no summary.json"),
    "cannot be summarized": (
        case_of([sent("launcher", "SIGKILL")], -9, summary_of("killed"), ended=False,
            summarized=Asked(1, "", "KeyError: 'peers'")),
        "prisam summary ended with exit code 1 and said: KeyError: 'peers'"),
    "cannot be resumed": (
        case_of([sent("launcher", "SIGKILL")], -9, summary_of("killed"), ended=False,
            resumed=Asked(3, "", "error: p01")),
        "prisam resume ended with exit code 3 and said: error: p01"),
    "resumed, and lost a peer": (
        case_of([sent("launcher", "SIGKILL")], -9, summary_of("killed"), ended=False,
            resumed=Asked(0, RESUMED.replace("completed", "stopped", 2), "")),
        "resumed, it is stopped, its peers ['completed', 'stopped']"),
}  # fmt: skip


@pytest.mark.parametrize(("case", "told"), FALSE.values(), ids=FALSE)
def test_an_untruth_is_told(case, told):
    assert told in untruths(case)
