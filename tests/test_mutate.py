"""ci/mutate makes each kind of mutant, each of them a program that differs from the code, and the same ones for the same seed.

It runs the tests that reach a mutant's statement: which those are is noted by a copy of the code.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

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


CI = Path(__file__).parents[1] / "ci"


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    path = CI / "mutate"
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


COUNTED = '''\
def sign(number):
    """The sign."""
    if number < 0:
        return -1
    elif number == 0:
        return 0
    try:
        return 1
    except ValueError:
        return 2
'''
TESTS = """\
from counted import sign

def test_below():
    assert sign(-3) == -1

def test_nothing():
    assert sign(0) == 0

def test_above():
    assert sign(3) == 2
"""


def place_of(text: str) -> tuple[int, int]:
    """Line and column of a text that stands once in the code."""
    before, _, _ = COUNTED.partition(text)
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)


@pytest.fixture(scope="module")
def notes(mutate: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """Run three tests of marked code; then: which of them reach the statement around a text of the code."""
    room = tmp_path_factory.mktemp("marked")
    text, statements = mutate.reach.marked(COUNTED, 10)
    (room / "counted.py").write_text(text)
    (room / "test_counted.py").write_text(TESTS)
    pytest_in(room, {mutate.reach.REACH: str(room / "notes.json")})
    found = json.loads((room / "notes.json").read_text())["tests"]
    assert {name.rpartition("::")[2] for name, one in found.items() if one["failed"]} == {"test_above"}

    def reaching(text: str) -> set[str]:
        number = mutate.reach.innermost(statements, place_of(text))
        return {name.rpartition("::")[2] for name, one in found.items() if number in one["reached"]}

    return reaching


def pytest_in(room: Path, environment: dict[str, str]) -> list[str]:
    """The tests that passed or failed, in the order in which they ran."""
    whole = os.environ | {"PYTHONPATH": f"{CI}{os.pathsep}{room}"} | environment
    options = [
        "-p",
        "reach",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-v",
        "--rootdir",
        str(room),
        "-c",
        os.devnull,
    ]
    command = [sys.executable, "-m", "pytest", *options, "test_counted.py"]
    run = subprocess.run(command, cwd=room, env=whole, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stdout
    return [line.split("::")[1].split()[0] for line in run.stdout.splitlines() if line.startswith("test_counted.py::")]


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("< 0", {"test_below", "test_nothing", "test_above"}),
        ("-1", {"test_below"}),
        ("number == 0", {"test_nothing", "test_above"}),
        ("0\n    try", {"test_nothing"}),
        ("ValueError", {"test_above"}),
        ("1\n    except", {"test_above"}),
        ("return 2", set()),
    ],
)
def test_a_statement_knows_the_tests_that_reach_it(
    notes: Callable[[str], set[str]], text: str, tests: set[str]
) -> None:
    assert notes(text) == tests


def test_a_mutant_takes_no_longer_than_it_may_but_one_test(mutate: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / "room" / "reconciler" / "controller"
    package.mkdir(parents=True)
    statement = mutate.reach.Statement(1, (1, 0), (3, 0))
    seconds = {"slow": 50.0, "quick": 1.0, "middle": 7.0, "elsewhere": 0.1}
    known = mutate.Known(set(), seconds, {1: {"slow", "quick", "middle"}}, set(), {"one.py": [statement]})
    one = mutate.Mutant("one.py", "constant", (2, 0), (2, 1), "1")

    def tests(seconds: float) -> list[str]:
        directory = tmp_path / str(seconds)
        directory.mkdir()
        return mutate.Scratch(tmp_path / "room", directory, seconds).tests("controller", one, known)

    assert tests(100) == ["quick", "middle", "slow"]
    assert tests(10) == ["quick", "middle"]
    assert tests(0.5) == ["quick"]


@pytest.mark.parametrize(
    ("package", "order"),
    [("controller", ["elsewhere", "quick", "slow"]), ("daemon", ["quick", "slow", "elsewhere"])],
    ids=["in one process", "where others may be started"],
)
def test_what_lies_outside_of_functions_is_tried_with_all_tests(
    mutate: ModuleType, tmp_path: Path, package: str, order: list[str]
) -> None:
    """A default is met by whoever makes a value: the quickest are tried first, also those that reach no statement of the file."""
    (tmp_path / "room" / "reconciler" / package).mkdir(parents=True)
    statement = mutate.reach.Statement(1, (2, 0), (3, 0))
    seconds = {"slow": 50.0, "quick": 1.0, "elsewhere": 0.1}
    known = mutate.Known(set(), seconds, {1: {"slow", "quick"}}, set(), {"one.py": [statement]})
    (tmp_path / "scratch").mkdir()
    scratch = mutate.Scratch(tmp_path / "room", tmp_path / "scratch")
    assert scratch.tests(package, mutate.Mutant("one.py", "constant", (1, 0), (1, 1), "1"), known) == order


def test_what_ran_while_tests_were_collected_is_tried_with_all_of_them(mutate: ModuleType, tmp_path: Path) -> None:
    """Its values may be the rows of a table, which no test reaches any more."""
    (tmp_path / "room" / "reconciler" / "controller").mkdir(parents=True)
    statement = mutate.reach.Statement(1, (1, 0), (3, 0))
    known = mutate.Known(set(), {"slow": 50.0, "quick": 1.0, "near": 7.0}, {1: {"near"}}, {1}, {"one.py": [statement]})
    (tmp_path / "scratch").mkdir()
    scratch = mutate.Scratch(tmp_path / "room", tmp_path / "scratch")
    one = mutate.Mutant("one.py", "constant", (2, 0), (2, 1), "1")
    assert scratch.tests("controller", one, known) == ["near", "quick", "slow"]


def test_what_lies_outside_of_functions_belongs_to_no_statement(mutate: ModuleType) -> None:
    _, statements = mutate.reach.marked(COUNTED, 10)
    assert mutate.reach.innermost(statements, place_of("def sign")) is None


def test_just_the_listed_tests_run_in_the_order_of_the_list(mutate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(COUNTED)
    (tmp_path / "test_counted.py").write_text(TESTS)
    listed = ["test_counted.py::test_nothing", "test_counted.py::test_below", "test_counted.py::test_gone"]
    (tmp_path / "chosen.json").write_text(json.dumps(listed))
    ran = pytest_in(tmp_path, {mutate.reach.CHOSEN: str(tmp_path / "chosen.json")})
    assert ran == ["test_nothing", "test_below"]


SIGNS = """\
import os

