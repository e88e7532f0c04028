import os
import signal
from collections import defaultdict

# As the commands do, before anything imports NumPy or torch: tests fork, and a process that ran a
# thread pool cannot be forked soundly.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402
from shares import longest_first  # noqa: E402

settings.register_profile("shared cores", deadline=None)  # a busy machine is no failure
settings.load_profile("shared cores")

# A shell starts its background jobs with Ctrl-C ignored, and their children inherit it: a script
# that a test interrupts would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.pop("COLUMNS", None)  # what commands print is looked at as a pipe gets it

LONGEST_S = {  # seconds on a busy machine; one that is begun last keeps one worker, and others idle
    "network/test_faults.py": 330,
    "network/test_shipped.py": 175,
    "test_readme.py": 140,
    "network/test_tutorials.py": 135,
    "network/test_chaos.py": 125,
    "network/test_check.py": 125,
    "network/test_from_python.py": 120,
    "network/test_host_loss.py": 115,
    "network/test_stalls.py": 100,
    "network/test_user_code.py": 100,
    "network/test_entry_points.py": 85,
    "hosts/test_agent.py": 80,
    "network/test_hosts_local.py": 80,
    "network/test_installed.py": 80,
    "network/test_run.py": 75,
    "network/test_baselines.py": 70,
}
ANOTHER_S = 25
"""About what any other module takes that has tests with one of these markers."""
LONG = ("network", "slow", "browser")


@pytest.hookimpl(trylast=True)  # after those that deselect
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with long modules. Without workers the order stays."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    modules = defaultdict(list)
    for item in items:
        modules[item.nodeid.split("::")[0].removeprefix("tests/")].append(item)
    seconds = {
        name: LONGEST_S.get(name, ANOTHER_S)
        for name, tests in modules.items()
        if any(test.get_closest_marker(marker) for test in tests for marker in LONG)
    }
    counts = {name: len(tests) for name, tests in modules.items()}
    items[:] = [x for name in longest_first(counts, seconds, workers) for x in modules[name]]
