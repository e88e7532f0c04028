"""`prisam view`: parse, listen, serve."""

from __future__ import annotations

from pathlib import Path

import click

from prisam_p2p.arguments import RUN
from prisam_p2p.errors import ConfigError
from prisam_p2p.options import option_in
from prisam_p2p.report.run_choice import choose_run


@click.argument("run", type=RUN, required=False, metavar="[RUN|FOLDER]")
@option_in(
    "Server",
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen at; 0 = any that is free. [0]",
)
@option_in(
    "Server",
    "--host",
    default="127.0.0.1",
    help="Only this machine's own address is taken: elsewhere, forward the port with ssh -L "
    "(docs/page.md). [127.0.0.1]",
)
def view(run: str | None, port: int, host: str) -> None:
    """Show a run in a browser while it runs, or a list of runs. Prints the address, opens nothing.

    RUN is a run folder, or the beginning of the name of one in ./runs. [the newest there] FOLDER
    holds runs, or experiments, or is an experiment: its page lists them. The address has a key in
    it and works on this machine only. From another one: ssh -L 8000:127.0.0.1:PORT THIS_MACHINE.
    Ctrl-C ends it; the run is not disturbed.

    Example: prisam view runs/demo --port 8000
    """
    from prisam_p2p.page_server.app import PageServer
    from prisam_p2p.page_server.server import listening, serve

    folder = _shown(run)
    is_run = (folder / "plan.json").is_file()
    listener = listening(host, port)
    what = "run" if is_run else "folder"
    click.echo(f"{what}: {folder}", err=True)
    serve(PageServer(folder.resolve(), is_run, note=True), listener, _announce)


def _announce(address: str) -> None:
    click.echo(f"view: {address}  (Ctrl-C ends this)")


def _shown(given: str | None) -> Path:
    """Return the folder that RUN|FOLDER means.

    Raises:
        ConfigError: it is no run, and holds none.
    """
    if given is None or not Path(given).is_dir() or (Path(given) / "plan.json").is_file():
        return choose_run(given, "RUN|FOLDER")
    folder = Path(given)
    from prisam_p2p.page_server.shelf import holds_any

    if not holds_any(folder):
        right = "a run folder, an experiment's folder, or a folder that holds some of these"
        raise ConfigError("RUN|FOLDER", "", given, right)
    return folder
