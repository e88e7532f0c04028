"""PRISAM from Python: what `import prisam_p2p` offers to scripts, notebooks and tests.

A run is a child process (`worker`), so that nothing of the caller is forked and nothing of torch is
imported into it. What the child tells comes as typed data (`messages`, `errors_as_data`).
"""
