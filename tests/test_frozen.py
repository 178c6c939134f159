"""Frozen values behave as frozen dataclasses with slots do."""

from __future__ import annotations

import ast
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

import reconciler
from reconciler.frozen import field, frozen, replace


@frozen
class Point:
    """A point with a note that does not count."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@frozen
class Other:
    x: int
    y: int = 0


@frozen(order=True)
class Version:
    major: int = 0
    minor: int = 0


def test_fields_come_by_position_or_name_and_have_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(1, y=2).sum) == (1, 0, 3)


@pytest.mark.parametrize("wrong", [(), ("a", "b", "c", "d", "e")])
def test_missing_and_surplus_fields_are_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Point(*wrong)


def test_every_instance_has_its_own_default_list() -> None:
    assert Point(1).tags is not Point(1).tags


def test_values_are_equal_when_their_compared_fields_are() -> None:
    assert Point(1, 2, note="a") == Point(1, 2, note="b")
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Other(1, 2)
    assert hash(Other(1, 2)) == hash(Other(1, 2))


def test_values_of_different_classes_are_not_equal_whatever_they_hold() -> None:
    assert Other(0, 0) != Version(0, 0)


@pytest.mark.parametrize("name", ["x", "new"])
def test_values_never_change(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Point(1), name, 2)
    with pytest.raises(AttributeError):
        delattr(Point(1), name)


def test_replace_makes_another_value() -> None:
    point = Point(1, 2, ["a"])
    assert replace(point, x=5) == Point(5, 2, ["a"])
    assert dataclasses.replace(point, x=5) == Point(5, 2, ["a"])
    with pytest.raises(TypeError):
        replace(point, z=1)  # type: ignore[call-arg]


def test_ordered_values_compare_like_tuples() -> None:
    assert Version(1, 2) < Version(1, 3) <= Version(2, 0)
    assert max(Version(1, 9), Version(2, 0)) == Version(2, 0)
    with pytest.raises(TypeError):
        assert Version(1) < 2  # type: ignore[operator]


def test_values_can_be_pickled_shown_matched_and_asked_for_their_fields() -> None:
    point = Point(1, 2, ["a"])
    assert pickle.loads(pickle.dumps(point)) == point
    assert repr(point) == "Point(x=1, y=2, tags=['a'])"
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)
    assert [one.name for one in dataclasses.fields(point)] == ["x", "y", "tags", "note"]
    assert not hasattr(point, "__dict__")


def test_the_program_freezes_its_values_in_this_one_way() -> None:
    program = Path(reconciler.__file__).parent
    others = [
        f"{path.relative_to(program)}:{node.lineno}"
        for path in sorted(program.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "dataclass"
        if any(one.arg == "frozen" for one in node.keywords)
    ]
    assert others == []
