"""Experiments: a grid of runs, described by one file, and tables and figures of their results."""
