"""A viewer as a process: who is refused, what is served, how it ends."""

import re
import signal
import socket

import pytest
from growing_run import GrowingRun
from launching import refused
from viewing import events, viewer

from prisam_p2p.page_server.admission import SAFETY_HEADERS
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import write_summary

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A viewer of a folder with two runs, one of which goes on."""
    folder = tmp_path_factory.mktemp("shown")
    ended = GrowingRun(folder / "ended")
    ended.evaluate("p01", 0)
    ended.end()
    write_summary(RunFolder(ended.path))
    going = GrowingRun(folder / "going")
    with viewer(folder) as view:
        yield view
    going.die()


@pytest.fixture
def run(tmp_path):
    run = GrowingRun(tmp_path / "run")
    yield run
    run.die()


def status(answer):
    return int(answer.split()[1])


# -- who is refused ----------------------------------------------------------------


def test_the_token_becomes_a_cookie_that_no_script_reads_and_leaves_the_address(shown):
    with shown.client() as client:
        answer = client.get(shown.address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/run?n=1", "/folder", "/events?n=1", "/?token=", "/?token=x"]
)
def test_without_the_token_nothing_is_shown(shown, path):
    answer = shown.raw(f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{shown.port}")
    assert status(answer) == 403
    assert shown.token not in answer
    assert "ended" not in answer


def as_admitted(shown, request, host=None):
    cookie = f"Cookie: prisam_view_{shown.port}={shown.token}"
    return shown.raw(request, f"Host: {host or f'127.0.0.1:{shown.port}'}", cookie)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1", ""])
def test_a_foreign_host_is_refused_even_with_the_cookie_and_the_token(shown, host):
    if host:
        assert status(as_admitted(shown, "GET / HTTP/1.1", host)) == 421
    answer = shown.raw(f"GET /?token={shown.token} HTTP/1.1", f"Host: {host}")
    assert status(answer) in (400, 421)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_it_only_shows(shown, method):
    assert status(as_admitted(shown, f"{method} / HTTP/1.1")) == 405


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/..",
            "/../..",
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/run/../../plan.json",
        ),
        *("/..%2f..%2fetc/passwd", "/journal", "/plan.json", "/run/0", "/static", "/favicon.ico"),
        *("/run?n=../ended", "/run?n=99", "/run?n=-1", "/run?n=0", "/folder?n=1", "/events?n=0"),
        *("/events?n=..", "/run?n=%2fetc", "//etc/passwd", "/run%00", "/run?n=1%00"),
    ],
)
def test_no_path_reaches_the_file_system(shown, path):
    with shown.client() as client:
        assert client.get("/").status_code == 200  # the runs have numbers now
    answer = as_admitted(shown, f"GET {path} HTTP/1.1")
    assert status(answer) == 404
    assert "root:" not in answer


def test_every_answer_has_the_headers_that_keep_it_to_itself(shown):
    with shown.client() as client:
        answers = [
            client.get("/"),
            client.get("/run?n=1"),
            client.head("/events?n=1"),
            client.get("/nowhere"),
            client.post("/"),
            client.get("/", headers={"host": "evil.example"}),
            client.get(shown.address),
        ]
    assert [each.status_code for each in answers] == [200, 200, 200, 404, 405, 421, 303]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert {name: answer.headers[name] for name in SAFETY_HEADERS} == dict(SAFETY_HEADERS)
        assert "server" not in answer.headers


def test_it_listens_at_this_machine_only(shown):
    with socket.socket() as line, pytest.raises(ConnectionRefusedError):
        line.connect(("127.0.0.2", shown.port))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_another_address_is_refused_with_what_to_do(run, host):
    assert "ssh -L" in refused("view", run.path, "--host", host)


def test_a_port_that_is_taken_is_refused_with_what_would_be_right(run, shown):
    out = refused("view", run.path, "--port", shown.port)
    assert f"--port = {shown.port}: expected a free port" in out


def test_a_folder_without_runs_is_refused(tmp_path):
    assert "RUN|FOLDER" in refused("view", tmp_path)
    assert "RUN|FOLDER" in refused("view", tmp_path / "not there")


# -- what is served ----------------------------------------------------------------


def test_a_folder_is_listed_and_its_runs_are_shown_by_number(shown):
    with shown.client() as client:
        page = client.get("/").text
        found = dict(re.findall(r'<a href="(/run\?n=\d+)">(\w+)</a>', page))
        assert sorted(found.values()) == ["ended", "going"]
        for path in found:
            answer = client.get(path)
            assert answer.status_code == 200
            assert 'id="data"' in answer.text
        assert "running" in page
        assert "completed" in page


def test_a_run_that_is_yet_to_come_is_waited_for_by_the_page(tmp_path):
    run = GrowingRun(tmp_path / "run")
    with viewer(run.path) as view, view.client() as client:
        (run.path / "journal" / "launcher.jsonl").unlink()
        answer = client.get("/")
        assert answer.headers["refresh"] == "1"
        assert answer.status_code == 200
        run.die()


def test_a_page_is_told_what_is_new_and_after_a_break_what_it_missed(run):
    with viewer(run.path) as view, view.client() as client:
        page = client.get("/").text
        [after] = re.findall(r'"after": "([^"]+)"', page)
        with events(client, f"/events?n=0&after={after}") as stream:
            run.evaluate("p01", 0)
            first = next(stream)
            assert (first.name, first.data["tables"]["accuracy"]["columns"]["peer"]) == (
                "update",
                [0],
            )
        run.evaluate("p02", 0)
        run.evaluate("p02", 1)
        path = f"/events?n=0&after={after}"  # the browser's own reconnecting keeps the path
        with events(client, path, **{"Last-Event-ID": first.mark}) as stream:
            missed = next(stream)
            columns = missed.data["tables"]["accuracy"]["columns"]
            assert (missed.name, columns["peer"], columns["round"]) == ("update", [1, 1], [0, 1])


def test_a_page_of_another_server_gets_everything_in_place_of_what_it_has(run):
    run.evaluate("p01", 0)
    with viewer(run.path) as view, view.client() as client:
        assert client.get("/").status_code == 200
        with events(client, "/events?n=0&after=other:7") as stream:
            event = next(stream)
        assert event.name == "snapshot"
        [shown_run] = event.data["runs"]
        assert shown_run["tables"]["accuracy"]["columns"]["peer"] == [0]
        with events(client, f"/events?n=0&after={event.mark}") as stream:
            run.evaluate("p03", 0)
            assert next(stream).data["tables"]["accuracy"]["columns"]["peer"] == [2]


def test_what_a_stranger_wrote_cannot_end_the_page_or_a_line_of_the_stream(run):
    with viewer(run.path) as view, view.client() as client:
        assert client.get("/").status_code == 200
        text = f"</script>{HOSTILE}\n\ndata: x\r\n\u2028event: bye"
        run.add("p01", "pull_failed", round=0, donor=text, reason=text)
        with events(client, "/events?n=0&after=x:0") as stream:
            names = [next(stream).name]
            run.evaluate("p01", 0)
            names.append(next(stream).name)
        assert names == ["snapshot", "update"]
        assert HOSTILE not in client.get("/").text


# -- how it ends -------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_and_tells_the_pages(run, number):
    with viewer(run.path) as view, view.client() as client:
        assert client.get("/").status_code == 200
        with events(client, "/events?n=0&after=x:0") as stream:
            assert next(stream).name == "snapshot"
            view.process.send_signal(number)
            assert next(stream).name == "bye"
            assert next(stream, None) is None
        assert view.process.wait(30) == 0


def test_a_page_that_does_not_read_keeps_nobody_waiting(run):
    for at in range(2000):
        run.add("p01", "pull_failed", round=at % 2, donor=f"{at}", reason=HOSTILE * 100)
    with viewer(run.path) as view, view.client() as client:
        assert client.get("/").status_code == 200
        with socket.create_connection(("127.0.0.1", view.port), 30) as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            cookie = f"Cookie: prisam_view_{view.port}={view.token}"
            request = ["GET /events?n=0&after=x:0 HTTP/1.1", f"Host: 127.0.0.1:{view.port}", cookie]
            silent.sendall("\r\n".join([*request, "", ""]).encode())
            with events(client, "/events?n=0&after=x:0") as stream:
                assert next(stream).name == "snapshot"
            assert view.stop() == 0
