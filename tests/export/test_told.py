"""What a tracker was told of a run that goes on."""

from prisam_p2p.export.points import ExportMarker, ExportPoint
from prisam_p2p.export.told import ToldPoints


def point(at, value=0.5, tag="accuracy"):
    return ExportPoint(float(at), at, tag, value)


def marker(at, text="applied"):
    return ExportMarker(float(at), at, "faults/x", text)


def test_nothing_is_told_twice_and_nothing_before_its_round_is_over():
    told = ToldPoints()
    points = [point(0), point(1), point(2)]
    assert told.news(points, [marker(1)], 1) == ([point(0)], [])
    assert told.news(points, [marker(1)], 1) == ([], [])
    assert told.news(points, [marker(1)], 3) == ([point(1), point(2)], [marker(1)])
    assert told.news(points, [marker(1)], 3) == ([], [])


def test_a_tag_that_comes_later_is_told_for_earlier_rounds():
    told = ToldPoints()
    told.news([point(0)], [], 1)
    late = point(0, 7.0, "bytes/total")
    assert told.news([point(0), late], [], 1) == ([late], [])


def test_it_agrees_with_an_end_that_has_all_that_was_told_and_more():
    told = ToldPoints()
    told.news([point(0)], [marker(0)], 1)
    assert told.agrees([point(0), point(1)], [marker(0), marker(1)])
    assert not told.agrees([point(0, 0.6)], [marker(0)])
    assert not told.agrees([point(1)], [marker(0)])
    assert not told.agrees([point(0)], [marker(0, "healed")])
