"""What a child process tells its caller: the same errors, and messages line by line."""

import json

import pytest

from prisam_p2p import errors
from prisam_p2p.plan.toml_file import Told
from prisam_p2p.python_api.errors_as_data import error_as_data, error_from_data
from prisam_p2p.python_api.messages import (
    LaunchAdvanced,
    LaunchEnded,
    LaunchFailed,
    from_line,
    to_line,
)

ERRORS = [
    errors.ConfigError("--rounds", "", "3", "an integer"),
    errors.ConfigError("net.toml", "links.edges", ("p00", "p00"), "two different peers"),
    errors.ConfigError("net.toml", "peers.count", Told("missing"), "a number"),
    errors.ConfigError("net.toml", "peers", {"a": 1}, "a list"),
    errors.ConfigError("--seed", "", None, "a number"),
    errors.DoesNotFit("20 GiB of memory; there are 4"),
    errors.LaunchError("p03", "ended with 1", ["first", "second"]),
    errors.ResourceError("/full", "No space left on device", "free space there"),
    errors.CheckFailed("runs/x: 12 unexplained bytes"),
    errors.Undecided("runs/x: final states"),
    errors.PrisamError("another"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_in_another_process(error):
    there = error_from_data(json.loads(json.dumps(error_as_data(error))))
    assert (type(there), str(there)) == (type(error), str(error))
    assert there.exit_code == error.exit_code


def test_an_error_keeps_its_parts():
    there = error_from_data(error_as_data(ERRORS[0]))
    assert (there.where, there.key, there.value, there.right) == (
        "--rounds",
        "",
        "3",
        "an integer",
    )


def test_every_error_that_a_launch_can_end_with_has_its_class():
    by_class = {type(each) for each in ERRORS}
    raised = {each for each in vars(errors).values() if isinstance(each, type)}
    never_raised_by_a_launch = {errors.WireError, errors.ControlError}
    kinds = {each for each in raised if issubclass(each, errors.PrisamError)}
    assert kinds - never_raised_by_a_launch == by_class


@pytest.mark.parametrize(
    "message",
    [
        LaunchAdvanced("prisam", "training", 1, 4, 12, "1 of 3 rounds\nµ"),
        LaunchEnded("/runs/x", None),
    ],
)
def test_a_message_is_one_line(message):
    line = to_line(message)
    assert line.count(b"\n") == 1
    assert from_line(line) == message


def test_a_message_can_hold_an_error():
    failed = from_line(to_line(LaunchFailed(ERRORS[6], "/runs/x")))
    assert (str(failed.error), failed.run_dir) == (str(ERRORS[6]), "/runs/x")
    ended = from_line(to_line(LaunchEnded("/runs/x", ERRORS[7])))
    assert (str(ended.refused), ended.run_dir) == (str(ERRORS[7]), "/runs/x")
