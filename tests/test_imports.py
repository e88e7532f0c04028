"""What takes long to import is imported only by the commands that need it."""

import subprocess
import sys

import pytest

SLOW = ["torch", "numpy", "sklearn", "networkx", "zmq", "duckdb", "matplotlib", "rich"]


@pytest.mark.parametrize(
    "code",
    [
        "import prisam_p2p",
        "from prisam_p2p.cli import main; main(['--help'], standalone_mode=False)",
        "from prisam_p2p.cli import main; main(['launch', '--help'], standalone_mode=False)",
        "from prisam_p2p.cli import main; "
        "main(['list', 'topologies', '--format', 'json'], standalone_mode=False)",
    ],
)
def test_nothing_slow_is_imported(code):
    check = f"import sys; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_package_offers_functions_whatever_rooms_are_imported():
    code = (
        "import prisam_p2p.launch.launch, prisam_p2p as pp; "
        "print([callable(getattr(pp, name)) for name in ('launch', 'load_run', 'compare')], "
        "{'launch', 'load_run', 'compare', 'ConfigError'} <= {*dir(pp)})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[True, True, True] True\n", done.stderr


def test_an_interrupt_while_the_package_is_imported_waits_for_its_end(tmp_path):
    (tmp_path / "numpy.py").write_text(
        "import signal\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    raise TypeError('as NumPy does')\n"
        "raise SystemExit('held')\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import prisam_p2p as pp; pp.launch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1:] == ["held"]
