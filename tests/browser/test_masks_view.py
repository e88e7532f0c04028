"""View 5: a cell is the Hamming share of two masks, as Python computes it."""

import random

import pytest
from hand_timelines import LAYERS, MASKS, N_BITS, a_timed_payload, packed

DRAW_ALL = "prisam.views.figures().forEach((each) => { each.near = true; each.draw(); })"
FIGURE = "prisam.views.figure('masks-matrix')"
HOVER = "#figure-masks-matrix .hover"
IDS = "abcd"


@pytest.fixture
def masks(open_page, written):
    """The page of the hand-written run, scrolled to the matrix, in round 0."""
    page = open_page(written(a_timed_payload()))
    page.evaluate(DRAW_ALL)
    page.locator("#select-round").select_option("0")
    page.evaluate(f"{FIGURE}.element.scrollIntoView()")
    return page


def hovered(page, one, other):
    """Return what the page says of the cell in the row of one peer and the column of another."""
    peers = page.evaluate("prisam.testing.masks().peers")
    row, column = peers.index(one), peers.index(other)
    x, y = page.evaluate(f"prisam.testing.masks().centre({row}, {column})")
    box = page.locator("#figure-masks-matrix .chart").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_selector(HOVER)
    return page.locator(HOVER).inner_text()


def differing(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (2, 3), (3, 1)])
def test_a_hovered_cell_is_the_hamming_share_of_the_two_masks(masks, pair):
    differ = differing(*(MASKS[peer, 0] for peer in pair))
    told = hovered(masks, *pair)
    assert told.startswith(f"{IDS[pair[0]]} and {IDS[pair[1]]}, round 0")
    assert f"{100 * (1 - differ / N_BITS):.2f} %" in told
    assert f"{differ} of {N_BITS} (all layers)" in told


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_a_layer_counts_its_own_bits_only(masks, layer):
    first = sum(bits for _, bits in LAYERS[:layer])
    name, bits = LAYERS[layer]
    masks.locator("#control-masks-matrix-layer").select_option(label=name)
    differ = differing(*(MASKS[peer, 0][first : first + bits] for peer in (0, 2)))
    assert f"{differ} of {bits} ({name})" in hovered(masks, 0, 2)


def test_the_slider_moves_the_round_by_keyboard_and_selects_it(masks):
    slider = masks.locator("#control-masks-matrix-round")
    slider.focus()
    masks.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "round 1"
    assert masks.evaluate("prisam.selection.round") == 1
    assert f"{differing(MASKS[0, 1], MASKS[2, 1])} of {N_BITS}" in hovered(masks, 0, 2)


def test_a_mask_that_was_not_announced_is_no_number(masks):
    masks.locator("#select-round").select_option("1")
    assert "alike\nnot known" in hovered(masks, 0, 3)
    assert (
        "1 of 4 peers announced no mask"
        in masks.locator("#figure-masks-matrix .notes").inner_text()
    )


def test_the_cell_says_who_pulls_from_whom(masks):
    assert "a pulls from c\nyes" in hovered(masks, 0, 2)
    assert "a pulls from b\nno" in hovered(masks, 0, 1)


def test_the_table_has_every_pair(masks):
    table = masks.evaluate(f"{FIGURE}.table()")
    assert len(table["rows"]) == 4 * 3
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    for row in rows:
        a, b = (MASKS[IDS.index(row[who]), 0] for who in ("peer", "other"))
        assert row["bits_that_differ"] == differing(a, b)
        assert row["similarity"] == pytest.approx(1 - differing(a, b) / N_BITS)


def test_parts_of_masks_differ_in_as_many_bits_as_in_python(masks):
    draw = random.Random(0)
    for _ in range(50):
        n = draw.randrange(1, 70)
        first = draw.randrange(n)
        count = draw.randrange(n - first + 1)
        one, other = ("".join(draw.choice("01") for _ in range(n)) for _ in range(2))
        told = masks.evaluate(
            """([one, other, first, count]) => {
              const { bytesOf, part, distance } = prisam.maskBits;
              return distance(part(bytesOf(one), first, count), part(bytesOf(other), first, count));
            }""",
            [packed(one), packed(other), first, count],
        )
        assert told == differing(one[first : first + count], other[first : first + count])


def test_a_point_of_the_index_selects_its_round(masks):
    masks.evaluate("prisam.views.figure('masks-ari').element.scrollIntoView()")
    x, y = masks.evaluate(
        "prisam.views.figure('masks-ari').chart.convertToPixel({seriesIndex: 0}, [1, 1])"
    )
    box = masks.locator("#figure-masks-ari .chart").bounding_box()
    masks.mouse.click(box["x"] + x, box["y"] + y)
    assert masks.evaluate("prisam.selection.round") == 1


def test_peers_are_ordered_by_their_data_group_in_the_round(open_page, written):
    payload = a_timed_payload()
    tables = payload["runs"][0]["tables"]
    tables["peers"]["columns"]["group"] = [0, 0, 1, 1]
    periods = {"peer": [0, 0], "first_round": [0, 1], "group": [0, 1]}
    tables["data_groups"] = {"columns": periods}
    page = open_page(written(payload))
    page.evaluate(DRAW_ALL)
    seen = []
    for t in (0, 1):
        page.locator("#select-round").select_option(str(t))
        page.evaluate(DRAW_ALL)
        seen.append(page.evaluate("prisam.testing.masks().peers"))
    assert seen == [[0, 1, 2, 3], [1, 0, 2, 3]]
    page.evaluate(f"{FIGURE}.element.scrollIntoView()")
    assert "g1 and g0" in hovered(page, 0, 1)
    means = [page.evaluate(f"prisam.store.groupOf(0, {t})") for t in (0, 1, 5)]
    assert means == [0, 1, 1]
