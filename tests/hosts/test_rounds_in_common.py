"""States on their way from peers to a launcher: all peers have a round in common at any moment."""

import tempfile
from itertools import islice
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights

from prisam_p2p.hosts.collection import CollectedFiles
from prisam_p2p.hosts.local_folder import FOLDERS
from prisam_p2p.hosts.tail import FileTail
from prisam_p2p.launch.past import first_rounds, out_of_step
from prisam_p2p.measure.state import (
    MOST_EARLIER,
    MOST_SPARSE,
    Progress,
    kept_states,
    save_state,
)

LAYOUT = one_layer()
WEIGHTS = random_weights(LAYOUT)
HOSTS = {"h1": ["a", "b"], "h2": ["c"]}
PEERS = ["a", "b", "c"]


class Run:
    """Peers on two hosts that write states, and a launcher that is sent them part by part."""

    def __init__(self, folder: Path) -> None:
        for name in ("launcher", *HOSTS):
            for each in FOLDERS:
                (folder / name / each).mkdir(parents=True)
        self.folder, self.done = folder, dict.fromkeys(PEERS, 0)
        self.tails = {host: FileTail(folder / host) for host in HOSTS}
        self.parts = {host: self.tails[host].parts() for host in HOSTS}
        self.files = CollectedFiles(folder / "launcher", lambda error: None)
        for host, peers in HOSTS.items():
            self.files.expect(host, peers)

    def train(self, peer: str) -> None:
        """Do a round."""
        self.done[peer] += 1
        progress = Progress(
            rounds_done=self.done[peer],
            incarnation=0,
            prune_ratio=0.5,
            affinity={},
            validations=[],
            layout=LAYOUT.digest.hex(),
        )
        host = next(host for host, peers in HOSTS.items() if peer in peers)
        path = self.folder / host / "state" / f"{peer}.safetensors"
        save_state(path, WEIGHTS, progress, None, MOST_EARLIER, MOST_SPARSE)

    def send(self, host: str, n: int) -> None:
        """Send some parts; where the last look has no more, those of another one."""
        for part, data in islice(self.parts[host], n):
            self.files.take_in(host, part, data)
            n -= 1
        if n:
            self.parts[host] = self.tails[host].parts()

    def kept(self, peers: list[str]) -> dict[str, set[int]]:
        folder = self.folder / "launcher" / "state"
        return {peer: {*kept_states(folder / f"{peer}.safetensors")} for peer in peers}


TRAINS = st.tuples(st.sampled_from(PEERS), st.integers(1, 30))
SENDS = st.tuples(st.sampled_from([*HOSTS]), st.integers(1, 8))


@settings(max_examples=40, deadline=None)
@given(st.lists(TRAINS | SENDS, max_size=20), st.integers(0, 20))
def test_whenever_the_launcher_is_killed_its_peers_have_a_round_in_common(steps, when_b_is_lost):
    """Those that are left have, once one is lost for good; it was on the host of another one."""
    with tempfile.TemporaryDirectory() as folder:
        run, left = Run(Path(folder)), PEERS
        for at, (who, n) in enumerate(steps):
            if at == when_b_is_lost:
                left = ["a", "c"]
                run.files.go_on_without(["b"])
            if who in HOSTS:
                run.send(who, n)
            elif who in left:
                for _ in range(n):
                    run.train(who)
            kept = run.kept(left)
            begins = first_rounds(kept, 2000)
            assert len({*begins.values()}) == 1
            assert out_of_step(kept, begins) == []
            assert max(map(len, run.kept(PEERS).values())) <= MOST_EARLIER + MOST_SPARSE + 2
        for host in [*HOSTS] * 2:
            run.send(host, 1000)
            run.send(host, 1000)
        ends = run.kept(PEERS)
        assert all(max(ends[peer], default=0) == run.done[peer] for peer in PEERS)
