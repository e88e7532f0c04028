"""Starts the processes of a run, watches them, ends them, and resumes what was interrupted."""
