import os
import signal

import psutil
import pytest

from prisam_p2p.system.isolated import Failed, isolated


def hang():
    signal.pause()


def refuse():
    raise OSError(1, "not permitted")


def die():
    os._exit(3)


def test_the_result_of_the_function_is_returned():
    assert isolated(lambda: {"a": [1, None]}, 10) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("function", "deadline_s", "why"),
    [(hang, 0.05, "no answer within 0.05 s"), (refuse, 10, "^not permitted$"), (die, 10, "died")],
)
def test_a_failure_is_raised_with_its_reason_and_no_child_is_left(function, deadline_s, why):
    before = psutil.Process().children()  # launchers of other tests come from one
    with pytest.raises(Failed, match=why):
        isolated(function, deadline_s)
    assert psutil.Process().children() == before
