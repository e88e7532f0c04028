"""Gives a run to trackers of experiments: `prisam export`, and `--log-to` as a process of its own.

It reads run folders and nothing else: no peer and no launcher waits for a tracker.
"""
