"""Start a network of peers: `python launch.py --help` (the same as `prisam launch`)."""

from prisam_p2p.cli import launch

if __name__ == "__main__":
    launch(prog_name="launch.py")
