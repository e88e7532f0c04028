"""What tests share: control runs (the network of a test without its faults), an installed wheel."""

import fcntl
import shutil

import pytest
from control_runs import EIGHT, FIVE_ROUNDS, ControlRun
from installing import copy_of_checkout, unpacked_sdist, venv_with, wheel_of
from launching import launch, patient, topology

from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.netns.namespaces import Namespaces


@pytest.fixture(scope="session")
def control_of(tmp_path_factory, request):
    """Return what runs a topology without faults, once for all workers of this test session."""
    root = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # a worker of xdist: the others' are beside it
        root = root.parent

    def control(name, text):
        folder = root / f"control-{name}"
        with (root / f"control-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "run" / "summary.json").exists():
                folder.mkdir(exist_ok=True)
                code, _, err = launch(
                    topology(folder, patient(text)), "--run-dir", folder / "run", "--quiet"
                )
                assert code == 0, err
        return ControlRun(folder / "run")

    return control


@pytest.fixture
def control(control_of):
    """Return the run of six peers and five rounds without faults."""
    return control_of("five-rounds", FIVE_ROUNDS)


@pytest.fixture
def control_of_eight(control_of):
    """Return the run of eight peers that all pull from each other, without faults."""
    return control_of("eight", EIGHT)


@pytest.fixture(scope="session")
def namespaces():
    """Return the options of a network of namespaces; skip where this machine cannot have them."""
    try:
        Namespaces(["a", "b"]).close()
    except (NetworkError, OSError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    return ("--network", "namespaces")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """Return a wheel built from the checkout, and one built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = copy_of_checkout(folder / "source")
    unpacked = unpacked_sdist(source, folder / "sdist")
    return wheel_of(source, folder / "one"), wheel_of(unpacked, folder / "two")


@pytest.fixture(scope="session")
def installed(wheels, tmp_path_factory):
    """Return the folder of programs of a venv with the wheel of the sdist."""
    folder = tmp_path_factory.mktemp("venv") / "venv"
    yield venv_with(wheels[1], folder)
    shutil.rmtree(folder)  # an empty one has grown to 1.4 GB
