"""The hosts of a run: their agents come up, make ready, make keys, and send all files at the end.

What runs on them is the business of remote_engine.py, which both looks at and waits for the agents.
docs/decisions/0043-one-engine-for-all-hosts.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prisam_p2p.errors import ControlError, LaunchError
from prisam_p2p.hosts import messages
from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.hosts.collection import CollectedFiles
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.hosts.files_for_hosts import code_files, data_parts, file_parts, state_files
from prisam_p2p.hosts.host_lines import HostLines
from prisam_p2p.hosts.lease import RENEWALS
from prisam_p2p.hosts.messages import HostOrder, HostReport
from prisam_p2p.hosts.remote_links import RemoteLinks
from prisam_p2p.measure import records
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.processes.engine import HostGone, HostLoss, Trouble
from prisam_p2p.processes.watched_time import WatchedTime

_UP_S, _PREPARED_S = 60.0, 180.0
"""A host imports torch from a cold disk, or from one that many hosts share."""

_ANSWER_S = 30.0
_LOOK_EVERY_S = 0.1
_SILENT_RENEWALS = 2
_ENDING_S = 60.0
"""At the end of a run, a host is given up when it has sent no file for this many seconds."""


class AgentsOfRun:
    """Starts agents, and has their hosts do what concerns no single process.

    Args:
        engine: gives the hosts of `plan`.
        files: takes in what the hosts send.
        stall_timeout_s: a host that does not set links for this long ends the run.

    Attributes:
        on_wait: called several times a second while something is waited for; may raise.
        look: takes in what the agents have said, and passes on what they are told.
        take_in: called with a host, what its agent reports of a process, and the bytes that follow.
        on_loss: called with each host that is lost.
        clocks: host -> what is known of its clock, as its agent said last.
        links: of a run whose peers have namespaces on the hosts.
        waiting: which hosts are waited for, in words; "" = none.
        signing: peer -> the key that its signatures are checked by.
    """

    def __init__(
        self,
        engine: HostEngine,
        plan: HostsPlan,
        run_dir: Path,
        files: CollectedFiles,
        stall_timeout_s: float,
    ) -> None:
        self._plan, self._run_dir, self._files = plan, run_dir, files
        self._lines = HostLines(engine, [*plan.reserved().values()], plan.lease_s, self._take_in)
        self._placement, self._gpus = dict(plan.placement), dict(plan.gpus)
        self._troubles: dict[str, Trouble] = {}
        self._prepared: dict[str, messages.HostPrepared] = {}
        self._keys: dict[str, str] = {}
        self.signing: dict[str, str] = {}
        self._losses: list[HostLoss] = []
        self.on_wait: Callable[[], object] = lambda: None
        self.look: Callable[[], object] = self.look_at_lines
        self.take_in: Callable[[str, HostReport, bytes], None] = _unexpected
        self.on_loss: Callable[[str], object] = lambda _host: None
        self.clocks: Mapping[str, ClockOffset] = self._lines.clocks
        self.waiting = ""
        self.links = RemoteLinks(
            plan.placement,
            self._lines.tell,
            self._lines.is_lost,
            lambda what, missing: self._wait_for(what, missing, stall_timeout_s),
        )
        for peer, host in self._placement.items():
            files.expect(host, [peer])

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when an agent has said something."""
        return self._lines.fileno()

    # -- before the first process ----------------------------------------------------------

    def start_agents(self) -> list[records.HostUp]:
        """Start the agents; return what they found.

        Raises:
            LaunchError: an agent did not come up.
            ResourceError: the system refused one what it needs.
        """
        self._lines.start()
        hosts = set(self._plan.hosts)
        self._wait_for("report", lambda: hosts - self._lines.up.keys(), _UP_S)
        return self._lines.up_records()

    def prepare(
        self,
        begin: Callable[[str, int], messages.BeginRun],
        data: int,
        network: Callable[[str], messages.MakeNetwork | None] = lambda _host: None,
    ) -> list[messages.HostPrepared]:
        """Begin the run on all hosts, and return what they say once they can start processes.

        Args:
            begin: returns the first order, given a host and its cores.
            data: descriptor of the images of the run.
            network: returns the order by which a host makes namespaces; None = it makes none.

        Raises:
            LaunchError: a host was lost, or did not make ready in time.
        """
        self._lines.begin_leases()
        for host, reserved in self._plan.reserved().items():
            self._lines.tell(host, begin(host, reserved.cores))
            if order := network(host):
                self._lines.tell(host, order)
            self._lines.tell_all_of(host, data_parts(data))
            for name in [
                *code_files(self._run_dir),
                *state_files(self._run_dir, self._plan.peers_of(host)),
            ]:
                self._lines.tell_all_of(host, file_parts(self._run_dir, name))
            self._lines.tell(host, messages.Prepare())
        hosts = set(self._plan.hosts)
        self._wait_for("make ready", lambda: hosts - self._prepared.keys(), _PREPARED_S)
        return list(self._prepared.values())

    def make_keys(self, peers: Iterable[str], sign: bool = False) -> dict[str, str]:
        """Have each peer's host make it a new pair of keys; return the public ones.

        Args:
            sign: the peers sign what is relayed of them; `signing` then has their keys.

        Raises:
            LaunchError: a host was lost, or did not answer in time.
        """
        asked = list(peers)
        for peer in asked:
            self._keys.pop(peer, None)
        for host in self._plan.hosts:
            if theirs := tuple(peer for peer in asked if self._placement[peer] == host):
                self._lines.tell(host, messages.MakeKeys(theirs, sign))
        self._wait_for(
            "make keys",
            lambda: {self._placement[peer] for peer in asked if peer not in self._keys},
            _ANSWER_S,
        )
        return {peer: self._keys[peer] for peer in asked}

    def address(self, peer: str) -> str:
        """Return the address of the host that a peer lives on."""
        return self._plan.hosts[self._placement[peer]].address

    # -- while it goes on ------------------------------------------------------------------

    def host_of(self, peer: str) -> str:
        """Return the host that the next process of a peer starts on.

        Raises:
            HostGone: it is lost.
        """
        host = self._placement[peer]
        self.check_there(host)
        return host

    def visible_gpus(self, peer: str) -> str | None:
        """Return what CUDA_VISIBLE_DEVICES is to be for a peer; None = it has no GPU."""
        seen = self._lines.up[self._placement[peer]].gpus
        numbers = self._gpus.get(peer, ())
        return ",".join(seen[number] for number in numbers) if numbers else None

    def tell(self, host: str, order: HostOrder, data: bytes = b"") -> None:
        """Send an order, now or when the line takes it; to a host that is lost, nothing."""
        self._lines.tell(host, order, data)

    def trouble(self) -> Trouble | None:
        """Return what an agent tells to stand still, or an agent that is not heard."""
        told = next(iter(self._troubles.values()), None)
        silence_s = {host: self._lines.silent_s(host) for host in self._lines.left}
        host = max(silence_s, key=lambda each: silence_s[each], default="")
        patience_s = self._plan.lease_s / RENEWALS * _SILENT_RENEWALS
        if host and silence_s[host] > patience_s:
            return Trouble(f"agent of {host}", "without an answer", silence_s[host])
        return told

    def losses(self) -> list[HostLoss]:
        """Return the hosts that were lost since the last call; never waits."""
        new, self._losses = self._losses, []
        return new

    def end_host(self, host: str) -> None:
        """Have a host go down: its agent and its peers end at once, and say nothing."""
        self._lines.tell(host, messages.Die())

    def move(self, peer: str, host: str, gpus: tuple[int, ...]) -> tuple[str, str | None]:
        """Have the next processes of a peer start on another host, from the state collected here.

        Return its address there, and the public key of the pair that was made there, None where
        connections are plain.

        Raises:
            HostGone: the host is lost, too.
        """
        self.check_there(host)
        self._placement[peer], self._gpus[peer] = host, gpus
        self._files.expect(host, [peer])
        for name in state_files(self._run_dir, [peer]):
            self._lines.tell_all_of(host, file_parts(self._run_dir, name))
        public = None
        if peer in self._keys:
            try:
                public = self.make_keys([peer])[peer]
            except LaunchError as error:
                raise HostGone(error.child, error.reason) from None
        return self.address(peer), public

    def go_on_without(self, peers: Iterable[str]) -> None:
        """Keep states of other peers for none of these, which are gone for good."""
        self._files.go_on_without(peers)

    def know_router(self, address: str, port: int) -> None:
        """Tell all hosts where a peer listens: the kernel's figures of its connections count."""
        self._tell_all(messages.RoutersKnown((f"{address}:{port}",)))

    def dump_sockets(self) -> None:
        """Have all hosts remember the kernel's figures of the open connections."""
        self._tell_all(messages.DumpSockets())

    def line_records(self) -> list[records.HostLine]:
        """Return how many bytes the messages of each line had, for the journal."""
        return self._lines.line_records()

    def stranger_records(self) -> list[records.Turned]:
        """Return who was refused at the lines, and how often, for the journal."""
        return self._lines.stranger_records()

    # -- looking and waiting -----------------------------------------------------------------

    def look_at_lines(self) -> None:
        """Take in what agents have said.

        Raises:
            LaunchError: an agent said what is no report.
        """
        self._lines.look()
        for loss in self._lines.take_losses():
            self._losses.append(loss)
            self._troubles.pop(loss.host, None)
            self.on_loss(loss.host)

    def wait_once(self) -> None:
        """Wait a moment for the agents."""
        self._lines.rest(_LOOK_EVERY_S)
        self.look()
        self.on_wait()

    def _wait_for(self, what: str, missing: Callable[[], set[str]], timeout_s: float) -> None:
        """Wait until no host is missing.

        Raises:
            HostGone: one that is was lost.
            LaunchError: one is after `timeout_s`; it is named.
        """
        waited = WatchedTime(time.monotonic())
        while late := missing():
            for host in late:
                self.check_there(host)
            if waited.look(time.monotonic()) > timeout_s:
                names = ", ".join(sorted(late))
                raise LaunchError(f"agents of {names}", f"did not {what} within {timeout_s:g} s")
            self.waiting = f"waiting for {', '.join(sorted(late))} to {what}"
            self.wait_once()
        self.waiting = ""

    def check_there(self, host: str) -> None:
        """Raise HostGone if a host is lost."""
        if self._lines.is_lost(host):
            reasons = [loss.reason for loss in self._losses if loss.host == host]
            raise HostGone(f"host {host}", *(reasons or ["it is lost"]))

    def end_run(self) -> None:
        """Have the agents send what is left, and end; end those that do not."""
        if not self._lines.have_begun:
            return
        for host in self._lines.left:
            self._lines.tell(host, messages.EndRun())
        n_bytes, waited = -1, WatchedTime(time.monotonic())
        while left := self._lines.left:
            if n_bytes != self._files.n_bytes:
                n_bytes, waited = self._files.n_bytes, WatchedTime(time.monotonic())
            if waited.look(time.monotonic()) > _ENDING_S:
                for host in left:
                    self._lines.lose(host, f"it did not send its files within {_ENDING_S:g} s")
            self._lines.rest(_LOOK_EVERY_S)
            self.look()

    def close(self) -> None:
        """Close the lines, and free the hosts."""
        self._lines.close()

    def _take_in(self, host: str, report: HostReport, data: bytes) -> None:
        match report:
            case messages.HostPrepared():
                self._prepared[host] = report
            case messages.LinksSet() | messages.LinkCounted():
                self.links.note(host, report)
            case messages.KeysMade(public, signing):
                theirs = {p: key for p, key in public.items() if self._placement.get(p) == host}
                self._keys |= theirs
                self.signing |= {p: key for p, key in signing.items() if p in theirs}
            case messages.AgentTrouble(name, reason, since_s):
                self._troubles.pop(host, None)
                if name:
                    self._troubles[host] = Trouble(f"{name} of {host}", reason, since_s)
            case messages.FileAppended() | messages.FileFromHost():
                self._files.take_in(host, report, data)
            case messages.AgentEnded():
                self._lines.note_end(host)
            case _:
                self.take_in(host, report, data)

    def _tell_all(self, order: HostOrder) -> None:
        for host in self._plan.hosts:
            self._lines.tell(host, order)


def _unexpected(_host: str, report: HostReport, _data: bytes) -> None:
    raise ControlError(f"{type(report).__name__}: not expected before the first process")