BELOW = 0

def sign(number):
    if number < BELOW:
        return -1
    return 1

def ended(number):
    return number or os._exit(3)

def successor(number):
    return number + 1

SUCCESSOR = successor(1)

def outer(first, second):
    def both():
        return first and second
    return both

AGREED = outer(True, True)
"""
ABOUT_SIGNS = """\
from reconciler.controller.signs import AGREED, SUCCESSOR, ended, outer, sign, successor

def test_sign():
    assert (sign(-3), sign(3)) == (-1, 1)

def test_ended():
    assert ended(1) == 1

def test_successor():
    assert successor(3) and SUCCESSOR == 2

def test_outer():
    assert AGREED() and outer(True, True)()
"""
Noticed = Callable[[str, str], object]
Room = tuple[Any, Any]


@pytest.fixture(scope="module")
def room(mutate: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A small checkout in which mutants are tried, and what is known of its tests."""
    source = tmp_path_factory.mktemp("checkout") / "room"
    for path, text in {
        "reconciler/__init__.py": "",
        "reconciler/controller/__init__.py": "",
        "reconciler/controller/signs.py": SIGNS,
        "tests/controller/test_signs.py": ABOUT_SIGNS,
        "pytest.ini": "[pytest]",
    }.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    scratch = mutate.Scratch(source, tmp_path_factory.mktemp("scratch"))
    yield scratch, scratch.known("controller")
    scratch.close()


