"""Which statements each test reaches: `ci/mutate` runs against a mutant only the tests that come by it.

Every statement of a function is given a number, and a copy of the code notes the number before the statement. As a plugin of pytest this
module writes down after the run what each test reached, how long it took and whether it passed, and what ran before the first of them
(`RECONCILER_REACH` names the file), or runs
just the tests that a file lists, in the list's order (`RECONCILER_CHOSEN`).

What child processes reach is not noted, nor what one test leaves to the next in a cache.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REACH, CHOSEN = "RECONCILER_REACH", "RECONCILER_CHOSEN"
REACHED: set[int] = set()
"""The numbers of what was reached since it was last emptied."""
reached = REACHED.add


@dataclass(frozen=True)
class Statement:
    """From where to where (line from 1, byte of the line from 0) the statement with the number lies."""

    number: int
    begin: tuple[int, int]
    end: tuple[int, int]


class Marker(ast.NodeTransformer):
    """Puts a note before every statement of a function."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.statements: list[Statement] = []
        self.inside = False

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        inside, self.inside = self.inside, False
        node.body = [self.visit(one) for one in node.body]
        self.inside = inside
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        inside, self.inside = self.inside, True
        node.body = self._marked(node.body)
        self.inside = inside
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, self._marked(value) if self.inside else [self.visit(one) for one in value])
            elif isinstance(value, list):
                for one in value:
                    if isinstance(one, ast.ExceptHandler | ast.match_case):
                        self.visit(one)
        return node

    def _marked(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for one in body:
            # A docstring stays the first, and so do declarations.
            if not isinstance(one, ast.Global | ast.Nonlocal) and not _is_docstring(one):
                number = self.first + len(self.statements)
                end = (one.end_lineno or one.lineno, one.end_col_offset or 0)
                self.statements.append(Statement(number, (one.lineno, one.col_offset), end))
                made.append(ast.parse(f"_reached_({number})").body[0])
            made.append(self.visit(one))
        return made


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def marked(source: str, first: int) -> tuple[str, list[Statement]]:
    """The source with a note before every statement of its functions, and these, numbered from `first`."""
    tree = ast.parse(source)
    marker = Marker(first)
    marker.visit(tree)
    place = 0
    while place < len(tree.body) and (_is_docstring(tree.body[place]) or _is_future(tree.body[place])):
        place += 1
    tree.body.insert(place, ast.parse("from reach import reached as _reached_").body[0])
    return ast.unparse(ast.fix_missing_locations(tree)), marker.statements


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def innermost(statements: list[Statement], place: tuple[int, int]) -> int | None:
    """The number of the smallest statement around the place; None outside of every function."""
    around = [one for one in statements if one.begin <= place <= one.end]
    return max(around, key=lambda one: (one.begin, one.number)).number if around else None


class Recorder:
    """The plugin that notes what each test reaches."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.reached: dict[str, list[int]] = {}
        self.loading: set[int] = set()

    def pytest_collection_finish(self) -> None:
        """What ran so far, ran while modules were loaded."""
        self.loading = set(REACHED)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        REACHED.clear()
        result = yield
        self.reached[item.nodeid] = sorted(REACHED)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        found = {
            name: {"seconds": self.seconds.get(name, 0.0), "failed": name in self.failed, "reached": numbers}
            for name, numbers in self.reached.items()
        }
        self.path.write_text(json.dumps({"tests": found, "loading": sorted(self.loading)}))


class Chooser:
    """The plugin that runs only the listed tests, in the list's order."""

    def __init__(self, path: Path) -> None:
        self.order = {name: place for place, name in enumerate(json.loads(path.read_text()))}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((one for one in items if one.nodeid in self.order), key=lambda one: self.order[one.nodeid])


def pytest_configure(config: pytest.Config) -> None:
    """Do what the environment asks for."""
    if path := os.environ.get(REACH):
        config.pluginmanager.register(Recorder(Path(path)))
    if path := os.environ.get(CHOSEN):
        config.pluginmanager.register(Chooser(Path(path)))
