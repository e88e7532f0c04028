"""The program `prisam`; `python -m prisam_p2p` is the same."""

from __future__ import annotations

from prisam_p2p.system.stop_requests import end_when_asked


def main() -> None:
    """Run a command. From here on, Ctrl-C and SIGTERM end the program in order."""
    end_when_asked()  # the imports of the commands take long
    from prisam_p2p.cli import main as prisam

    prisam(prog_name="prisam")


if __name__ == "__main__":
    main()
