"""A run on a host, from its folder to its last file: what an agent has between BeginRun and EndRun.

Started when the launcher says so; its zygote is asked for processes once it is ready.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.hosts.host_facts import mtu_of
from prisam_p2p.hosts.host_network import HostNetwork
from prisam_p2p.hosts.host_processes import HostProcesses, Send
from prisam_p2p.hosts.host_zygote import ZygoteInput, start_zygote
from prisam_p2p.hosts.local_folder import LocalFolder
from prisam_p2p.hosts.messages import BeginRun, FileForHost, HostPrepared, MakeNetwork
from prisam_p2p.hosts.tail import FileTail, Part
from prisam_p2p.measure.state import MOST_EARLIER, MOST_SPARSE
from prisam_p2p.processes.kernel_watch import KernelWatch
from prisam_p2p.processes.our_sockets import ToRouters
from prisam_p2p.processes.sampling import open_board
from prisam_p2p.processes.zygote import ZygoteEngine
from prisam_p2p.settings import RunSettings, Start
from prisam_p2p.wire import ethernet

_TAIL_EVERY_S, _STATES_EVERY_S = 1.0, 0.2
"""States are looked at often, so that a resumed run has little to do again."""


class HostRun:
    """Makes the folder and what the processes share.

    Args:
        send: sends reports.

    Attributes:
        network: the namespaces of the peers; None = they have this host's address.

    Raises:
        OSError: the system refuses something.
    """

    def __init__(self, begin: BeginRun, send: Send) -> None:
        self._begin, self._send = begin, send
        self._settings = RunSettings.model_validate(begin.settings)
        self._held = ExitStack()
        self._folder = LocalFolder()
        self._held.callback(self._folder.close)
        self._board = self._held.enter_context(open_board(begin.n_peers))
        self._tail = FileTail(self._folder.path)
        self._held.callback(self._tail.close)
        self._parts: Iterator[Part] = iter(())
        self._tailed_s = self._looked_s = 0.0
        self._epoch_s: float | None = None
        self._zygote_pid: int | None = None
        self._engine: ZygoteEngine | None = None
        self._routers = ToRouters(begin.address)
        self._kernel: KernelWatch | None = None
        self._failures: list[OSError] = []
        self.processes: HostProcesses | None = None
        self.network: HostNetwork | None = None

    @property
    def is_ready(self) -> bool:
        """Whether processes can be started."""
        return self._engine is not None and self._engine.is_ready

    def make_network(self, order: MakeNetwork, on_wait: Callable[[], object]) -> None:
        """Make the namespaces of this host's peers; see HostNetwork."""
        address, timeout_s = self._begin.address, self._settings.stall_timeout_s
        self.network = HostNetwork(order, address, timeout_s, on_wait)
        self._held.callback(self.network.close)

    def prepared(self) -> HostPrepared:
        """Return the report that processes can be started."""
        if self.network is None:
            return HostPrepared()
        made = self.network.namespaces
        return HostPrepared(made.congestion, made.delay_by or "")

    def write_file(self, part: FileForHost, data: bytes) -> None:
        """Write a part of a file that the launcher sends; see LocalFolder."""
        self._folder.write(part, data)

    def prepare(
        self,
        lease_ends_s: float,
        on_wait: Callable[[], object],
        selector: selectors.BaseSelector,
    ) -> None:
        """Start what forks the processes; `is_ready` tells when it does.

        Args:
            on_wait: called several times a second while a start waits; may raise.

        Raises:
            OSError: the system refuses it.
        """
        self._tail.skip()
        begin, folder = self._begin, self._folder
        given = ZygoteInput(
            board=self._board,
            run_dir=folder.path,
            settings=self._settings,
            clusters=begin.clusters,
            n_classes=begin.n_classes,
            image_shape=begin.image_shape,
            dtype=begin.dtype,
            code=begin.code,
        )
        inherits = [folder.data_fd, folder.turns_fd, self._board.fd]
        inherits += self.network.descriptors if self.network else []
        log_path = folder.path / "logs" / f"zygote-{begin.host}.log"
        zygote = start_zygote(given, inherits, log_path)
        self._zygote_pid = zygote.pid
        fresh = self._settings.start is not Start.ZYGOTE
        self._engine = ZygoteEngine(self._board, self._settings.stall_timeout_s, zygote, fresh)
        self._engine.on_wait = on_wait
        self._engine.watch(selector)
        self._engine.renew_lease(lease_ends_s)
        self.processes = HostProcesses(self._engine, self._localized, self._send)

    def begin_clock(self, offset_s: float) -> None:
        """Set the run's beginning on this host's clock; what is measured begins now.

        It is set once: all processes of this host share it, whatever is found out later.

        Raises:
            OSError: the system refuses the kernel's journal.
        """
        self._epoch_s = self._begin.epoch_s - offset_s
        network = self.network
        watch = KernelWatch(
            network.sockets if network else self._routers,
            self._folder.path / "journal" / f"kernel-{self._begin.host}.jsonl",
            self._epoch_s,
            network.namespaces if network else None,
            ethernet.TUNNEL_MTU if network else ethernet.LOOPBACK_MTU,
            self._failures.append,
            self._begin.host,
            ethernet.TUNNEL_MTU if network else mtu_of(self._begin.address),
        )
        self._kernel = watch.__enter__()

    def know_routers(self, endpoints: Collection[str]) -> None:
        """Take in where peers listen, "address:port" each."""
        parted = (each.rpartition(":") for each in endpoints)
        self._routers.know([(address, int(port)) for address, _, port in parted])

    def dump_sockets(self) -> None:
        """Remember the kernel's figures of the open connections."""
        if self._kernel:
            self._kernel.dump()

    def renew_lease(self, until_s: float) -> None:
        """Tell the zygote until when the lease lasts now."""
        if self._engine:
            self._engine.renew_lease(until_s)

    def look(self, now_s: float, selector: selectors.BaseSelector) -> None:
        """Report what has happened to the processes since the last look.

        Raises:
            LaunchError: what forks has ended, or stood still for too long.
            OSError: the kernel's journal cannot be written.
        """
        if self._failures:
            raise self._failures[0]
        if self.network:
            self.network.look()
        if self._engine and not self._engine.is_ready:
            self._engine.exits()  # it hears that the zygote is ready
        elif self.processes:
            self.processes.look(now_s, selector)

    def next_part(self, now_s: float) -> Part | None:
        """Return the next part of a file that is to be sent, None if there is none now."""
        part = next(self._parts, None)
        if part is None and now_s - self._looked_s >= _STATES_EVERY_S:
            grown = now_s - self._tailed_s >= _TAIL_EVERY_S
            self._looked_s = now_s
            self._tailed_s = now_s if grown else self._tailed_s
            self._parts = self._tail.parts(grown)
            part = next(self._parts, None)
        return part

    def end(self) -> None:
        """End what is left of the processes; then `last_parts` has what they wrote."""
        self._parts = iter(())
        if self._engine:
            engine, self._engine, self.processes = self._engine, None, None
            engine.close()
        if self._kernel:
            kernel, self._kernel = self._kernel, None
            kernel.close()

    def last_parts(self) -> Iterator[Part]:
        """Yield all that has not been sent."""
        return self._tail.parts()

    def kill(self) -> None:
        """Send SIGKILL to all processes, waiting for nothing."""
        if self._zygote_pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._zygote_pid, signal.SIGKILL)  # and with it, its children
        if self.processes:
            self.processes.kill()

    def close(self) -> None:
        """Remove the folder."""
        self._held.close()

    def _localized(self, spec: PeerSpec) -> PeerSpec:
        """Return a spec with what is of this host."""
        assert self._epoch_s is not None
        turns_fd = self._folder.turns_fd if self._settings.turns else None
        board, network = self._board, self.network
        entry = network.namespaces.entry(spec.peer_id) if network else None
        if spec.board:
            board = spec.board.model_copy(update={"fd": board.fd})
        return spec.model_copy(
            update={
                "run_dir": self._folder.path,
                "epoch_s": self._epoch_s,
                "data": spec.data.model_copy(update={"fd": self._folder.data_fd}),
                "turns_fd": turns_fd,
                "board": board,
                "cores": self._begin.cores,
                "network": entry,
                "earlier_states": MOST_EARLIER,
                "sparse_states": MOST_SPARSE,
            }
        )
