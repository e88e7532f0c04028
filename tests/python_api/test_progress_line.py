"""Progress from Python: a bar where it can be redrawn, else a line whenever there is news."""

import io

from prisam_p2p.python_api.messages import LaunchAdvanced
from prisam_p2p.python_api.progress_line import ProgressLine, bar

HALF = LaunchAdvanced("prisam", "running", 1, 6, 12, "running: 4/4 peers, round 1/3")
START = LaunchAdvanced("prisam", "starting", 0, 0, 0, "starting: 0/4 peers")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_a_line_for_news_only():
    file = io.StringIO()
    shown = ProgressLine(file)
    for news in (START, START, HALF, HALF):
        shown.show(news)
    shown.say("prisam: links have no rate here\n")
    shown.end()
    assert file.getvalue().splitlines() == [
        "prisam: starting: 0/4 peers",
        "prisam: running: 4/4 peers, round 1/3",
        "prisam: links have no rate here",
    ]


def test_a_terminal_gets_one_line_that_is_redrawn():
    file = Terminal()
    shown = ProgressLine(file)
    shown.show(HALF)
    shown.show(START)
    shown.say("a word\n")
    shown.end()
    drawn, told = file.getvalue().split("\n", 1)
    assert drawn.count("\r") == 2
    assert len(drawn.split("\r")[2]) >= len(drawn.split("\r")[1]), "remains of the longer line"
    assert told == "a word\n"


def test_a_bar_shows_the_share_and_fits():
    assert bar(HALF, 200).startswith("prisam  50% |##########----------| running: 4/4")
    assert bar(START, 200).startswith("prisam   0% |--")
    assert len(bar(HALF, 40)) < 40
