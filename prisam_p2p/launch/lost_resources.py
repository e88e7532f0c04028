"""What a run that the system refused something ends with: one line that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from prisam_p2p.control.messages import ResourceLost
from prisam_p2p.errors import ResourceError
from prisam_p2p.measure.journal import REMOVED, Journal
from prisam_p2p.system.refusals import refused

_NAMED = 5


class LauncherFailures:
    """Why the launcher's own records cannot be written; a run that has such a reason is stopped."""

    def __init__(self) -> None:
        self._first: OSError | None = None

    def note(self, error: OSError) -> None:
        """Take note of a record that could not be written (`Journal`)."""
        self._first = self._first or error

    def found(self, journal: Journal) -> bool:
        """Tell whether there is one by now: also where `journal` was removed or moved."""
        if self._first is None and not journal.is_in_place():
            self._first = FileNotFoundError(errno.ENOENT, REMOVED, str(journal.path))
        return self._first is not None

    def error(self) -> ResourceError | None:
        """Return the error that the run ends with, None without a reason."""
        if self._first is None:
            return None
        why = refused(self._first)
        gone = self._first.errno == errno.ENOENT
        to_do = "leave the folder alone until the run ends" if gone else why.to_do
        return ResourceError(why.what, why.reason, f"the run was stopped; {to_do}")


def peer_refused(peer: str, lost: ResourceLost) -> ResourceError:
    """Return the error of a peer that ended itself."""
    return ResourceError(f"peer {peer}: {lost.what}", lost.reason, lost.to_do)


def peers_refused(run_dir: Path, n_peers: int, lost: Mapping[str, ResourceLost]) -> ResourceError:
    """Return the error of a run that lost these of its peers; it shows the first one's reason."""
    names = [*lost]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    first = lost[names[0]]
    return ResourceError(
        f"{run_dir}: {len(names)} of {n_peers} peers were lost, {', '.join(names[:_NAMED])}{more}",
        f"{first.what}: {first.reason}",
        first.to_do,
    )
