"""How Pacemaker reads a text: booleans, integers, versions, and the natural order of names.

Readers never fail: an unreadable text gives None or the default that the caller names. What our own language
accepts is stricter, and decided in `language`.
Source: the scheduler's specification, part 1, section 2.
"""

from __future__ import annotations

import re

_TRUE = frozenset({"true", "on", "yes", "y", "1"})
_FALSE = frozenset({"false", "off", "no", "n", "0"})
_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_LONGEST_RUN = 4000
"""Digits: a longer run is no number for Python; it comes after all numbers, by length and text."""

_LONG = 1 << 63
_DIGITS = re.compile(r"([0-9]+)")


def boolean(text: str | None) -> bool | None:
    """True or false by Pacemaker's words in any case; None when the text is neither."""
    if text is None:
        return None
    word = text.lower()
    if word in _TRUE:
        return True
    return False if word in _FALSE else None


def is_true(text: str | None) -> bool:
    """Whether the text is one of the five words for true; everything else, absence included, is not."""
    return text is not None and text.lower() in _TRUE


def integer(text: str | None, default: int = 0) -> int:
    """The leading integer of a text; the default without digits or beyond 64 bits."""
    if text is None:
        return default
    if text.isdecimal() and text.isascii() and len(text) < 19:
        return int(text)  # As good as all are like this.
    if (found := _INTEGER.match(text)) is None:
        return default
    value = int(found[1]) if len(found[1]) < 21 else _LONG
    return value if -_LONG <= value < _LONG else default


def compare_versions(left: str | None, right: str | None) -> int:
    """Negative, zero or positive, component by component as integers; a missing version is the lowest."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    ours = [integer(part) for part in left.split(".")]
    theirs = [integer(part) for part in right.split(".")]
    length = max(len(ours), len(theirs))
    ours += [0] * (length - len(ours))
    theirs += [0] * (length - len(theirs))
    return (ours > theirs) - (ours < theirs)


def natural_key(name: str) -> tuple[tuple[int, int, int, str], ...]:
    """A sort key for node names: letters without case, runs of digits as numbers, a prefix first."""
    key: list[tuple[int, int, int, str]] = []
    for part in _DIGITS.split(name):
        if part.isdecimal():
            number = int(part) if len(part) <= _LONGEST_RUN else 10**_LONGEST_RUN
            key.append((ord("0"), number, len(part), "" if len(part) <= _LONGEST_RUN else part))
        else:
            key.extend((ord(char), 0, 0, "") for char in part.lower())
    return tuple(key)
