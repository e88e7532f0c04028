"""What a page is told: what is newer than what it has, once; or everything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.page_server.feed import Feed, merged

KEYS = {"peers": ["peer"], "spans": ["peer", "begin_s"]}


def update(facts=None, **tables):
    return {"facts": facts or {}, "tables": {n: {"columns": c} for n, c in tables.items()}}


def peers(**rounds):
    ids = [int(name[1:]) for name in rounds]
    return update(peers={"peer": ids, "rounds_done": list(rounds.values())})


def told(feed, mark):
    news = feed.after(mark)
    assert news is not None
    assert news.text is not None, "everything is asked for anew"
    return news.version, json.loads(news.text)


@pytest.fixture
def feed():
    return Feed("e1", KEYS)


def test_a_page_that_has_everything_is_told_nothing(feed):
    assert feed.after("e1:0") is None
    feed.push(peers(p0=1))
    assert feed.mark == "e1:1"
    assert feed.after(feed.mark) is None


def test_a_page_is_told_what_is_newer_and_nothing_else(feed):
    for rounds in (1, 2, 3):
        feed.push(peers(p0=rounds))
    assert told(feed, "e1:2") == (3, peers(p0=3))
    version, both = told(feed, "e1:1")
    assert version == 3
    assert both == peers(p0=3)  # the row once, as it is now


def test_an_update_that_changes_nothing_makes_no_version(feed):
    feed.push(update())
    assert feed.version == 0


@pytest.mark.parametrize(
    "mark",
    ["", "e0:1", "e1:2", "e1:-1", "e1:x", "e1", ":", "e1:1:1", "e1:٣", "e1:" + "9" * 5000],
)
def test_a_page_of_another_server_or_with_a_strange_mark_gets_everything(feed, mark):
    feed.push(peers(p0=1))
    news = feed.after(mark)
    assert (news.version, news.text) == (1, None)


def test_a_page_that_is_too_far_behind_gets_everything():
    feed = Feed("e1", KEYS, kept_bytes=300)
    for rounds in range(100):
        feed.push(peers(p0=rounds))
    assert feed.after("e1:3").text is None
    assert told(feed, "e1:98") == (100, peers(p0=99))


def test_one_update_larger_than_what_is_kept_is_told_as_everything():
    feed = Feed("e1", KEYS, kept_bytes=10)
    feed.push(peers(p0=1))
    assert feed.after("e1:0").text is None
    assert feed.after("e1:1") is None


def applied(updates):
    """Return facts and rows by key, as the page keeps them."""
    facts, rows = {}, {}
    for each in updates:
        facts |= each["facts"]
        for name, table in each["tables"].items():
            columns = table["columns"]
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(columns, values, strict=True))
                rows[name, tuple(row[key] for key in KEYS[name])] = row
    return facts, rows


_SPANS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 9)), min_size=1)
_UPDATES = st.lists(
    st.builds(
        lambda facts, rows: update(
            facts,
            spans=dict(zip(("peer", "begin_s", "end_s"), zip(*rows, strict=True), strict=True)),
        ),
        st.dictionaries(st.sampled_from("abc"), st.integers()),
        _SPANS,
    ),
    min_size=1,
)


@given(_UPDATES)
def test_one_merged_update_does_what_all_do_and_has_no_row_twice(updates):
    one = merged(updates, KEYS)
    assert applied([one]) == applied(updates)
    spans = one["tables"]["spans"]["columns"]
    keys = list(zip(spans["peer"], spans["begin_s"], strict=True))
    assert len(keys) == len(set(keys))
