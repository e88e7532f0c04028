"""The process of `--log-to`: writes one run for a tracker until its launcher lets go of it.

    python -m prisam_p2p.export RUN tensorboard

Its first line on stdout is JSON, {"look": ..}: what to do to see the run. It ends when its stdin
does: so it cannot outlive a launcher that was killed. A terminal's Ctrl-C does not reach it.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

from prisam_p2p.errors import PrisamError
from prisam_p2p.export.follow import Follower

_LOOK_EVERY_S = 1.0
_SHARE = 0.02
"""Of one core: a look that takes long is followed by a long wait."""


def main() -> None:
    """Follow the run that the command line names."""
    run_dir = Path(sys.argv[1]).resolve()
    try:
        follower = Follower(run_dir)
        print(json.dumps({"look": follower.look_at}), flush=True)
        _follow(follower)
    except (PrisamError, OSError) as error:
        sys.exit(str(error))


def _follow(follower: Follower) -> None:
    wait_s = 0.0
    while not _is_let_go(wait_s):
        began_s = time.process_time()
        follower.look()
        wait_s = max(_LOOK_EVERY_S, (time.process_time() - began_s) / _SHARE)
    follower.finish()


def _is_let_go(wait_s: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], wait_s)
    return bool(ready)


if __name__ == "__main__":
    main()
