"""Who is refused: every rule has a row here."""

import pytest

from prisam_p2p.page_server.admission import PageRequest, cookie_name, host_name, new_token, refusal

TOKEN = new_token()
PATHS = ("/", "/events")
HOST = "127.0.0.1:8123"
COOKIE = {"prisam_view_8123": TOKEN}


def asked(method="GET", path="/", hosts=(HOST,), token="", cookies=COOKIE):
    return PageRequest(method, path, hosts, token, cookies)


@pytest.mark.parametrize(
    "fine",
    [
        asked(),
        asked(method="HEAD"),
        asked(path="/events"),
        asked(token=TOKEN, cookies={}),
        asked(hosts=["localhost:8123"]),
        asked(hosts=["LOCALHOST:8123"]),
        asked(hosts=["[::1]:8123"]),
        asked(hosts=["127.0.0.1"], cookies={"prisam_view_80": TOKEN}),
        asked(hosts=["localhost:9000"], cookies={"prisam_view_9000": TOKEN}),  # by ssh -L
    ],
)
def test_the_users_own_browser_is_admitted(fine):
    assert refusal(fine, TOKEN, PATHS) is None


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (asked(hosts=["evil.example"]), 421),
        (asked(hosts=["evil.example:8123"]), 421),
        (asked(hosts=["127.0.0.1.evil.example"]), 421),
        (asked(hosts=["evil.example#127.0.0.1"]), 421),
        (asked(hosts=["127.0.0.1@evil.example"]), 421),
        (asked(hosts=["127.0.0.2:8123"]), 421),
        (asked(hosts=["localhost.:8123"]), 421),
        (asked(hosts=["localhost:8123:8123"]), 421),
        (asked(hosts=["localhost:"]), 421),
        (asked(hosts=["localhost:٣"]), 421),
        (asked(hosts=["::1"]), 421),
        (asked(hosts=[""]), 421),
        (asked(hosts=[]), 421),
        (asked(hosts=[HOST, "evil.example"]), 421),
        (asked(hosts=["evil.example"], token=TOKEN), 421),
        (asked(method="POST"), 405),
        (asked(method="PUT"), 405),
        (asked(method="OPTIONS"), 405),
        (asked(method="get"), 405),
        (asked(method="POST", token=TOKEN), 405),
        (asked(path="/../etc/passwd"), 404),
        (asked(path="/.."), 404),
        (asked(path="//"), 404),
        (asked(path=""), 404),
        (asked(path="/events/"), 404),
        (asked(path="/EVENTS"), 404),
        (asked(cookies={}), 403),
        (asked(cookies={"prisam_view_8123": ""}), 403),
        (asked(cookies={"prisam_view_8123": TOKEN[:-1]}), 403),
        (asked(cookies={"prisam_view_8123": TOKEN + "x"}), 403),
        (asked(cookies={"prisam_view_8124": TOKEN}), 403),  # another server's
        (asked(token="wrong"), 403),  # even beside the right cookie
        (asked(token="wrong", cookies={}), 403),
        (asked(token="ключ", cookies={}), 403),
    ],
)
def test_all_others_are_refused(wrong, status):
    refused = refusal(wrong, TOKEN, PATHS)
    assert refused is not None
    assert refused.status == status
    assert TOKEN not in refused.reason


def test_no_two_servers_have_one_token():
    tokens = {new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 40


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:80", "127.0.0.1"),
        ("LocalHost", "localhost"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_a_host_is_named_without_its_port(host, name):
    assert host_name(host) == name


def test_cookies_are_named_by_the_port_that_the_browser_uses():
    assert cookie_name("localhost:8123") == cookie_name("127.0.0.1:8123") == "prisam_view_8123"
    assert cookie_name("[::1]") == "prisam_view_80"
