"""What a process is limited to before it computes."""

import pytest
import torch

from prisam_p2p.learn.warm_up import take_share_of_gpu
from prisam_p2p.settings import Device


@pytest.mark.parametrize(
    ("device", "gpu", "bound"),
    [
        (Device.CUDA, 0.25, [0.25]),
        (Device.CUDA, 1.0, []),
        (Device.CUDA, 2.0, []),
        (Device.CUDA, None, []),
        (Device.CPU, 0.25, []),  # CUDA is not even initialized
    ],
)
def test_only_who_shares_a_gpu_is_bound(monkeypatch, device, gpu, bound):
    """torch's own function would need a GPU."""
    asked = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    take_share_of_gpu(device, gpu)
    assert asked == bound
