"""Run folders of many peers and rounds, generated: plausible journals without a run.

All figures follow from a seed. Both ends of every connection count the same, so the closure holds;
the kernel gave no figures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROUND_S = 1.2
BEGAN_S = 8.0
N_BYTES = 245_640
MASK_BITS = 2752
CLASSES = 10
STEPS = (
    ("waiting for its turn", 0.10),
    ("training", 0.42),
    ("pruning", 0.01),
    ("announcing", 0.02),
    ("waiting for its turn", 0.03),
    ("evaluating", 0.05),
    ("waiting for masks", 0.2),
    ("clustering", 0.02),
    ("pulling", 0.12),
    ("averaging", 0.02),
    ("recalibrating", 0.05),
    ("evaluating", 0.05),
    ("writing state", 0.02),
)
"""What a peer does in a round, and for how many seconds."""
_PROFILES = ("laptop", "raspberry-pi-5", "phone-midrange", "raspberry-pi-4")
_LAYERS = [["conv1", 64], ["conv2", 128], ["conv3", 512], ["conv4", 2048]]


@dataclass(frozen=True)
class BigRun:
    """What is generated.

    Attributes:
        degree: neighbors of each peer, on a ring with chords; None: all others.
        recorded: rounds that the journals hold, all by default; then the launcher was killed.
        groups: data groups; peer i is of group i % groups, and finds it.
        extras: spans, arrivals, servings and the other records that older releases lack.
    """

    peers: int = 200
    rounds: int = 100
    degree: int | None = 8
    recorded: int | None = None
    groups: int = 4
    extras: bool = True
    seed: int = 0

    @property
    def ids(self) -> list[str]:
        """The peers, ascending."""
        return [f"p{i:03d}" for i in range(self.peers)]

    def neighbors(self, i: int) -> list[int]:
        """Return the neighbors of a peer, ascending: half of them of its own group if it can."""
        if self.degree is None:
            return [j for j in range(self.peers) if j != i]
        near = [g * self.groups for g in range(1, self.degree // 4 + 1)]
        far = [n for n in range(1, self.peers) if n % self.groups][: self.degree // 2 - len(near)]
        steps = [*near, *far]
        return sorted({(i + s) % self.peers for n in steps for s in (n, -n)} - {i})


def write_big_run(folder: Path, big: BigRun) -> Path:
    """Write a run folder of `big` without summary and ledger; return it."""
    (folder / "journal").mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(_plan(big)))
    for i, peer in enumerate(big.ids):
        lines = _journal(big, i)
        (folder / "journal" / f"{peer}.jsonl").write_text("\n".join(lines) + "\n")
    launcher = "".join(json.dumps(line) + "\n" for line in _launcher(big))
    (folder / "journal" / "launcher.jsonl").write_text(launcher)
    watch = {"t_s": 1.0, "record": "watch", "available": False, "reason": "generated"}
    kernel = json.dumps({**watch, "overruns": 0, "cpu_s": 0.0, "mtu": 1500}) + "\n"
    (folder / "journal" / "kernel.jsonl").write_text(kernel)
    return folder


def _plan(big: BigRun) -> dict:
    ids = big.ids
    none = dict.fromkeys(("memory_mib", "storage_mib", "storage_share", "macs", "macs_share"))
    images = [[20 if c % big.groups == g else 2 for c in range(CLASSES)] for g in range(big.groups)]
    return {
        "schema_version": 1,
        "topology": f"generated-{big.peers}",
        "settings": {
            "algorithm": "prisam",
            "seed": big.seed,
            "rounds": big.rounds,
            "dataset": "digits",
            "model": "vgg-s",
            "chunk_kib": 1024,
            "norm_limit": 3.0,
        },
        "model": {
            "n_classes": CLASSES,
            "parameters": 61050,
            "n_bytes": N_BYTES,
            "macs": 194_176,
            "mask_bits": MASK_BITS,
            "mask_layers": _LAYERS,
        },
        "similarity_ratio": 0.5,
        "clusters": big.groups,
        "fan_in": 1,
        "peers": {
            peer: {
                "profile": {"name": _PROFILES[i % 4], "speed": 0.8, "up_mbit_s": 600.0}
                | {"down_mbit_s": 600.0, **none},
                "neighbors": [ids[j] for j in big.neighbors(i)],
                "prune_ratio": 0.3,
                "least_prune_ratio": 0.0,
                "parameters": 30_842,
                "n_bytes": N_BYTES,
                "macs": 102_591,
                "group": i % big.groups,
                "classes": images[i % big.groups],
            }
            for i, peer in enumerate(ids)
        },
        "links": {},
        "host": {"system": "generated", "cores": 2, "reference_step_ms": 1.6},
        "traits": {"dense": False, "silent": False, "masks": "similarity", "clusters": True}
        | {"knows_groups": False, "entrywise": False},
    }


def _launcher(big: BigRun) -> list[dict]:
    ids = big.ids
    started = {"run_id": "00" * 8, "algorithm": "prisam", "peers": big.peers, "pid": 1}
    lines: list[dict] = [{"t_s": 0.0, "record": "run_started", **started, "launches": 0}]
    for i, peer in enumerate(ids):
        lines.append({"t_s": 0.1, "record": "peer_started", "peer": peer, "pid": i + 2})
        lines[-1]["incarnation"] = 0
    ready = {"wall_s": 7.0, "cpu_s_per_peer": 0.5, "pss_mib_per_peer": 60.0}
    lines.append({"t_s": BEGAN_S, "record": "all_ready", **ready})
    if big.recorded is None:
        over_s = _over_s(big)
        ended = {"exit_code": 0, "record": "peer_ended"}
        lines += [{"t_s": over_s, "peer": p, "pid": i + 2, **ended} for i, p in enumerate(ids)]
        states = dict.fromkeys(ids, "completed")
        end = {"status": "completed", "duration_s": over_s, "states": states}
        lines.append({"t_s": over_s + 0.1, "record": "run_ended", **end})
    return lines


def _over_s(big: BigRun) -> float:
    return BEGAN_S + big.rounds * ROUND_S + 1.0


def _journal(big: BigRun, i: int) -> list[str]:
    """Return the lines of one peer."""
    ids, peer = big.ids, big.ids[i]
    neighbors = big.neighbors(i)
    own_group = [j for j in neighbors if j % big.groups == i % big.groups]
    rng = Random(f"{big.seed} {i}")
    lines = [
        f'{{"t_s":0.3,"record":"started","peer":"{peer}","pid":{i + 2},"incarnation":0,'
        f'"address":"{_address(i)}","port":5555,"prune_ratio":0.3}}'
    ]
    lines += _connections(big, i, neighbors, own_group)
    names = [ids[j] for j in neighbors]
    listed = json.dumps(names)
    heard = sorted([peer, *names])
    labels = json.dumps({p: int(p[1:]) % big.groups for p in heard})
    members = sorted([peer, *(ids[j] for j in own_group)])
    base = Random(i % big.groups).getrandbits(MASK_BITS)
    rounds = big.rounds if big.recorded is None else big.recorded
    for t in range(rounds):
        lines += _round(big, i, t, rng, names, listed, labels, members, base)
    if big.recorded is None:
        over_s = _over_s(big)
        lines.append(
            f'{{"t_s":{over_s - 0.6:.6f},"record":"deployed","moment":"after_aggregation",'
            f'"validation":0.95,"test":{0.9 + rng.random() / 12:.6f},"prune_ratio":0.3,'
            f'"parameters":30842,"macs":102591,"n_bytes":{N_BYTES},"digest":"{i:032x}"}}'
        )
        lines.append(_traffic(big, i, rounds - 1, over_s - 0.2, True))
        lines.append(
            f'{{"t_s":{over_s - 0.1:.6f},"record":"finished","state":"completed",'
            f'"rounds":{rounds},"reason":"","cpu_s":60.0,"peak_mib":33.5,"up_mbit_s":12.5,'
            '"down_mbit_s":13.0}'
        )
    return lines


def _address(i: int) -> str:
    return f"127.65.{i // 250}.{i % 250 + 1}"


def _connections(big: BigRun, i: int, neighbors: list[int], own_group: list[int]) -> list[str]:
    """Return the records of a peer's connections: two with each neighbor, two more in its group.

    Number 2k is the one to its k-th neighbor, 2k + 1 the one from it; those for weights follow.
    """
    found, ids = [], big.ids
    for channel, others in (("control", neighbors), ("bulk", own_group)):
        for j in others:
            for side in ("client", "server"):
                a, b = (i, j) if side == "client" else (j, i)
                port = 20_000 + 2 * b + (channel == "bulk")
                found.append(
                    f'{{"t_s":1.0,"record":"connection","connection":{len(found)},'
                    f'"side":"{side}","client":"{_address(a)}:{port}",'
                    f'"server":"{_address(b)}:5555","neighbor":"{ids[j]}",'
                    f'"channel":"{channel}","heartbeat_ms":0,"security":"plain"}}'
                )
    return found


def _round(
    big: BigRun,
    i: int,
    t: int,
    rng: Random,
    names: list[str],
    listed: str,
    labels: str,
    members: list[str],
    base: int,
) -> list[str]:
    """Return the lines of one round of a peer."""
    at, spans, ends = BEGAN_S + t * ROUND_S, [], {}
    for phase, seconds in STEPS:
        end = at + seconds * (0.9 + 0.2 * rng.random())
        spans.append(f'["{phase}",{at:.4f},{end:.4f}]')
        ends[phase], at = end, end
    own = names and members
    mask = _mask(base, rng)
    test = 0.95 - 0.5 / (t + 2) + rng.random() / 50
    donors = [member for member in members if member != f"p{i:03d}"]
    began_s, pulled_s = ends["clustering"], ends["pulling"]
    lines = [
        f'{{"t_s":{ends["training"]:.6f},"record":"trained","round":{t},"epochs":2,"steps":6,'
        f'"images":80,"loss":{1 / (t + 1):.6f},"learning_rate":0.05,"parameters":30842,'
        f'"cpu_s":0.336,"wall_s":0.42,"speed_asked":0.8,"speed_achieved":0.8}}',
        f'{{"t_s":{ends["pruning"]:.6f},"record":"masked","round":{t},"prune_ratio":0.3,'
        f'"structure":"{mask}","similarity":"{mask}"}}',
        f'{{"t_s":{ends["announcing"]:.6f},"record":"offered","round":{t},"n_bytes":{N_BYTES},'
        f'"digest":"{i:016x}{t:016x}"}}',
        f'{{"t_s":{ends["announcing"]:.6f},"record":"announced","round":{t},'
        f'"n_bytes":{N_BYTES},"reached":{listed},"unreachable":[]}}',
        _evaluated(big, t, ends["announcing"] + 0.05, "after_training", test - 0.03, rng),
        f'{{"t_s":{ends["waiting for masks"]:.6f},"record":"heard","round":{t},'
        f'"peers":{listed},"missing":{{}},"waited_s":0.2,"deadline_s":120.0}}',
        f'{{"t_s":{ends["clustering"]:.6f},"record":"grouped","round":{t},"labels":{labels},'
        f'"group":{json.dumps(own)}}}',
    ]
    if big.extras:
        ms = [rng.randrange(200) for _ in names]
        lines.append(
            f'{{"t_s":{ends["waiting for masks"]:.6f},"record":"arrivals","round":{t},'
            f'"t0_s":{ends["waiting for masks"] - 0.2:.4f},"ms":{ms}}}'
        )
    for n, donor in enumerate(donors):
        end = began_s + (pulled_s - began_s) * (n + 1) / len(donors)
        more = f',"began_s":{began_s:.4f}' if big.extras else ""
        lines.append(
            f'{{"t_s":{end:.6f},"record":"pulled","round":{t},"donor":"{donor}",'
            f'"n_bytes":{N_BYTES},"fetched_bytes":{N_BYTES},'
            f'"digest":"{int(donor[1:]):016x}{t:016x}","wall_s":{end - began_s:.6f},'
            f'"mbit_s":50.0{more}}}'
        )
        if big.extras:
            lines.append(
                f'{{"t_s":{end:.6f},"record":"served","round":{t},"to":"{donor}",'
                f'"offered_round":{t},"n_bytes":{N_BYTES},"began_s":{began_s:.4f},'
                f'"queued_s":0.001,"wall_s":{end - began_s:.6f},"state":"whole"}}'
            )
    norms = json.dumps(dict.fromkeys(donors[:4], 1.01))
    lines += [
        f'{{"t_s":{ends["averaging"]:.6f},"record":"aggregated","round":{t},'
        f'"members":{json.dumps(members)},"union_channels":2000,"kept_channels":1900,'
        f'"regrowth":false,"norms":{norms}}}',
        _evaluated(big, t, ends["evaluating"], "after_aggregation", test, rng),
        _traffic(big, i, t, ends["writing state"], False),
    ]
    if big.extras:
        lines += [
            f'{{"t_s":{at:.6f},"record":"spans","round":{t},"spans":[{",".join(spans)}]}}',
            f'{{"t_s":{at:.6f},"record":"resources","round":{t},"cpu_s":{0.6 * t:.3f},'
            f'"memory_mib":{20 + rng.random():.2f},"sent_bytes":{N_BYTES * t},'
            f'"received_bytes":{N_BYTES * t}}}',
        ]
    return lines


def _evaluated(big: BigRun, t: int, at_s: float, moment: str, test: float, rng: Random) -> str:
    """Return an evaluation: 15 test images of each class."""
    more = ""
    if big.extras:
        right = [min(15, max(0, round(15 * test + rng.randrange(-2, 3)))) for _ in range(CLASSES)]
        test = sum(right) / (15 * CLASSES)
        more = f',"right":{right},"of":{[15] * CLASSES}'
    return (
        f'{{"t_s":{at_s:.6f},"record":"evaluated","round":{t},"moment":"{moment}",'
        f'"validation":{test:.6f},"test":{test:.6f}{more}}}'
    )


def _mask(base: int, rng: Random) -> str:
    """Return a mask: the group's, with an eighth of its bits turned."""
    turned = rng.getrandbits(MASK_BITS) & rng.getrandbits(MASK_BITS) & rng.getrandbits(MASK_BITS)
    return f"{base ^ turned:0{MASK_BITS // 4}x}"


def _traffic(big: BigRun, i: int, t: int, at_s: float, final: bool) -> str:
    """Return the counts of a round: a mask over each connection, weights over those for them."""
    if final:
        return f'{{"t_s":{at_s:.6f},"record":"traffic","round":{t},"final":true,"rows":[]}}'
    neighbors = big.neighbors(i)
    n_control = 2 * len(neighbors)
    n_own = sum(j % big.groups == i % big.groups for j in neighbors)
    rows = []
    for number in range(n_control):  # masks go from the server to the client
        way = "out" if number % 2 else "in"
        rows.append(f'[{number},"{way}","mask",{t},1,{MASK_BITS // 8},7,4,1]')
    for number in range(n_control, n_control + 2 * n_own):
        asks, gives = ("in", "out") if number % 2 else ("out", "in")
        rows.append(f'[{number},"{asks}","request",{t},2,0,66,6,2]')
        rows.append(f'[{number},"{gives}","weights",{t},2,{N_BYTES},52,22,170]')
    return (
        f'{{"t_s":{at_s:.6f},"record":"traffic","round":{t},"final":false,'
        f'"rows":[{",".join(rows)}]}}'
    )
