"""What CONTRIBUTING says of the rooms, held against the code; import-linter holds the imports."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "prisam_p2p"


def test_no_two_classes_have_one_name():
    found = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.relative_to(PACKAGE).as_posix())
    assert len(found) > 300
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_every_room_stands_in_the_picture():
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.name[0] != "_" and path.suffix in ("", ".py")
    }
    picture = (ROOT / "CONTRIBUTING.md").read_text().split("```text")[1].split("```")[0]
    assert len(rooms) > 20
    assert rooms - set(picture.replace("|", " ").split()) == set()


def test_no_two_test_modules_have_one_name():
    """pytest imports them by their bare names."""
    found = defaultdict(list)
    for path in (ROOT / "tests").rglob("test_*.py"):
        found[path.name].append(path.relative_to(ROOT).as_posix())
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
