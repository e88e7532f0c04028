"""What is known of hosts' clocks is journalled at the beginning, now and then, and at the end."""

from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.hosts.clock_notes import NOTE_EVERY_S, ClockNotes
from prisam_p2p.measure.records import HostClock


def test_first_every_half_minute_and_last():
    notes = ClockNotes()
    clocks = {"h1": ClockOffset(-5000.0, 0.001)}
    assert notes.due({}, 0.0) == []
    assert notes.due(clocks, 1.0) == [HostClock("h1", -5000.0, 0.001, 0.0)]
    clocks |= {"h2": ClockOffset(10.0, 0.002)}
    assert notes.due(clocks, 1.2) == [HostClock("h2", 10.0, 0.002, 0.0)]
    clocks |= {"h1": ClockOffset(-4999.75, 0.0005)}
    assert notes.due(clocks, NOTE_EVERY_S) == []
    assert notes.due(clocks, 1.0 + NOTE_EVERY_S) == [HostClock("h1", -4999.75, 0.0005, 0.25)]
    last = notes.last(clocks, 40.0)
    assert [(each.host, each.changed_s) for each in last] == [("h1", 0.0), ("h2", 0.0)]
