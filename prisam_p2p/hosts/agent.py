"""The agent of a run on one host: it starts peers there for a launcher elsewhere.

    python -m prisam_p2p.hosts.agent --host h2 --launcher 10.0.0.1:40123 --launcher-key KEY

An engine of hosts starts it (hosts/engines/), never a user. It prints one JSON line, with its name
and the public key that it has made, connects to the launcher, and obeys (messages.py). It is light:
torch is imported by its zygote alone. It ends, and with it all that it has started,

- after EndRun, when all files have arrived: exit code 0;
- at once, at the end of its standard input, by SIGTERM, or by the order to die;
- when its lease is over, or the line to the launcher has ended: exit code 3;
- when the system refuses what it needs: exit code 6.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from prisam_p2p.errors import ControlError, LaunchError, PrisamError
from prisam_p2p.hosts.codec import decode_order, encode
from prisam_p2p.hosts.doctor.probe_child import ProbeChild
from prisam_p2p.hosts.end_requests import AskedToEnd, EndRequests
from prisam_p2p.hosts.gpus import gpus_of
from prisam_p2p.hosts.host_facts import agent_up
from prisam_p2p.hosts.host_network import HostNetwork
from prisam_p2p.hosts.host_processes import HostProcesses
from prisam_p2p.hosts.host_run import HostRun
from prisam_p2p.hosts.messages import (
    ActOn,
    AgentEnded,
    BeginRun,
    CountLink,
    Die,
    DumpSockets,
    EndRun,
    FileForHost,
    HostOrder,
    HostReport,
    LineBytes,
    LineClosed,
    MakeKeys,
    MakeNetwork,
    Prepare,
    ProbeBytes,
    Refused,
    Renewed,
    RoutersKnown,
    SetLinks,
    SignalProcess,
    StartProcess,
)
from prisam_p2p.hosts.renewals import Renewals
from prisam_p2p.hosts.tail import Part
from prisam_p2p.system.process_limits import allow_many_files
from prisam_p2p.system.refusals import refusal_of
from prisam_p2p.transport.curve_line import LineClient

_LAUNCHER = "the launcher"
_KEY = "--launcher-key"

_TURN_S, _TURN_OF_ACTS_S = 0.2, 0.02

_LAST_WORDS_S = 2.0
"""An agent that ends because something is refused gives the launcher this time to hear why."""


class Agent:
    """Obeys the launcher until one of the ends that the module names.

    Args:
        up: the first report (host_facts.py).
        line: to the launcher.
        requests: to end at once.
    """

    def __init__(self, up: HostReport, line: LineClient, requests: EndRequests) -> None:
        self._line, self._requests = line, requests
        self._renewals = Renewals(time.monotonic())
        self._unsent: deque[list[bytes]] = deque()
        self._unread: deque[tuple[HostOrder, bytes]] = deque()
        self._run: HostRun | None = None
        self._probe: ProbeChild | None = None
        self._last_parts: Iterator[Part] | None = None  # None = the run has not ended
        self._preparing = self._looks_at_clock = self._has_ended = False
        self._selector = selectors.DefaultSelector()
        self._watch()
        self._send(up)

    def run(self) -> None:
        """Obey until the run has ended.

        Raises:
            AskedToEnd: this process is to end at once.
            LaunchError: the launcher is gone, or what forks the peers.
            ResourceError: the system refused something.
        """
        try:
            while not (self._has_ended and (self._renewals.all_arrived or self._line.ended)):
                self._turn()
        except AskedToEnd:
            raise
        except Exception as error:
            self._tell_why(error)
            if refusal := refusal_of(error):
                raise refusal from error
            raise
        finally:
            self._close()

    # -- one turn ------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait for something, and do what is to be done."""
        for key, _ in self._selector.select(self._wait_s()):
            if key.fileobj is self._probe:
                self._hear_probe()
            elif key.data is not None and self._run and self._run.processes:
                self._run.processes.pump(key.data, self._selector)
        self._check()
        if self._run:
            self._run.look(time.monotonic(), self._selector)
            self._tell_prepared()
        while True:  # what is last must be that nothing was received, see LineClient.fileno
            self._ask()
            self._send_parts()
            self._flush()
            order = self._next_order()
            if order is None:
                break
            self._obey(*order)

    def _wait_s(self) -> float:
        processes = self._run.processes if self._run else None
        turn_s = _TURN_OF_ACTS_S if processes and processes.acts_go_on else _TURN_S
        return max(0.0, min(turn_s, self._renewals.next_s() - time.monotonic()))

    def _check(self) -> None:
        """Raise what ends this process, if something does."""
        self._requests.check()
        now_s = time.monotonic()
        if self._renewals.is_over(now_s):
            why = "it did not renew the lease, so the processes of this host are ended"
            raise LaunchError(_LAUNCHER, why)
        if self._line.ended and not self._has_ended:
            raise LaunchError(_LAUNCHER, "the line to it has ended")

    def _keep_alive(self) -> None:
        """Do the least while the zygote is waited for: the lease goes on, orders wait."""
        self._check()
        while (order := self._from_line()) is not None:
            if isinstance(order[0], Renewed):
                self._obey(*order)
            else:
                self._unread.append(order)
        self._ask()
        self._flush()

    # -- the line ------------------------------------------------------------------------

    def _send(self, report: HostReport, data: bytes = b"") -> None:
        self._unsent.append(encode(report, data))

    def _flush(self) -> None:
        while self._unsent and self._line.send(self._unsent[0]):
            self._unsent.popleft()

    def _next_order(self) -> tuple[HostOrder, bytes] | None:
        return self._unread.popleft() if self._unread else self._from_line()

    def _from_line(self) -> tuple[HostOrder, bytes] | None:
        frames = self._line.receive()
        try:
            return None if frames is None else decode_order(frames)
        except ControlError as error:
            raise LaunchError(_LAUNCHER, f"it sent what is no order: {error}") from None

    def _ask(self) -> None:
        """Ask for the lease to be renewed, if it is time."""
        if not self._unsent and (question := self._renewals.ask(time.monotonic())):
            self._send(question)

    def _send_parts(self) -> None:
        """Send parts of files, as many as may be on their way."""
        while self._run and not self._unsent and self._renewals.takes_part:
            if self._last_parts is None:
                part = self._run.next_part(time.monotonic())
            else:
                part = next(self._last_parts, None)
                if part is None and not self._has_ended:
                    self._end()
            if part is None:
                return
            self._send(*part)
            self._renewals.part_sent()
            self._flush()

    def _watch(self) -> None:
        for each in (self._line, *self._requests.descriptors):
            self._selector.register(each, selectors.EVENT_READ)

    # -- orders --------------------------------------------------------------------------

    def _obey(self, order: HostOrder, data: bytes) -> None:
        match order:
            case Renewed():
                self._renewals.answered(order, time.monotonic())
                if self._run:
                    self._run.renew_lease(self._renewals.ends_s)
            case BeginRun():
                now_s = time.monotonic()
                self._run = HostRun(order, self._send)
                self._renewals.begin(order.lease_s, now_s)
                self._send(self._renewals.ask_now(now_s))
            case ProbeBytes():
                self._pass_to_probe(data)
            case EndRun():
                self._begin_end()
            case Die():
                if self._run:
                    self._run.kill()
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                self._obey_in_run(order, data)

    def _obey_in_run(self, order: HostOrder, data: bytes) -> None:
        match order:
            case MakeNetwork():
                self._the_run.make_network(order, self._keep_alive)
            case FileForHost():
                self._the_run.write_file(order, data)
            case Prepare():
                self._the_run.prepare(self._renewals.ends_s, self._keep_alive, self._selector)
                self._preparing = True
            case RoutersKnown(endpoints):
                self._the_run.know_routers(endpoints)
            case DumpSockets():
                self._the_run.dump_sockets()
            case SetLinks():
                self._send(self._network.set_links(order))
            case CountLink():
                self._send(self._network.count(order))
            case MakeKeys(peers, sign):
                self._processes.make_keys(peers, sign)
            case StartProcess():
                self._processes.start(order, self._selector)
            case LineBytes(number):
                self._processes.write(number, data)
            case LineClosed(number):
                self._processes.close_line(number, self._selector)
            case SignalProcess():
                self._processes.signal(order)
            case ActOn():
                self._processes.act(order)

    @property
    def _the_run(self) -> HostRun:
        if self._run is None:
            raise LaunchError(_LAUNCHER, "it sent an order of a run before BeginRun")
        return self._run

    @property
    def _network(self) -> HostNetwork:
        if self._the_run.network is None:
            raise LaunchError(_LAUNCHER, "it sent an order about links before MakeNetwork")
        return self._the_run.network

    @property
    def _processes(self) -> HostProcesses:
        if self._the_run.processes is None:
            raise LaunchError(_LAUNCHER, "it sent an order to a process before Prepare")
        return self._the_run.processes

    def _tell_prepared(self) -> None:
        """Answer `Prepare` once the zygote is ready and, after that, the clock is known."""
        run = self._run
        if not (run and self._preparing and run.is_ready):
            return
        if not self._looks_at_clock:
            self._looks_at_clock = True
            self._renewals.ask_quickly()
        elif self._renewals.knows_clock:
            self._preparing = False
            now_s = time.monotonic()
            run.begin_clock(self._renewals.offset(now_s).offset_s)
            self._send(self._renewals.ask_now(now_s))  # it tells this offset
            self._send(run.prepared())

    def _begin_end(self) -> None:
        """End the processes; their files are then sent to their ends."""
        if self._run is None:
            self._end()
            return
        self._run.end()
        self._selector.close()
        self._selector = selectors.DefaultSelector()
        self._watch()
        self._last_parts = self._run.last_parts()

    def _end(self) -> None:
        self._has_ended = True
        self._send(AgentEnded())
        self._renewals.part_sent()
        self._send(self._renewals.ask_now(time.monotonic()))

    # -- the process that examines the host ----------------------------------------------

    def _pass_to_probe(self, data: bytes) -> None:
        if self._probe is None:
            self._probe = ProbeChild()
            self._selector.register(self._probe, selectors.EVENT_READ)
        self._probe.send(data)

    def _hear_probe(self) -> None:
        assert self._probe
        data = self._probe.receive()
        self._send(ProbeBytes(), data)
        if not data:
            self._selector.unregister(self._probe)
            self._probe.close()
            self._probe = None

    # -- the end -------------------------------------------------------------------------

    def _tell_why(self, error: Exception) -> None:
        """Give the launcher a moment to hear why this process ends, if it is there."""
        if self._line.ended or self._renewals.is_over(time.monotonic()):
            return
        if self._run:
            self._run.kill()
        self._send(_refusal(error))
        self._renewals.part_sent()
        self._send(self._renewals.ask_now(time.monotonic()))
        deadline_s = time.monotonic() + _LAST_WORDS_S
        with suppress(Exception):  # the first error is the one to tell
            while not self._renewals.all_arrived and time.monotonic() < deadline_s:
                self._keep_alive()
                self._line.wait(_TURN_OF_ACTS_S)

    def _close(self) -> None:
        if self._run:
            self._run.kill()
            self._run.end()
            self._run.close()
        if self._probe:
            self._probe.close()
        self._line.close()


