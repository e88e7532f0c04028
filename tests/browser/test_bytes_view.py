"""The bytes: by round and kind in every layer, and from whom to whom."""

import pytest
from hand_network_page import KINDS, LAYERS, n_bytes_of, network_payload

ROUNDS, KIND, LINKS = (
    f"prisam.views.figure('bytes-{each}')" for each in ("rounds", "kinds", "links")
)
DRAW = "prisam.views.figures().forEach((each) => { each.near = true; each.draw(); })"


def opened(open_page, written, **network):
    page = open_page(written(network_payload(**network)))
    page.evaluate(DRAW)
    return page


def stacks(page):
    """Return the kind (or "push ..") -> values over the rounds, as drawn."""
    return {each["name"]: each["data"] for each in page.evaluate(f"{ROUNDS}.built.option.series")}


@pytest.mark.parametrize(
    ("choice", "layers"), [("payload", 1), ("header", 2), ("framing", 3), ("beyond", 4)]
)
def test_a_layer_counts_itself_and_all_within_it(open_page, written, choice, layers):
    page = opened(open_page, written)
    page.locator("#control-bytes-rounds-layer").select_option(choice)
    drawn = stacks(page)
    for kind in KINDS:
        wanted = [sum(n_bytes_of(at, kind, each) for each in LAYERS[:layers]) for at in (-1, 0, 1)]
        assert drawn[kind] == wanted
    assert drawn["request"] == [0, 0, 0]
    assert drawn["push everything, on the wire"] == [None, 50_000, 60_000]


def test_a_logarithmic_axis_has_lines_in_place_of_stacks(open_page, written):
    page = opened(open_page, written)
    page.locator("#control-bytes-rounds-scale").select_option("log")
    option = page.evaluate(f"{ROUNDS}.built.option")
    assert option["yAxis"]["type"] == "log"
    assert {each["type"] for each in option["series"]} == {"line"}
    assert stacks(page)["request"] == [None, None, None]


def test_the_table_of_kinds_sums_up_all_rounds(open_page, written):
    page = opened(open_page, written)
    rows = {row[0]: row[1:] for row in page.evaluate(f"{KIND}.table().rows")}
    for kind in KINDS:
        of = {each: sum(n_bytes_of(at, kind, each) for at in (-1, 0, 1)) for each in LAYERS}
        stream = of["payload"] + of["header"] + of["framing"]
        wanted = [of["payload"], of["header"], of["framing"], stream, stream + of["beyond"]]
        assert rows[kind][:5] == wanted
    assert rows["all kinds"][4] == sum(rows[kind][4] for kind in KINDS)


def test_a_small_network_has_a_cell_for_each_link(open_page, written):
    page = opened(open_page, written, peers=6, groups=2)
    option = page.evaluate(f"{LINKS}.built.option")
    names = option["xAxis"]["data"]
    cells = {(names[y], names[x]): n for x, y, n in option["series"][0]["data"]}
    assert len(cells) == 30
    assert cells["p02", "p05"] == 2 * 3005
    assert page.evaluate(f"{LINKS}.built.notes") == []


def test_a_large_network_is_rolled_up_by_data_group_and_says_so(open_page, written):
    page = opened(open_page, written, peers=64, groups=4)
    built = page.evaluate(f"{LINKS}.built")
    names, cells = built["option"]["xAxis"]["data"], built["option"]["series"][0]["data"]
    assert names == ["data group 0", "data group 1", "data group 2", "data group 3"]
    of_group = [[peer for peer in range(64) if peer % 4 == group] for group in range(4)]
    wanted = sum(2 * (1000 * (a + 1) + b) for a in of_group[1] for b in of_group[2])
    assert [n for x, y, n in cells if (y, x) == (1, 2)] == [wanted]
    assert built["notes"] == [
        "Rolled up: 64 peers as 4 rows and columns; a cell is the sum of its links.",
        "The table has the 200 links with most bytes, of 4,032.",
    ]
    assert len(page.evaluate(f"{LINKS}.table().rows")) == 200


def test_many_peers_without_data_groups_are_rolled_up_by_their_ids(open_page, written):
    page = opened(open_page, written, peers=64, groups=1)
    names = page.evaluate(f"{LINKS}.built.option.xAxis.data")
    assert len(names) == 32
    assert names[0] == "p00 .. p01"


def test_a_click_on_a_round_chooses_it(open_page, written):
    page = opened(open_page, written)
    box = page.locator("#figure-bytes-rounds .chart")
    box.scroll_into_view_if_needed()
    x, y = page.evaluate(f"{ROUNDS}.chart.convertToPixel({{gridIndex: 0}}, [2, 5000])")
    box.click(position={"x": x, "y": y})
    assert page.evaluate("prisam.selection.round") == 1
