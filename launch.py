"""Start a network of peers, as `prisam launch` does: `python launch.py --help`."""

from prisam_p2p.cli import launch

if __name__ == "__main__":
    launch(prog_name="launch.py")
