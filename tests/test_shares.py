"""The order in which workers get the tests: long modules first, none lost."""

from hypothesis import given
from hypothesis import strategies as st
from shares import longest_first


def test_each_share_begins_with_long_modules_and_ends_with_quick_ones():
    modules = {"a": 4, "b": 4, "long": 2, "c": 4, "longer": 1, "d": 5}
    ordered = longest_first(modules, {"long": 30.0, "longer": 60.0}, 2)
    assert ordered == ["longer", "a", "b", "c", "long", "d"]


def test_the_seconds_of_long_modules_are_shared_evenly():
    seconds = {"a": 50.0, "b": 30.0, "c": 20.0, "d": 10.0}
    modules = {"a": 1, "b": 1, "c": 1, "d": 1, "quick": 4}
    assert longest_first(modules, seconds, 2) == ["a", "d", "quick", "b", "c"]


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 50)),
    st.integers(1, 4),
    st.data(),
)
def test_no_module_is_lost_or_there_twice(modules, workers, data):
    names = st.sampled_from(sorted(modules)) if modules else st.nothing()
    seconds = data.draw(st.dictionaries(names, st.floats(0, 400)))
    assert sorted(longest_first(modules, seconds, workers)) == sorted(modules)
