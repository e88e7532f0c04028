"""What peers on a host inherit of the agent's environment."""

from __future__ import annotations

from prisam_p2p.hosts.host_zygote import environment_of_peers


def test_peers_do_not_take_themselves_for_tasks_of_the_agents_job() -> None:
    given = {"SLURM_NTASKS": "1", "SLURMD_NODENAME": "n1", "PMI_RANK": "0", "PMIX_RANK": "0"}
    kept = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0,1"}
    found = environment_of_peers(given | kept)
    assert kept.items() < found.items()
    assert not found.keys() & given.keys()


def test_peers_are_forked_from_a_process_of_one_thread() -> None:
    found = environment_of_peers({"OMP_NUM_THREADS": "8"})
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "1"
