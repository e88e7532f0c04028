"""Scenarios, the files that people write: their tables, with one model for each kind's. Pure."""
