import os
import signal

import pytest

from prisam_p2p.system.isolated import Failed, isolated


def hang():
    signal.pause()


def refuse():
    raise OSError(1, "not permitted")


def die():
    os._exit(3)


def test_it_returns_what_the_function_returns():
    assert isolated(lambda: {"a": [1, None]}, 10) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("function", "deadline_s", "why"),
    [(hang, 0.05, "no answer within 0.05 s"), (refuse, 10, "^not permitted$"), (die, 10, "died")],
)
def test_what_goes_wrong_is_told(function, deadline_s, why):
    with pytest.raises(Failed, match=why):
        isolated(function, deadline_s)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
