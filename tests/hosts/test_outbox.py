"""What waits to be sent to a host: its order, and that files are read no sooner than needed."""

from __future__ import annotations

from collections.abc import Iterator

from prisam_p2p.hosts.outbox import Frames, Outbox


class _Line:
    """Takes so many messages, then no more until `room` is raised."""

    def __init__(self, room: int) -> None:
        self.room, self.sent = room, list[Frames]()

    def send(self, frames: Frames) -> bool:
        if len(self.sent) >= self.room:
            return False
        self.sent.append(frames)
        return True


def test_messages_keep_their_order_and_none_is_lost() -> None:
    outbox, line = Outbox(), _Line(2)
    for name in (b"a", b"b", b"c"):
        outbox.add(iter([[name]]))
    outbox.send(line.send)
    assert line.sent == [[b"a"], [b"b"]]
    line.room = 9
    outbox.send(line.send)
    assert line.sent == [[b"a"], [b"b"], [b"c"]]
    assert not outbox


def test_an_urgent_message_goes_before_what_waits() -> None:
    outbox, line = Outbox(), _Line(1)
    outbox.add(iter([[b"part 1"], [b"part 2"]]))
    outbox.send(line.send)
    outbox.add_urgent([b"renewed"])
    line.room = 9
    outbox.send(line.send)
    assert line.sent == [[b"part 1"], [b"renewed"], [b"part 2"]]


def test_a_file_is_read_as_the_line_takes_it() -> None:
    read: list[int] = []

    def parts() -> Iterator[Frames]:
        for number in range(5):
            read.append(number)
            yield [b"%d" % number]

    outbox, line = Outbox(), _Line(2)
    outbox.add(parts())
    outbox.send(line.send)
    assert read == [0, 1, 2]  # the third waits to be sent
    outbox.clear()
    line.room = 9
    outbox.send(line.send)
    assert len(line.sent) == 2
