"""An engine whose processes are sockets of the test."""

import socket

from prisam_p2p.control.codec import decode_order
from prisam_p2p.processes.engine import HostGone, StartedProcess
from prisam_p2p.processes.process_acts import LocalProcessActs
from prisam_p2p.system.json_lines import LineSocket

DEADLINE_S = 60


class SocketEngine:
    """Starts no process: the peers' ends are sockets, by peer."""

    def __init__(self):
        self.acts = LocalProcessActs(lambda number: None, lambda number, signum: None)
        self.ends, self.incarnations, self.n_started = {}, [], 0
        self.exited = []

    def start(self, spec, incarnation):
        ours, theirs = socket.socketpair()
        theirs.settimeout(DEADLINE_S)
        self.ends[spec.peer_id] = theirs
        self.incarnations.append(incarnation)
        self.n_started += 1
        return StartedProcess(self.n_started, 1, LineSocket(ours), self.host_of(spec.peer_id))

    def host_of(self, peer):
        return ""

    def exits(self):
        exited, self.exited = self.exited, []
        return exited

    def watch(self, selector):
        pass

    def close(self):
        for end in self.ends.values():
            end.close()

    def order(self, peer):
        """Return the next order that a peer has got."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.ends[peer].recv(1)
        return decode_order(line)

    def has_order(self, peer):
        """Tell whether an order waits for a peer."""
        self.ends[peer].setblocking(False)
        try:
            return bool(self.ends[peer].recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self.ends[peer].settimeout(DEADLINE_S)


class HostedSockets(SocketEngine):
    """The same on several hosts, which the test loses.

    Args:
        placement: peer -> host.

    Attributes:
        gone: hosts on which nothing can be started any more.
    """

    def __init__(self, placement):
        super().__init__()
        self.placement, self.lost, self.gone, self.moves = dict(placement), [], set(), []
        self.ended_hosts, self.clocks = [], {}

    def host_of(self, peer):
        return self.placement[peer]

    def start(self, spec, incarnation):
        if self.placement[spec.peer_id] in self.gone:
            raise HostGone("host", "it is lost")
        return super().start(spec, incarnation)

    def losses(self):
        lost, self.lost = self.lost, []
        return lost

    def end_host(self, host):
        self.ended_hosts.append(host)

    def move(self, peer, host, gpus):
        if host in self.gone:
            raise HostGone("host", "it is lost")
        self.placement[peer] = host
        self.moves.append((peer, host))
        return f"10.0.0.{host[1:]}", f"key-of-{peer}-on-{host}"
