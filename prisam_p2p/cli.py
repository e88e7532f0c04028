"""`prisam` and its commands. What each does stands in commands/, or in a room of its own."""

from __future__ import annotations

import os

# Set before NumPy and torch are imported. One thread per process, because peers share the cores and
# a process with a thread pool could not be forked.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import click  # noqa: E402

from prisam_p2p import __version__  # noqa: E402
from prisam_p2p.bench.commands import bench  # noqa: E402
from prisam_p2p.command_group import Commands  # noqa: E402
from prisam_p2p.commands import preparing, reports, results, runs  # noqa: E402
from prisam_p2p.conformance.command import check  # noqa: E402
from prisam_p2p.experiment.command import experiment  # noqa: E402
from prisam_p2p.export.command import export  # noqa: E402
from prisam_p2p.page_server.command import view  # noqa: E402
from prisam_p2p.privacy.command import privacy  # noqa: E402
from prisam_p2p.soak.command import soak  # noqa: E402
from prisam_p2p.trace.command import trace  # noqa: E402

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(cls=Commands, context_settings=_HELP)
@click.version_option(__version__)
def main() -> None:
    """PRISAM on real processes: personalized decentralized federated learning, emulated.

    \b
    Start here:
      prisam launch                                  12 peers on this machine, under a minute
      prisam launch ring-8 --rounds 3                another network: prisam list topologies
      prisam launch --help                           a command's options, with an example

    Exit codes: 0 done, 1 another error, 2 wrong input, or a run that does not fit on this machine
    (nothing was started), 3 a process did not start, or one that all peers depend on failed, 4 a
    finished run broke a rule, 5 a rule could not be checked, 6 the machine ran out of disk, memory,
    descriptors or processes, 130 interrupted.
    """


launch = main.command(context_settings=_HELP)(runs.launch)  # launch.py runs it without the group
main.command()(runs.resume)
main.command()(experiment)
main.command()(soak)
main.command()(privacy)

main.command()(view)
main.command()(reports.report)
main.command()(trace)
main.command()(export)
main.command()(results.summary)
main.command("bytes")(results.bytes_)
main.command()(results.sql)
main.command()(results.verify)

main.command()(preparing.init)
main.command("list")(preparing.list_)
main.command()(preparing.plan)
main.command()(check)
main.command()(preparing.doctor)
main.add_command(bench)
