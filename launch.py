"""Start a network of peers, as `prisam launch` does: `python launch.py --help`."""

from prisam_p2p.system.stop_requests import end_when_asked

if __name__ == "__main__":
    end_when_asked()  # the imports of the command take long
    from prisam_p2p.cli import launch

    launch(prog_name="launch.py")
