"""What does not fit is named with its figures, and with what would fit."""

from dataclasses import replace

from hand_plans import plan_of, with_settings

from prisam_p2p.preflight.counts import Circumstances, count
from prisam_p2p.preflight.needs import MIB, Disk, Memory
from prisam_p2p.preflight.verdict import RunNeeds, refusal, shortages
from prisam_p2p.system.host_limits import Allowance, HostLimits

COUNTS = count(plan_of(), Circumstances(namespaces=False, secured=False, open_files=4))
GIB = 1024 * MIB
RUN = RunNeeds(
    algorithm="prisam",
    namespaces=False,
    counts=COUNTS,
    memory=Memory(shared=GIB, peers=10 * GIB, launcher=GIB, kernel=2 * GIB),
    disk=Disk(run_folder=3 * GIB, temporary=GIB),
    seconds=10.0,
)


def told(run=RUN, **limits):
    """Return what is said, by what is short."""
    return {each.what: each.told for each in shortages([run], HostLimits(**limits))}


def test_without_known_limits_everything_fits():
    assert told() == {}


def test_memory_names_the_peers_that_would_fit():
    text = told(memory=Allowance(7 * GIB, "free memory"))["memory"]
    assert text == (
        "12 peers need about 13.0 GiB of memory, 7.0 GiB are left (free memory): at most about "
        "6 peers of this model, or a smaller --width, or more memory"
    )


def test_what_the_launcher_holds_already_needs_no_memory_again():
    assert told(memory=Allowance(13 * GIB, "free memory")) == {}
    assert "memory" in told(memory=Allowance(13 * GIB - 1, "free memory"))


def test_unknown_memory_is_not_judged():
    assert told(replace(RUN, memory=None), memory=Allowance(1, "free memory")) == {}


def test_temporary_files_on_tmpfs_are_memory():
    limits = {
        "memory": Allowance(13 * GIB, "free memory"),
        "temporary": Allowance(0, "free at /tmp"),
    }
    assert set(told(**limits)) == {"temporary files"}
    assert set(told(**limits, temporary_is_memory=True)) == {"memory"}


def test_descriptors_of_the_busiest_peer():
    text = told(process_files=Allowance(64, "ulimit -Hn"))["descriptors"]
    assert text == (
        f"peer p00 needs {COUNTS.peer_files} descriptors, 64 are allowed (ulimit -Hn): raise it, "
        "or fewer neighbors"
    )
    assert told(process_files=Allowance(COUNTS.peer_files, "ulimit -Hn")) == {}


def test_descriptors_of_the_launcher():
    silent = count(
        with_settings(plan_of(), algorithm="local"), Circumstances(False, False, open_files=4)
    )
    text = told(replace(RUN, counts=silent), process_files=Allowance(20, "ulimit -Hn"))
    assert text["descriptors"].startswith("the launcher of 12 peers needs 27 descriptors, 20 are")


def test_threads_ports_and_files_of_the_host():
    found = told(
        threads=Allowance(44, "pids.max"),
        ports=Allowance(13, "ip_local_port_range"),
        host_files=Allowance(600, "fs.file-max"),
    )
    assert set(found) == {"threads", "ports", "descriptors of all processes"}
    assert f"12 peers need {COUNTS.threads} threads, 44 are left (pids.max)" in found["threads"]
    assert "at most about 6 peers" in found["threads"]
    assert "p00 opens 14 connections, 13 ports" in found["ports"]


def test_namespaces_count_only_where_there_are_some():
    short = {"namespaces": Allowance(11, "ports of a bridge")}
    assert told(**short) == {}
    assert set(told(replace(RUN, namespaces=True), **short)) == {"network namespaces"}


def test_runs_after_each_other_share_memory_but_not_the_disk():
    limits = HostLimits(
        memory=Allowance(13 * GIB, "free memory"), run_folder=Allowance(5 * GIB, "free at /x")
    )
    assert shortages([RUN], limits) == []
    (found,) = shortages([RUN, RUN], limits)
    assert found.told == (
        "the run folder needs about 6.0 GiB, 5.0 GiB are free at /x: another --run-dir, or fewer "
        "rounds"
    )


def test_of_two_runs_the_one_that_needs_more_is_told():
    smaller = replace(RUN, memory=replace(RUN.memory, peers=8 * GIB))
    (found,) = shortages([smaller, RUN], HostLimits(memory=Allowance(GIB, "free memory")))
    assert found.needs == 13 * GIB


def test_a_refusal_is_one_line_that_names_all_and_the_way_on():
    found = shortages(
        [RUN],
        HostLimits(memory=Allowance(1, "free memory"), process_files=Allowance(1, "ulimit -Hn")),
    )
    text = refusal("net", found)
    assert text.startswith("net does not fit on this machine: peer p00")
    assert "of memory" in text
    assert "--force" in text
    assert "\n" not in text
