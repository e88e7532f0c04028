"""`python -m prisam_p2p` is the same as `prisam`."""

from prisam_p2p.cli import main

if __name__ == "__main__":
    main(prog_name="prisam")
