"""How much anything from a peer, a file or a child process may be: one walk over its plain form, before anybody looks at what it says."""

from __future__ import annotations

import json
import re
from typing import Any

from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

_HALF = re.compile("[\ud800-\udfff]")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class BoundsError(ReconcilerError):
    """What was given is too large, too deep or no JSON; nothing of it was used."""

    code = "bounds"


@frozen
class Bounds:
    """The most that may come: bytes of the whole, nesting, entries of all its lists and objects together, characters of one text.

    A `number` is far above counts, codes and times in milliseconds, and sums of some of them still fit into 64 bits. With `characters`
    it has to be UTF-8, and no text may have half of a surrogate pair: nobody could write such a text down.
    """

    size_bytes: int
    depth: int = 64
    items: int = 1_000_000
    text: int = 1_000_000
    number: int = 1 << 62
    characters: bool = False


def parse(data: bytes, bounds: Bounds) -> Any:
    """The plain form that JSON bytes stand for. Raises BoundsError."""
    if len(data) > bounds.size_bytes:
        raise BoundsError(f"{len(data)} bytes are more than {bounds.size_bytes}")
    try:
        plain = json.loads(data.decode() if bounds.characters else data)
    except (ValueError, RecursionError) as error:
        raise BoundsError("it is no JSON") from error
    if not _is_small(data, bounds):
        check(plain, bounds)
    return plain


def _is_small(data: bytes, bounds: Bounds) -> bool:
    """Whether the bytes alone show that every bound is kept, as with nearly every message: then nobody need walk through it."""
    if bounds.number < 10**18 or len(data) > min(bounds.text, bounds.items):
        return False
    if data.count(b"{") + data.count(b"[") >= bounds.depth:
        return False
    if bounds.characters and b"\\u" in data:
        return False
    return _LONG_NUMBER.search(data) is None


def check(plain: object, bounds: Bounds) -> None:
    """Raises BoundsError when the plain form is nested deeper, has more entries or longer texts than it may have, or huge numbers."""
    level: list[Any] = [plain]
    items = 0
    for _ in range(bounds.depth):
        below: list[Any] = []
        for part in level:
            if type(part) is dict:
                below += part
                below += part.values()
                items += len(part)
            elif type(part) is list:
                below += part
                items += len(part)
            else:
                _check_leaf(part, bounds)
        if items > bounds.items:
            raise BoundsError(f"more than {bounds.items} entries")
        if not below:
            return
        level = below
    raise BoundsError(f"nested deeper than {bounds.depth}")


def _check_leaf(part: object, bounds: Bounds) -> None:
    if type(part) is str:
        if len(part) > bounds.text:
            raise BoundsError(f"a text of {len(part)} characters is longer than {bounds.text}")
        if bounds.characters and _HALF.search(part) is not None:
            raise BoundsError("a text has half of a surrogate pair, which is no character")
    elif type(part) is int and abs(part) >= bounds.number:
        raise BoundsError("a number is too large")
