"""Ids for elements whose author gave none, which Pacemaker's schema wants all the same.

Ids that were given are kept. A made one is told from all others by a number, if need be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.\-\u00c0-\ufffd]")


class Ids:
    """The ids of a document that is being written."""

    def __init__(self, given: Iterable[str]) -> None:
        self._taken = set(given)
        self._written: set[str] = set()

    def claim(self, id: str | None, wanted: str) -> str:
        """The given id when it was not written yet, else a new one like the wanted text."""
        if id is None or id in self._written:
            id = self._new(id or wanted)
        self._written.add(id)
        return id

    def _new(self, wanted: str) -> str:
        base = _FORBIDDEN.sub("-", wanted)
        if not base or not (base[0].isalpha() or base[0] == "_"):
            base = f"id-{base}"
        id, number = base, 1
        while id in self._taken:
            number += 1
            id = f"{base}-{number}"
        self._taken.add(id)
        return id
