"""The holder's end of the process that holds packets back (`delaying`)."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from prisam_p2p.emulate.lines import Lines, write_line
from prisam_p2p.emulate.network.delaying import delay
from prisam_p2p.emulate.network.link_state import LinkState
from prisam_p2p.peer.limits import die_with_parent


class Delayer:
    """That process, from the first link that has a delay on; `net_fds` are the receivers'."""

    def __init__(self, net_fds: Sequence[int]) -> None:
        self._net_fds = net_fds
        self._answers: Lines | None = None

    def set(self, sender: int, receiver: int, state: LinkState) -> None:
        """Hold packets of this link's queue back as `state` says; none means: let all in.

        Raises:
            OSError: the kernel refused.
        """
        self._answers = self._answers or self._start()
        times = {"delay_ms": state.delay_ms, "jitter_ms": state.jitter_ms}
        write_line(self._answers.line, {"sender": sender, "receiver": receiver, **times})
        (answer,) = self._answers.receive() or [{"failed": "the process that delays ended"}]
        if "failed" in answer:
            raise OSError(answer["failed"])

    def _start(self) -> Lines:
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            try:
                ours.close()
                die_with_parent()
                delay(self._net_fds, theirs)
            finally:
                os._exit(0)
        theirs.close()
        return Lines(ours)
