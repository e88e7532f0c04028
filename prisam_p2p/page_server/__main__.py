"""The process of `prisam launch --ui`: serves one run's page until its launcher lets go of it.

    python -m prisam_p2p.page_server RUN

Its first line on stdout is JSON, {"address": ..}. It ends when its stdin does: so it cannot
outlive a launcher that was killed. A terminal's Ctrl-C does not reach it.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path

from prisam_p2p.page_server.app import PageServer
from prisam_p2p.page_server.server import HOST, listening, serve


def main() -> None:
    """Serve the run that the command line names."""
    run_dir = Path(sys.argv[1]).resolve()
    pages = PageServer(run_dir, is_run=True, note=False)  # its launcher notes it
    serve(pages, listening(HOST, 0), _announce, _is_let_go)


def _announce(address: str) -> None:
    print(json.dumps({"address": address}), flush=True)


def _is_let_go() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)


if __name__ == "__main__":
    main()