@pytest.fixture(scope="module")
def in_a_copy(mutate: ModuleType, room: Room) -> Noticed:
    """What notices that a text of the module becomes another, in a copy of the process that has loaded everything."""
    scratch, known = room
    path = scratch.root / "reconciler/controller/signs.py"

    def noticed(old: str, new: str) -> object:
        assert SIGNS.count(old) == 1
        request = mutate.copies.Request(str(path), SIGNS.replace(old, new), sorted(known.seconds.items()))
        found = scratch.living("controller").noticed(request)
        return found.rpartition("::")[2] if isinstance(found, str) else found

    return noticed


def test_a_copy_has_the_mutant_and_the_next_one_has_not(in_a_copy: Noticed) -> None:
    assert in_a_copy("return -1", "return -2") == "test_sign"
    assert in_a_copy("number < BELOW", "number <= BELOW") is None
    assert in_a_copy("number < BELOW", "number > BELOW") == "test_sign"
    assert in_a_copy("return first and second", "return not (first and second)") == "test_outer"


def test_a_mutant_that_ends_the_process_is_noticed(in_a_copy: Noticed) -> None:
    assert in_a_copy("number or os", "number and os") == "test_ended (did not end)"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("BELOW = 0", "BELOW = 1", id="what runs when a module is loaded"),
        pytest.param("return first and second", "return first", id="another closure"),
    ],
)
def test_a_copy_declines_what_would_not_be_the_mutant(in_a_copy: Noticed, old: str, new: str) -> None:
    assert in_a_copy(old, new) is False


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        pytest.param("return (first)", None, id="another closure"),
        pytest.param("(number - 1)", "test_successor", id="a function that ran when modules were loaded"),
        pytest.param("BELOW = 1", None, id="a constant of the module"),
        pytest.param("return -2", "test_sign", id="a function"),
    ],
)
def test_every_mutant_is_tried_in_one_way_or_the_other(
    mutate: ModuleType, room: Room, changed: str, test: str | None
) -> None:
    scratch, known = room
    found = [
        one
        for one in mutate.Finder("reconciler/controller/signs.py", SIGNS).found
        if changed in mutate.applied(SIGNS, one)
    ]
    by = {scratch.killer("controller", one, known) for one in found}
    assert by == {test and f"tests/controller/test_signs.py::{test}"}


LISTED = """\
# Why some change nothing.

reconciler/controller/signs.py comparison
    -    if number < BELOW:
    +    if (number <= BELOW):
nothing is nothing,
from either side

reconciler/controller/signs.py constant
    -BELOW = 0
    +BELOW = 1
there are no fractions
"""


def test_what_changes_nothing_is_listed_with_the_reason(mutate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "equivalent").write_text(LISTED)
    listed = mutate.equivalents(tmp_path / "equivalent")
    assert list(listed.values()) == ["nothing is nothing, from either side", "there are no fractions"]
    found = mutate.Finder("reconciler/controller/signs.py", SIGNS).found
    assert len(listed.keys() & {mutate.named(SIGNS, one) for one in found}) == 2
    assert mutate.equivalents(tmp_path / "none") == {}


def test_what_is_listed_is_one_mutant_of_the_code_that_there_is(mutate: ModuleType) -> None:
    root = CI.parent
    listed = mutate.equivalents(mutate.EQUIVALENT)
    for name in listed:
        source = (root / name[0]).read_text()
        same = [one for one in mutate.Finder(name[0], source).found if mutate.named(source, one) == name]
        assert len(same) == 1, f"of the same words elsewhere the reason may not be true: {name}"


def test_what_changes_nothing_is_counted_apart(mutate: ModuleType) -> None:
    count = mutate.Count(killed=18, survived=2, equivalent=5, not_tried=1)
    assert str(count) == "18 of 20 killed, 90.0 %, 5 equivalent, 1 not tried"
    assert str(mutate.Count()) == "0 of 0 killed, 0.0 %"
