import pytest

from prisam_p2p.experiment.admission import Need, may_start

KNOWN = Need(cores=1.0, memory_mib=100.0)


@pytest.mark.parametrize(
    ("running", "new", "jobs", "may"),
    [
        ([], Need(50.0, None), None, True),  # the only cell may always start
        ([KNOWN], KNOWN, None, True),
        ([KNOWN], Need(2.0, 100.0), None, False),  # 3 cores of 2
        ([KNOWN], Need(1.0, None), None, False),  # of unknown memory
        ([KNOWN], Need(2.0, None), 2, True),  # allowed by --jobs
        ([KNOWN, KNOWN], KNOWN, 2, False),
        ([KNOWN], Need(0.5, 750.0), None, False),  # 850 MiB of 1000
        ([KNOWN], Need(0.5, 750.0), 9, False),
        ([KNOWN], Need(0.5, 700.0), None, True),
    ],
)
def test_a_cell_starts_if_cores_memory_and_jobs_allow(running, new, jobs, may):
    assert may_start(running, new, cores=2, free_mib=1000.0, jobs=jobs) is may
