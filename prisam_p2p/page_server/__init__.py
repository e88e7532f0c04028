"""Shows runs in a browser while they run: `prisam view`, and `prisam launch --ui` as a process.

It reads journals as they grow and writes to no run that it shows, but for a note beside the
journals that it was watched.
"""
