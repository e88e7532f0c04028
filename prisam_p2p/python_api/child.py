"""A run's child process, from its caller: start it, hear it, end it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import IO

import psutil

from prisam_p2p.errors import LaunchError
from prisam_p2p.python_api.callers_signals import CallersSignals
from prisam_p2p.python_api.messages import LaunchAdvanced, LaunchEnded, LaunchFailed, from_line
from prisam_p2p.python_api.request import LaunchOrder
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.system.stop_requests import held_back

_STOPPING_S = 60.0
"""A launcher that is told to stop ends its peers, and writes the summary of what there is."""
_DYING_S = 5.0
_LOOK_EVERY_S = 0.2
_LAST_LINES = 20

_PROGRAM = """
import sys
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.stop_requests import end_when_asked
die_with_parent()
end_when_asked()
from prisam_p2p.python_api.worker import main
main(sys.argv[1], sys.argv[2])
"""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""As in the commands: peers share the cores, and a process with a thread pool cannot be forked."""


def run_in_child(
    order: LaunchOrder,
    hear: Callable[[LaunchAdvanced], None],
    say: Callable[[str], None],
    signals: CallersSignals,
) -> LaunchEnded | LaunchFailed:
    """Run `order` in a child process of its own session; return how it ended.

    What `signals`, `hear` or `say` raise, such as KeyboardInterrupt, stops the run in order first.
    A signal that comes meanwhile has it killed. A note of the exception names the run folder.

    Args:
        hear: called with each news of the run.
        say: called with what the child prints for people.
    """
    signals.act()
    heard, told = os.pipe()
    with os.fdopen(heard, "rb", buffering=0) as news:
        try:
            process = _start(order, told)
        finally:
            os.close(told)
        last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        with process, _stopped_with_us(process, news, signals):
            end = _hear_all(process, news, hear, say, last_lines, signals.act)
            code = _exit_code(process, signals.act)
    if end is None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return LaunchFailed(LaunchError("launcher", f"ended with {how}", [*last_lines]), "")
    return end


def _start(order: LaunchOrder, told: int) -> subprocess.Popen[bytes]:
    arguments = [json.dumps(asdict(order)), str(told)]
    with held_back():
        return subprocess.Popen(
            [*CHILD_PYTHON, "-c", _PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**child_environment(), **dict.fromkeys(_ONE_THREAD, "1")},
            pass_fds=(told,),
            start_new_session=True,  # a terminal's Ctrl-C reaches the caller, which passes it on
        )


def _exit_code(process: subprocess.Popen[bytes], look: Callable[[], object]) -> int:
    """Return how a process ended that has said its last word; one that does not end is killed."""
    until_s = time.monotonic() + _STOPPING_S
    while True:
        try:
            return process.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            look()
            if time.monotonic() > until_s:
                _kill(process)


@contextmanager
def _stopped_with_us(
    process: subprocess.Popen[bytes], news: IO[bytes], signals: CallersSignals
) -> Iterator[None]:
    """End the process if the block raises: in order, and at once if another signal comes."""
    try:
        yield
    except BaseException as error:
        try:
            run_dir = _stop(process, news, signals.came_again())
        finally:
            process.kill()  # of a launcher that is killed, the peers end too
        if run_dir:
            error.add_note(f"run folder: {run_dir}")
        raise


def _stop(process: subprocess.Popen[bytes], news: IO[bytes], at_once: Callable[[], bool]) -> str:
    """End a run; return the run folder that its last word names, "" without one."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    until_s = time.monotonic() + _STOPPING_S
    run_dir = ""

    def look() -> None:
        if at_once() or time.monotonic() > until_s:
            _kill(process)

    assert process.stderr is not None
    for source, line in _lines(process, look, news, process.stderr):
        with suppress(ValueError):  # the rest of a line whose reading was interrupted
            message = from_line(line) if source is news else None
            if isinstance(message, LaunchEnded | LaunchFailed):
                run_dir = message.run_dir
    _exit_code(process, look)
    return run_dir


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a launcher, and wait for the end of the processes below it, which die with it."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    process.kill()
    process.wait()
    psutil.wait_procs(below, _DYING_S)


def _hear_all(
    process: subprocess.Popen[bytes],
    news: IO[bytes],
    hear: Callable[[LaunchAdvanced], None],
    say: Callable[[str], None],
    last_lines: deque[str],
    look: Callable[[], object],
) -> LaunchEnded | LaunchFailed | None:
    """Pass on what the child tells until it has ended; return its last word, None without one."""
    end: LaunchEnded | LaunchFailed | None = None
    assert process.stderr is not None
    for source, line in _lines(process, look, news, process.stderr):
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
    process: subprocess.Popen[bytes], look: Callable[[], object], *sources: IO[bytes]
) -> Iterator[tuple[IO[bytes], bytes]]:
    """Yield (source, line) as lines come, until all sources, or the process, are at their end.

    Args:
        look: called several times a second.
    """
    begun = dict.fromkeys(sources, b"")
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ, source)
        while selector.get_map():
            look()
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
