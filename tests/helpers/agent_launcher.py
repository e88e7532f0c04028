"""A launcher of one host agent, as small as a test can have it: over the real line."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from contextlib import closing
from pathlib import Path

from prisam_p2p.control.codec import decode_report as decode_peer_report
from prisam_p2p.control.codec import encode as encode_to_peer
from prisam_p2p.control.spec import BoardSpec, Incarnation
from prisam_p2p.hosts import messages
from prisam_p2p.hosts.codec import decode_report, encode
from prisam_p2p.hosts.engines.agent_processes import AgentProcesses
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.specs import LaunchFacts, build_specs
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.transport.curve_line import LineServer

DEADLINE_S = 120.0
HOST, ADDRESS = "h1", "127.0.0.1"


class AgentLauncher:
    """Starts an agent, answers its questions, and keeps what it reports.

    Args:
        temporary: folder of the agent's temporary files.
        gpus: what the engine has allotted: the agent's CUDA_VISIBLE_DEVICES.

    Attributes:
        answers: whether it answers `Renew`.
        files: path -> bytes that have come.
    """

    def __init__(self, temporary, gpus):
        self.server = LineServer(ADDRESS, [HOST])
        self.agents = AgentProcesses()
        arguments = ["--launcher", f"{ADDRESS}:{self.server.port}"]
        arguments += ["--launcher-key", self.server.public_key]
        command = [*CHILD_PYTHON, "-m", "prisam_p2p.hosts.agent", "--host", HOST, *arguments]
        environment = {"TMPDIR": str(temporary), "CUDA_VISIBLE_DEVICES": gpus}
        self.agents.start(HOST, command, {**child_environment(), **environment})
        self.answers, self.reports, self.files = True, deque(), {}
        self.renewals, self.hello_key, self.refusal = [], "", None

    def close(self):
        self.agents.end(30.0)
        self.close_line()

    def close_line(self):
        if self.server:
            self.server.close()
            self.server = None

    def send(self, order, data=b""):
        deadline = time.monotonic() + DEADLINE_S
        while not self.server.send(HOST, encode(order, data)):
            assert time.monotonic() < deadline, "the line takes no more"
            self.look(0.01)

    def look(self, timeout_s=0.05):
        """Take in what has come."""
        for hello in self.agents.hellos():
            self.hello_key = hello.public_key
            self.server.admit(hello.host, hello.public_key)
        self.server.wait(timeout_s)
        while received := self.server.receive():
            report, data = decode_report(received[1])
            match report:
                case messages.Renew(renewal):
                    self.renewals.append(report)
                    if self.answers:
                        answer = messages.Renewed(renewal, time.monotonic())
                        self.server.send(HOST, encode(answer))
                case messages.FileAppended(path, offset) | messages.FileFromHost(path, offset):
                    whole = isinstance(report, messages.FileFromHost)
                    before = b"" if whole and offset == 0 else self.files.get(path, b"")
                    assert offset == len(before), (path, offset, len(before))
                    self.files[path] = before + data
                case _:
                    self.reports.append((report, data))

    def await_report(self, kind, timeout_s=DEADLINE_S):
        """Return the next report of a kind and what it carries; those before it are dropped."""
        deadline = time.monotonic() + timeout_s
        while True:
            while self.reports:
                report, data = self.reports.popleft()
                if isinstance(report, kind):
                    return report, data
                if isinstance(report, messages.Refused):
                    self.refusal = report
                    raise AssertionError(report)
            assert time.monotonic() < deadline, f"no {kind.__name__} in {timeout_s:g} s"
            assert not (lost := self.agents.lost()), lost
            self.look()

    def await_loss(self, timeout_s=DEADLINE_S):
        """Return why the agent has ended."""
        deadline = time.monotonic() + timeout_s
        while not (lost := self.agents.lost()):
            assert time.monotonic() < deadline, f"the agent lives after {timeout_s:g} s"
            self.look()
        return lost[0][1]

    def records(self, name):
        """Return the records of a journal that has come."""
        return [json.loads(line) for line in self.files[f"journal/{name}.jsonl"].splitlines()]


@contextlib.contextmanager
def specs_of(topology_path, **settings):
    """Yield what was prepared for a topology, and the specs of its peers, with CURVE."""
    topology = load_topology(topology_path)
    prepared = prepare(topology, resolve_settings(topology, {"security": "curve", **settings}))
    with closing(prepared.images):
        plan, run_id = prepared.plan, "00" * 8
        board = BoardSpec(fd=0, n_peers=len(plan.peers))
        facts = LaunchFacts(run_id, Path("nowhere"), time.monotonic(), None, board)
        network = Loopback(list(plan.peers), run_id)
        yield prepared, build_specs(prepared, plan, facts, network, None, Past(run_id))


def begin(launcher, prepared, specs, lease_s=30.0):
    """Begin a run on the host, to the report that processes can be started."""
    plan = prepared.plan
    launcher.send(
        messages.BeginRun(
            run_id=specs[0].run_id,
            host=HOST,
            address=ADDRESS,
            n_peers=len(specs),
            epoch_s=specs[0].epoch_s,
            settings=plan.settings.model_dump(mode="json"),
            clusters=plan.traits.clusters,
            n_classes=plan.model.n_classes,
            image_shape=plan.model.image_shape,
            dtype=plan.model.dtype,
            code={},
            cores=plan.host.cores,
            lease_s=lease_s,
        )
    )
    images = Path(f"/proc/self/fd/{prepared.images.fd}").read_bytes()
    half = len(images) // 2
    for offset, part in ((0, images[:half]), (half, images[half:])):
        launcher.send(messages.FileForHost(messages.DATA, offset, len(images)), part)
    launcher.send(messages.Prepare())
    launcher.await_report(messages.HostPrepared)


def start(launcher, specs, gpus=None):
    """Start a process for each spec; return peer -> (number, pid), and its public key.

    Args:
        gpus: peer -> what CUDA_VISIBLE_DEVICES is to be; the others see none.
    """
    launcher.send(messages.MakeKeys(tuple(spec.peer_id for spec in specs)))
    public = launcher.await_report(messages.KeysMade)[0].public
    started = {}
    for number, spec in enumerate(specs, 101):
        neighbors = {neighbor: public[neighbor] for neighbor in spec.neighbors}
        keys = spec.keys.model_copy(
            update={"public": public[spec.peer_id], "secret": None, "neighbors": neighbors}
        )
        text = spec.model_copy(update={"keys": keys}).model_dump_json()
        gpu = (gpus or {}).get(spec.peer_id)
        launcher.send(messages.StartProcess(number, text, Incarnation().model_dump_json(), gpu))
        report, _ = launcher.await_report(messages.ProcessStarted | messages.StartRefused)
        assert isinstance(report, messages.ProcessStarted), report
        assert report.number == number
        started[spec.peer_id] = (number, report.pid)
    return started, public


def order_peer(launcher, number, order):
    """Send an order to a peer through its host."""
    launcher.send(messages.LineBytes(number), encode_to_peer(order))


def await_peers(launcher, kind, numbers):
    """Wait for a report of a kind from each process; return number -> report."""
    found, rest = {}, {}
    while found.keys() != set(numbers):
        report, data = launcher.await_report(messages.LineBytes)
        *lines, rest[report.number] = (rest.get(report.number, b"") + data).split(b"\n")
        for line in lines:
            said = decode_peer_report(line)
            if isinstance(said, kind):
                found[report.number] = said
    return found
