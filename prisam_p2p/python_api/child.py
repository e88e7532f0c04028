"""A run's child process, from its caller: start it, hear it, end it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import IO

from prisam_p2p.errors import LaunchError
from prisam_p2p.python_api.messages import LaunchAdvanced, LaunchEnded, LaunchFailed, from_line
from prisam_p2p.python_api.request import LaunchOrder
from prisam_p2p.shipped import CHILD_PYTHON, child_environment

_STOPPING_S = 60.0
"""A launcher that is told to stop ends its peers, and writes the summary of what there is."""
_LOOK_EVERY_S = 0.5
_LAST_LINES = 20

_PROGRAM = (
    "import sys; from prisam_p2p.python_api.worker import main; main(sys.argv[1], sys.argv[2])"
)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""As in the commands: peers share the cores, and a process with a thread pool cannot be forked."""


def run_in_child(
    order: LaunchOrder, hear: Callable[[LaunchAdvanced], None], say: Callable[[str], None]
) -> LaunchEnded | LaunchFailed:
    """Run `order` in a child process of its own session; return how it ended.

    An exception in the caller's thread, such as KeyboardInterrupt, stops the run in order first; a
    second one kills it. A note of the exception names the run folder of a run that was stopped.

    Args:
        hear: called with each news of the run.
        say: called with what the child prints for people.
    """
    heard, told = os.pipe()
    with os.fdopen(heard, "rb", buffering=0) as news:
        try:
            process = _start(order, told)
        finally:
            os.close(told)
        last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        with process, _stopped_with_us(process, news):
            end = _hear_all(process, news, hear, say, last_lines)
            code = _exit_code(process)
    if end is None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return LaunchFailed(LaunchError("launcher", f"ended with {how}", [*last_lines]), "")
    return end


def _start(order: LaunchOrder, told: int) -> subprocess.Popen[bytes]:
    arguments = [json.dumps(asdict(order)), str(told)]
    return subprocess.Popen(
        [*CHILD_PYTHON, "-c", _PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**child_environment(), **dict.fromkeys(_ONE_THREAD, "1")},
        pass_fds=(told,),
        start_new_session=True,  # a terminal's Ctrl-C reaches the caller alone, which passes it on
    )


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Return how a process ended that has said its last word; one that does not end is killed."""
    try:
        return process.wait(_STOPPING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def _stopped_with_us(process: subprocess.Popen[bytes], news: IO[bytes]) -> Iterator[None]:
    """End the process if the block raises: in order, and at once if that is interrupted, too."""
    try:
        yield
    except BaseException as error:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOPPING_S)
        finally:
            process.kill()  # of a launcher that is killed, the peers end too
        if run_dir := _folder_told(process, news):
            error.add_note(f"run folder: {run_dir}")
        raise


def _folder_told(process: subprocess.Popen[bytes], news: IO[bytes]) -> str:
    """Return the run folder that the last word of an ended process names; "" without one."""
    for _, line in _lines(process, news):
        with suppress(ValueError):  # the rest of a line whose reading was interrupted
            message = from_line(line)
            if not isinstance(message, LaunchAdvanced):
                return message.run_dir
    return ""


def _hear_all(
    process: subprocess.Popen[bytes],
    news: IO[bytes],
    hear: Callable[[LaunchAdvanced], None],
    say: Callable[[str], None],
    last_lines: deque[str],
) -> LaunchEnded | LaunchFailed | None:
    """Pass on what the child tells until it has ended; return its last word, None without one."""
    end: LaunchEnded | LaunchFailed | None = None
    assert process.stderr is not None
    for source, line in _lines(process, news, process.stderr):
        if source is news:
            message = from_line(line)
            if isinstance(message, LaunchAdvanced):
                hear(message)
            else:
                end = message
        else:
            text = line.decode(errors="replace")
            last_lines.append(text.rstrip("\n"))
            say(text)
    return end


def _lines(
    process: subprocess.Popen[bytes], *sources: IO[bytes]
) -> Iterator[tuple[IO[bytes], bytes]]:
    """Yield (source, line) as lines come, until all sources, or the process, are at their end."""
    begun = dict.fromkeys(sources, b"")
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ, source)
        while selector.get_map():
            over = process.poll() is not None  # what it wrote is then there to be read
            ready = selector.select(0 if over else _LOOK_EVERY_S)
            if over and not ready:  # something else holds a pipe open
                return
            for source in [key.data for key, _ in ready]:
                block = os.read(source.fileno(), 65536)
                *whole, begun[source] = (begun[source] + block).split(b"\n")
                if not block:
                    selector.unregister(source)
                    whole = [begun[source]] if begun[source] else []
                for line in whole:
                    yield source, line + b"\n"
