"""What is a reference to code, and what is none."""

from pathlib import Path

import pytest

from prisam_p2p.extensions.reference import Reference, parse, short_name

REFERENCES = [
    ("package.module:attribute", Reference("package.module", None, "attribute")),
    ("module:Class.method", Reference("module", None, "Class.method")),
    ("./mine.py:net", Reference("", Path("./mine.py"), "net")),
    ("mine.py:net", Reference("", Path("mine.py"), "net")),
    ("/a b/c:d/mine.py:net", Reference("", Path("/a b/c:d/mine.py"), "net")),
]


@pytest.mark.parametrize(("text", "right"), REFERENCES)
def test_a_reference(text, right):
    assert parse(text) == right


@pytest.mark.parametrize(
    "text",
    ["", "prisam", ":", "a:", ":b", "./mine:net", "a-b:c", "a:b-c", "a:1", "a..b:c", "x.npz"],
)
def test_no_reference(text):
    assert parse(text) is None


def test_torchvision_names_its_own_models():
    assert parse("torchvision:resnet18") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [("./my file.py:rounds", "rounds"), ("a.b:C.d", "C.d"), ("d-psgd", "d-psgd"), ("a/b", "a-b")],
)
def test_a_short_name_is_fit_for_a_folder(text, name):
    assert short_name(text) == name
