"""The network as a picture: a circle that never moves, or a matrix of many peers."""

import pytest
from hand_network_page import network_payload

FIGURE = "prisam.views.figure('network-network')"
DRAW = f"(() => {{ const f = {FIGURE}; f.near = true; f.draw(); return f.built; }})()"
PLACE = f"""(i) => {{
  const series = {FIGURE}.chart.getModel().getSeriesByIndex(0);
  return series.coordinateSystem.dataToPoint(series.getData().getItemLayout(i));
}}"""


@pytest.fixture
def drawn(open_page, written):
    def draw(address="", **network):
        page = open_page(written(network_payload(**network)).as_uri() + address)
        return page, page.evaluate(DRAW)

    return draw


def series_of(built):
    return built["option"]["series"]


def links_of(built):
    links = series_of(built)[0]["links"]
    return {(each["link"]["sender"], each["link"]["receiver"]): each["lineStyle"] for each in links}


def test_peers_stand_on_a_circle_by_data_group_with_a_shape_for_each(drawn):
    _, built = drawn(peers=6, groups=2)
    (graph,) = series_of(built)
    assert [node["name"] for node in graph["data"]] == ["p00", "p02", "p04", "p01", "p03", "p05"]
    assert {round(node["x"] ** 2 + node["y"] ** 2) for node in graph["data"]} == {10_000}
    assert graph["layout"] == "none"
    assert len({each["symbol"] for each in graph["categories"]}) == 2
    _, again = drawn(peers=6, groups=2)
    assert series_of(again)[0]["data"] == graph["data"]


def test_a_link_is_as_wide_as_its_bytes_and_dashed_if_it_was_cut(drawn):
    _, built = drawn(peers=4)
    links = links_of(built)
    assert {link for link, style in links.items() if style["type"] == "dashed"} == {(0, 1)}
    widths = [links[a, b]["width"] for a, b in ((0, 1), (1, 0), (2, 0), (3, 0), (3, 2))]
    assert widths == sorted(widths)
    assert links[3, 2]["width"] == max(style["width"] for style in links.values())
    step = (links[3, 0]["width"] - links[1, 0]["width"]) / 2000
    assert links[2, 0]["width"] == pytest.approx(links[1, 0]["width"] + 1000 * step)


def test_the_links_of_a_chosen_peer_or_fault_stand_out(drawn):
    page, _ = drawn(peers=4)
    page.locator("#select-peer").select_option("2")
    links = links_of(page.evaluate(f"{FIGURE}.built"))
    strong = {link for link, style in links.items() if style["opacity"] > 0.5}
    assert strong == {link for link in links if 2 in link}
    page.keyboard.press("Escape")
    assert {each["opacity"] for each in links_of(page.evaluate(f"{FIGURE}.built")).values()} == {
        0.45
    }
    page.locator("#select-fault").select_option("cut#0")
    links = links_of(page.evaluate(f"{FIGURE}.built"))
    strong = {link for link, style in links.items() if style["opacity"] > 0.5}
    assert strong == {link for link in links if 0 in link or 1 in link}


def test_a_click_on_a_peer_chooses_it(drawn):
    page, built = drawn(peers=6, groups=2)
    box = page.locator("#figure-network-network .chart")
    box.scroll_into_view_if_needed()
    x, y = page.evaluate(PLACE, 2)
    box.click(position={"x": x, "y": y})
    assert page.evaluate("prisam.selection.peer") == series_of(built)[0]["data"][2]["peer"] == 4


def test_many_peers_are_a_matrix_in_the_order_of_their_groups(drawn):
    page, built = drawn(peers=41, groups=4)
    option = built["option"]
    names = option["xAxis"]["data"]
    assert names == option["yAxis"]["data"]
    assert names[:2] == ["p00", "p04"]
    ((x, y),) = next(s["data"] for s in series_of(built) if s["name"] == "cut by a fault")
    assert (names[y], names[x]) == ("p00", "p01")
    assert built["notes"][0].startswith("The strongest colour is ")
    assert "matrix" in built["notes"][1]
    assert cell_words(page, names.index("p07"), names.index("p02")) == ["p02 → p07", "3,007 B"]


def test_a_cell_of_the_matrix_chooses_its_sender(drawn):
    page, built = drawn(peers=41, groups=4)
    names = built["option"]["xAxis"]["data"]
    point_at(page, names.index("p07"), names.index("p02"))
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("prisam.selection.peer") == 2


def point_at(page, column, row):
    """Move the mouse to the middle of a cell of the matrix."""
    box = page.locator("#figure-network-network .chart")
    page.evaluate("document.getElementById('figure-network-network').scrollIntoView()")
    x, y = page.evaluate(
        f"(at) => {FIGURE}.chart.convertToPixel({{gridIndex: 0}}, at)", [column, row]
    )
    left = box.bounding_box()
    page.mouse.move(left["x"] + x, left["y"] + y)


def cell_words(page, column, row):
    """Return the heading and the first value of what is shown beside the mouse at a cell."""
    point_at(page, column, row)
    shown = page.locator("#figure-network-network .hover")
    shown.wait_for()
    values = shown.locator(".tip-row span:last-child").all_inner_texts()
    return [shown.locator("strong").inner_text(), values[0]]


def test_the_table_has_every_link_and_the_most_bytes_first(drawn):
    page, _ = drawn(peers=4)
    rows = page.evaluate(f"{FIGURE}.table().rows")
    assert len(rows) == 12
    assert rows[0][:4] == ["p03", "p02", 4002, 8004]


def test_before_the_end_links_are_drawn_without_bytes(open_page, written):
    payload = network_payload(4)
    columns = payload["runs"][0]["tables"]["links"]["columns"]
    columns["n_bytes"] = columns["wire_bytes"] = [None] * 12
    page = open_page(written(payload))
    built = page.evaluate(DRAW)
    assert built["notes"] == ["The bytes of links are known when the run has ended."]
    assert len({style["width"] for style in links_of(built).values()}) == 1
