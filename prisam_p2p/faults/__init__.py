"""Faults: what is to be disturbed when, drawn and written down before a run starts.

scenario (a file for people) -> compile -> fault plan (a file for the launcher). What is here so far
is pure: no clocks, sockets or processes; randomness comes from seeds alone.
"""
