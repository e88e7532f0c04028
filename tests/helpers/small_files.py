"""A disk that takes no more, for one process and without root."""

import contextlib
import resource


@contextlib.contextmanager
def files_of_at_most(n_bytes):
    """Let this process write no file beyond `n_bytes`: the kernel takes what fits of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
