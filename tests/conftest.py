import os
import signal

# As the commands do, before anything imports NumPy or torch: tests fork, and a process that ran a
# thread pool cannot be forked soundly.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from hypothesis import settings  # noqa: E402

settings.register_profile("shared cores", deadline=None)  # a busy machine is no failure
settings.load_profile("shared cores")

# A shell starts its background jobs with Ctrl-C ignored, and their children inherit it: a script
# that a test interrupts would go on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.pop("COLUMNS", None)  # what commands print is looked at as a pipe gets it