def _refusal(error: Exception) -> Refused:
    if known := refusal_of(error):
        return Refused(known.what, known.reason, known.to_do)
    if isinstance(error, LaunchError):
        return Refused(error.child, error.reason, "see what it printed")
    return Refused("the agent", f"{type(error).__name__}: {error}", "see what it printed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Be an agent; return the exit code."""
    given = _parsed(arguments)
    requests, line = EndRequests(), LineClient()
    print(json.dumps({"host": given.host, "public_key": line.public_key}), flush=True)
    allow_many_files()
    address, _, port = given.launcher.rpartition(":")
    launcher = (address.strip("[]"), int(port))
    line.connect(address, launcher[1], given.launcher_key)
    up = agent_up(given.host, launcher, gpus_of(os.environ))
    try:
        requests.check()  # a standard input that cannot be watched, such as a file, is at its end
        Agent(up, line, requests).run()
    except AskedToEnd:
        return 0
    except PrisamError as error:
        print(f"prisam agent of {given.host}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m prisam_p2p.hosts.agent",
        description="Start peers on this host for a launcher elsewhere. An engine of hosts runs "
        "this (prisam launch --on); it ends with its standard input.",
    )
    parser.add_argument("--host", required=True, help="name of this host in the run, such as h2")
    parser.add_argument(
        "--launcher", required=True, metavar="ADDRESS:PORT", help="where the launcher listens"
    )
    parser.add_argument(_KEY, required=True, metavar="KEY", help="the launcher's public key, Z85")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if _KEY in given[:-1]:  # a key may begin with a dash, as an option does
        at = given.index(_KEY)
        given[at : at + 2] = [f"{_KEY}={given[at + 1]}"]
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
