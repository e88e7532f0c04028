import os

# As the commands do, before anything imports NumPy or torch: tests fork, and a process that ran a
# thread pool cannot be forked soundly.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from hypothesis import settings  # noqa: E402

settings.register_profile("shared cores", deadline=None)  # a busy machine is no failure
settings.load_profile("shared cores")

os.environ.pop("COLUMNS", None)  # what commands print is looked at as a pipe gets it
