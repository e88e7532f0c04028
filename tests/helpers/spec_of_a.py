"""What a peer's process is told."""

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.control.spec import DataRows, DeviceSpec, PeerSpec
from prisam_p2p.settings import RunSettings


def spec_of_a(folder, train=(), **more):
    """Return the spec of a peer that cannot run: its images are nowhere."""
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "journal").mkdir(exist_ok=True)
    return PeerSpec(
        index=0,
        run_id="00" * 8,
        run_dir=folder,
        epoch_s=0.0,
        settings=RunSettings(),
        traits=Algorithm.PRISAM.traits,
        n_classes=10,
        image_shape=(1, 8, 8),
        mean=(0.0,),
        std=(1.0,),
        similarity_ratio=0.5,
        clusters=1,
        device=DeviceSpec(
            profile="fast",
            speed=1.0,
            threads=1,
            memory_mib=None,
            up_mbit_s=None,
            down_mbit_s=None,
            prune_ratio=0.5,
            least_prune_ratio=0.5,
        ),
        data=DataRows(fd=0, n_images=1, train=list(train), validation=[], test=[]),
        turns_fd=None,
        cores=1,
        **{"peer_id": "a", "address": "127.0.0.1", "neighbors": ["b"], **more},
    )
