"""The verdict says only what was judged."""

from dataclasses import replace

from test_verdict import RUN

from prisam_p2p.preflight.needs import MIB
from prisam_p2p.preflight.printed import as_dict, verdict_lines
from prisam_p2p.preflight.units import bytes_text, seconds_text
from prisam_p2p.preflight.verdict import Preflight, shortages
from prisam_p2p.system.host_limits import Allowance, HostLimits

WIDE = HostLimits(memory=Allowance(2**50, "free memory"))
NARROW = HostLimits(memory=Allowance(2**20, "free memory"))


def judged(limits, run=RUN, unknown=""):
    return Preflight("net", [run], limits, unknown, shortages([run], limits))


def test_what_fits_and_what_does_not():
    assert verdict_lines(judged(WIDE)) == ["it fits on this machine, as it is now"]
    (line,) = verdict_lines(judged(NARROW))
    assert line.startswith("does not fit: 12 peers need about 13.0 GiB of memory")
    assert (as_dict(judged(WIDE))["fits"], as_dict(judged(NARROW))["fits"]) == (True, False)


def test_memory_that_could_not_be_measured_is_not_said_to_fit():
    found = judged(NARROW, replace(RUN, memory=None, seconds=None), "the probe ended early")
    assert verdict_lines(found) == [
        "memory and time could not be measured: the probe ended early",
        "the rest fits on this machine, as it is now",
    ]
    assert as_dict(found)["fits"] is None


def test_a_soft_limit_below_the_need_is_no_shortage():
    lines = verdict_lines(judged(replace(WIDE, soft_files=64)))
    assert lines[0] == "the launcher raises its limit of 64 descriptors itself"


def test_amounts_for_people():
    assert [bytes_text(n) for n in (0, 1023, 1024, 150 * MIB, 1536 * MIB)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "150 MiB",
        "1.5 GiB",
    ]
    assert [seconds_text(s) for s in (4.6, 119, 600, 9000)] == ["5 s", "119 s", "10 min", "2.5 h"]
