"""Functions and classes of a notebook as text of a module: what it contains, what is refused."""

import linecache
import math
import textwrap

import pytest

import prisam_p2p as pp
from prisam_p2p.python_api.source_module import module_text, reference_of

CELLS = [
    """
    import numpy as np
    from math import sqrt as root
    from torch import nn

    SIZES = (4, 8)
    table = np.zeros(3)
    """,
    """
    def scale(x):
        return root(x) * np.float32(2)

    class Block:
        n = SIZES[0]

        def __init__(self, size=SIZES[1]):
            self.size = scale(size)
    """,
    """
    def double(function):
        def wrapper(*arguments):
            return 2 * function(*arguments)
        return wrapper

    def net(data, width):
        blocks = [Block(width) for size in range(3)]
        return [each.size for each in blocks]

    def walks(n):
        return n and walks(n - 1)

    def uses_a_table(data, width):
        return table.sum()

    class NoMethods:
        n = 1
    """,
]


@pytest.fixture
def notebook():
    """Return the names of a notebook whose cells have run."""
    names = {"__name__": "__main__"}
    for number, cell in enumerate(CELLS):
        text, file = textwrap.dedent(cell), f"<cell {number}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), names)
    yield names
    for number in range(len(CELLS)):
        del linecache.cache[f"<cell {number}>"]


def run(text):
    names = {"__name__": "elsewhere"}
    exec(compile(text, "<module>", "exec"), names)
    return names


def test_a_function_comes_with_what_it_uses_of_the_notebook(notebook):
    text = module_text("model", notebook["net"])
    assert run(text)["net"](None, 9.0) == notebook["net"](None, 9.0) == [6.0, 6.0, 6.0]
    assert "import numpy as np" in text
    assert "from math import sqrt as root" in text
    assert "SIZES = (4, 8)" in text
    assert "torch" not in text, "the notebook imports it, this function does not use it"


def test_a_class_and_a_function_that_calls_itself(notebook):
    assert run(module_text("model", notebook["Block"]))["Block"](16).size == 8.0
    assert run(module_text("split", notebook["walks"]))["walks"](3) == 0


@pytest.mark.parametrize("name", ["uses_a_table", "NoMethods"])
def test_what_a_module_cannot_say_belongs_into_a_file(notebook, name):
    with pytest.raises(pp.ConfigError) as caught:
        module_text("model", notebook[name])
    assert caught.value.key == "model"
    assert 'put it in a file, and name that: "./file.py:attribute"' in str(caught.value)


def test_code_without_a_source_belongs_into_a_file():
    names = {"__name__": "__main__"}
    exec("def net(data, width): ...", names)
    with pytest.raises(pp.ConfigError, match="code with a source; put it in a file"):
        module_text("model", names["net"])


def test_what_can_be_imported_is_named_and_not_copied(notebook):
    assert reference_of("dataset", textwrap.dedent) == "textwrap:dedent"
    assert reference_of("model", notebook["net"]) is None
    for value in (lambda me: None, math.sqrt, notebook["double"](len), 3):
        with pytest.raises(pp.ConfigError, match="a function or class"):
            reference_of("model", value)
