"""ci/mutate makes each kind of mutant, each of them a program that differs from the code, and the same ones for the same seed."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

CODE = '''\
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from x import y

LIMIT = 300
SHORT = 3

class One:
    __slots__ = ("a", "b")

    async def step(self, event, count: int = 1):
        """A promise."""
        if not event or count >= LIMIT and self.a:
            raise ValueError(f"never {count + 1}")
        self.a = min(count * 2, SHORT)
        for item in event:
            if item is None:
                continue
            await self.tell(item, loud=True)
        match event:
            case [first, *_] if first:
                return [first]
            case str():
                return count + 1
            case _:
                assert_never(event)
'''


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    path = Path(__file__).parents[1] / "ci" / "mutate"
    loader = importlib.machinery.SourceFileLoader("mutate", str(path))
    spec = importlib.util.spec_from_loader("mutate", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    loader.exec_module(module)
    return module


def test_every_kind_is_made_and_is_a_program(mutate: ModuleType) -> None:
    found = mutate.Finder("one.py", CODE).found
    for one in found:
        broken = mutate.applied(CODE, one)
        assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(CODE)), one
    assert {one.kind for one in found} == {
        "and/or",
        "argument dropped",
        "arithmetic",
        "await dropped",
        "case removed",
        "comparison",
        "condition negated",
        "condition removed",
        "constant",
        "continue/break",
        "function",
        "guard",
        "negation removed",
        "return",
        "statement removed",
    }


@pytest.mark.parametrize(
    "line",
    [
        "LIMIT = 600",
        "SHORT = 4",
        "    async def step(self, event, count: int = 2):",
        "        if (not event and (count >= LIMIT and self.a)):",
        "            if (item is not None):",
        "                break",
        "            (self.tell(item, loud=True))",
        "            await (self.tell(item))",
        "            case [first, *_] if False:",
        "            case str() if False:",
        "                return []",
        "                return (count - 1)",
    ],
)
def test_what_is_changed(mutate: ModuleType, line: str) -> None:
    changed = [
        new
        for one in mutate.Finder("one.py", CODE).found
        for old, new in zip(CODE.splitlines(), mutate.applied(CODE, one).splitlines(), strict=True)
        if old != new
    ]
    assert line in changed, changed


def test_what_says_nothing_is_left_alone(mutate: ModuleType) -> None:
    lines = {one.begin[0] for one in mutate.Finder("one.py", CODE).found}
    for number, text in enumerate(CODE.splitlines(), 1):
        if any(word in text for word in ("TYPE_CHECKING", "from x", "__slots__", "A promise", "assert_never")):
            assert number not in lines, text


def test_the_same_seed_gives_the_same_mutants(mutate: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / "reconciler" / "controller"
    package.mkdir(parents=True)
    (package / "one.py").write_text(CODE)
    everything = mutate.mutants(tmp_path, "controller")
    first = mutate.sample(tmp_path, everything, 10, 1)
    assert first == mutate.sample(tmp_path, everything, 10, 1)
    assert first[:5] == mutate.sample(tmp_path, everything, 5, 1)
    assert first != mutate.sample(tmp_path, everything, 10, 2)
