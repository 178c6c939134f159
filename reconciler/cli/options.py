"""Options are values: what argparse collects becomes one frozen value at the door, and nothing behind it sees a namespace.

A command's module declares a frozen class `Options`. `value_of` fills it: a field takes the option of its name, and a field whose type is
such a class itself is filled in the same way. What must not be given together is refused in `__post_init__`, so a value that contradicts
itself never exists.
"""

from __future__ import annotations

import argparse
import math
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from reconciler.errors import ReconcilerError

USAGE_ERROR = 64

T = TypeVar("T")


class UsageError(ReconcilerError):
    """The command line contradicts itself or says what can't be read; nothing was done."""

    code = "usage"
    exit_code = USAGE_ERROR


def value_of(kind: type[T], parsed: argparse.Namespace) -> T:
    """The options as a value of the kind. Raises UsageError when they contradict each other.

    **Raises** TypeError when parser and class disagree, which is a fault of the program and caught by a test over all commands.
    """
    fields = {name: _field(name, hint, parsed) for name, hint in get_type_hints(kind).items()}
    return kind(**fields)


def _field(name: str, hint: Any, parsed: argparse.Namespace) -> Any:
    if hasattr(hint, "__frozen_fields__"):
        return value_of(hint, parsed)
    value = getattr(parsed, name)
    if isinstance(value, list):
        value = tuple(value)
    if not _fits(value, hint):
        raise TypeError(f"the option {name} is {value!r}, which is no {hint}")
    return value


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(part, get_args(hint)[0]) for part in value)
    return type(value) is hint or (isinstance(value, hint) and not isinstance(value, bool))


def only_one(*given: tuple[str, object]) -> None:
    """Refuse options that exclude each other: name and value of each, where a false value means that it was not given."""
    present = [name for name, value in given if value]
    if len(present) > 1:
        raise UsageError(f"argument {present[1]}: not allowed with argument {present[0]}")


def needs(option: str, value: object, other: str, there: object) -> None:
    """Refuse an option that has no effect without another one."""
    if value and not there:
        raise UsageError(f"argument {option}: only allowed with {other}")


def seconds(text: str) -> float:
    """The type of an option that takes a duration in seconds: finite, and more than nothing."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds above 0")
    return value


def count(text: str) -> int:
    """The type of an option that takes a number from 1 upwards."""
    if not text.isascii() or not text.isdecimal() or not 0 < len(text) < 10 or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return int(text)
