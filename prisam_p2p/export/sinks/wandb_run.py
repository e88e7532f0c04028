"""Weights & Biases, offline: a folder that `wandb sync` sends when the user wants that."""

from __future__ import annotations

import os
import shlex
from dataclasses import astuple
from hashlib import blake2b

from prisam_p2p.export.points import ExportedRun
from prisam_p2p.export.sinks.rounds import by_round

PROJECT = "prisam"
_QUIET = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}


def write(run: ExportedRun, out: str) -> bool:
    """Write an offline run into the folder `out`."""
    os.environ.update(_QUIET)  # of its own process, which otherwise asks a name server
    import wandb

    quiet = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
    )
    started = wandb.init(
        mode="offline",
        project=PROJECT,
        name=run.name,
        id=blake2b(run.run_id.encode(), digest_size=8).hexdigest(),
        notes=run.headline or None,
        config=dict(run.settings),
        dir=out,
        settings=quiet,
    )
    try:
        started.define_metric("round")
        started.define_metric("*", step_metric="round")
        for at, t_s, values in by_round(run.points):
            started.log({"round": at, "t_s": t_s, **values})
        if run.markers:
            rows = [list(astuple(each)) for each in run.markers]
            started.log({"markers": wandb.Table(["t_s", "round", "tag", "text"], rows)})
        started.summary["status"] = run.status
    finally:
        started.finish()
        wandb.teardown()
    return False


def look(out: str) -> str:
    """Return what the user does to see it."""
    folder = shlex.quote(f"{out}/wandb")
    return f"nothing was sent; to send it: wandb sync {folder}/offline-run-*"
