"""A function or class of a notebook's cell, or of a script, as the text of a module of its own.

The text is made of sources: of the object, and of what it uses of the same notebook. What it uses
of modules is imported, and constants are written out. Nothing is pickled. What has no source, or
uses something else, is refused: it belongs into a file.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import math
import symtable
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Told

_IN_A_FILE = 'put it in a file, and name that: "./file.py:attribute"'
_HEAD = '"""Written from a notebook or script: {name}, and what it uses."""\n'
_PLAIN = (bool, int, str, bytes, type(None))
_CONTAINERS = (tuple, list, set, frozenset)


def module_text(key: str, value: Any) -> str:
    """Return the text of a module that defines a function or class under its own name.

    Args:
        key: the setting that it is the value of, for errors.

    Raises:
        ConfigError: it has no source here, or uses what a module cannot say.
    """
    text = _Text(key)
    text.add(value.__name__, value)
    parts = [_HEAD.format(name=value.__name__), "\n".join(text.imports), *text.definitions]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def reference_of(key: str, value: Any) -> str | None:
    """Return module:attribute of a function or class that can be imported, None of another.

    Raises:
        ConfigError: it is no function or class, or has no name by which it can be found.
    """
    right = "a name, module:attribute, ./file.py:attribute, or a function or class"
    if not isinstance(value, FunctionType | type):
        raise ConfigError("launch", key, Told(type(value).__name__), right)
    if "<" in value.__qualname__ or "." in value.__qualname__:
        right = f"a function or class that is defined at the top level with a name; {_IN_A_FILE}"
        raise ConfigError("launch", key, Told(value.__qualname__), right)
    return f"{value.__module__}:{value.__qualname__}" if _is_importable(value) else None


@dataclass
class _Text:
    """The parts of a module's text, in the order in which they are needed."""

    key: str
    imports: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def add(self, name: str, value: Any) -> None:
        """Add what makes `name` mean `value`, and what that needs."""
        if name in self._seen:
            return
        self._seen.add(name)
        if isinstance(value, ModuleType):
            self.imports.append(f"import {value.__name__} as {name}")
        elif isinstance(value, FunctionType | type) and not _is_importable(value):
            self._define(name, value)
        elif _is_importable(value):
            self.imports.append(f"from {value.__module__} import {value.__qualname__} as {name}")
        elif _is_constant(value):
            self.definitions.append(f"{name} = {value!r}")
        else:
            right = f"code that uses modules, functions, classes and constants; {_IN_A_FILE}"
            told = Told(f"{name}: {type(value).__name__}")
            raise ConfigError("launch", self.key, told, right)

    def _define(self, name: str, value: FunctionType | type) -> None:
        source = _source(value)
        if source is None:
            right = f"code with a source; {_IN_A_FILE}"
            raise ConfigError("launch", self.key, Told(value.__qualname__), right)
        known = _globals_of(value)
        self._seen.add(value.__name__)
        for each in _names_used(source):
            if each in known and each != value.__name__:
                self.add(each, known[each])
        self.definitions.append(source)
        if name != value.__name__:
            self.definitions.append(f"{name} = {value.__name__}")


def _is_importable(value: Any) -> bool:
    """Tell whether another process finds the object in a module, under its own name."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(module, str) or module == "__main__" or not name.isidentifier():
        return False
    found = sys.modules.get(module)
    return getattr(found, name, None) is value and hasattr(found, "__spec__")


def _is_constant(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    if type(value) in _CONTAINERS:
        return all(map(_is_constant, value)) and value not in (set(), frozenset())
    if type(value) is dict:
        return all(map(_is_constant, (*value.keys(), *value.values())))
    return type(value) in _PLAIN


def _globals_of(value: FunctionType | type) -> Mapping[str, Any]:
    functions = list(_functions(value))
    return functions[0].__globals__ if functions else {}


def _names_used(source: str) -> Iterator[str]:
    """Yield the names that a definition looks up outside itself, built-in ones left out."""
    tables = [symtable.symtable(source, "<source>", "exec")]
    while tables:
        table = tables.pop(0)
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            outside = symbol.is_referenced() if top else symbol.is_global()
            if outside and not hasattr(builtins, symbol.get_name()):
                yield symbol.get_name()
        tables += table.get_children()


def _source(value: FunctionType | type) -> str | None:
    """Return the source of a definition with its decorators; None where there is none."""
    for file, line in _places(value):
        lines = linecache.getlines(file)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if first <= line <= (node.end_lineno or first):
                    return textwrap.dedent("".join(lines[first - 1 : node.end_lineno]))
    return None


def _places(value: FunctionType | type) -> Iterator[tuple[str, int]]:
    """Yield file and line of code inside a definition."""
    for each in _functions(value):
        yield each.__code__.co_filename, each.__code__.co_firstlineno


def _functions(value: FunctionType | type) -> Iterator[FunctionType]:
    """Yield a function, or the methods of a class, that have a source."""
    own = [value] if isinstance(value, FunctionType) else vars(value).values()
    for each in own:
        found = inspect.unwrap(getattr(each, "__func__", each))
        if isinstance(found, FunctionType) and linecache.getlines(found.__code__.co_filename):
            yield found
