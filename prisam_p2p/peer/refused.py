"""How a peer ends that the system refuses what it cannot run without.

A peer whose journal cannot be written measures nothing, so it does not go on: it tells the launcher
why, and ends at once, whichever thread notices (docs/decisions/0029-refusals.md).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from prisam_p2p.control.line import ControlLine
from prisam_p2p.control.messages import ResourceLost
from prisam_p2p.errors import ResourceError
from prisam_p2p.system.refusals import refused


def end_refused(control: ControlLine, refusal: ResourceError) -> NoReturn:
    """Report `refusal` and end this process now. Any thread may.

    Nothing is closed: the system does it, and neighbors see a connection that ends.
    """
    with suppress(OSError):
        control.send(ResourceLost(refusal.what, refusal.reason, refusal.to_do))
    with suppress(OSError):  # the log may be on the same disk
        print(refusal, file=sys.stderr, flush=True)
    os._exit(ResourceError.exit_code)


def ends_without_journal(control: ControlLine) -> Callable[[OSError], NoReturn]:
    """Return what ends this process when its journal cannot be written (`Journal`)."""
    return lambda error: end_refused(control, refused(error))
