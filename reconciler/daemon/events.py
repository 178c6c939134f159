"""The event log: what happened, for whoever follows; bounded, with a cursor from which to go on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

_KEPT = 2000
_MOST_FINDINGS = 20_000
"""In all events that are kept: each of them may bring a thousand."""


class EventLog:
    """The newest events. A cursor is `<run>-<number>`; one of another run, or too old, tells that there is a gap."""

    def __init__(self, run: str, kept: int = _KEPT) -> None:
        self.run = run
        self.last = 0
        self.rejections: dict[str, dict[str, Any]] = {}
        """By source: how what it offered was refused the last time, until something of it becomes active."""
        self._kept = kept
        self._events: deque[dict[str, Any]] = deque()
        self._findings = 0
        self._news = asyncio.Event()

    @property
    def cursor(self) -> str:
        """Where the log ends now."""
        return f"{self.run}-{self.last}"

    def add(self, type: str, fields: Mapping[str, Any], at: float) -> dict[str, Any]:
        """Append an event, and wake whoever waits for one."""
        self.last += 1
        event = {**fields, "cursor": self.cursor, "at": at, "type": type}
        self._events.append(event)
        self._findings += _findings_of(event)
        while len(self._events) > self._kept or (self._findings > _MOST_FINDINGS and len(self._events) > 1):
            self._findings -= _findings_of(self._events.popleft())
        self._note_rejection(event)
        self._news.set()
        self._news = asyncio.Event()
        return event

    def _note_rejection(self, event: dict[str, Any]) -> None:
        source, commit = event.get("source"), event.get("commit")
        if event["type"] == "rejected":
            self.rejections[str(source)] = event
        elif event["type"] == "activated":
            kept = {name: one for name, one in self.rejections.items() if name != source and one["commit"] != commit}
            self.rejections = kept

    def last_of(self, type: str) -> dict[str, Any] | None:
        """The newest event of a type that is still kept."""
        return next((event for event in reversed(self._events) if event["type"] == type), None)

    def since(self, cursor: str | None) -> tuple[int, list[dict[str, Any]]]:
        """The number to go on from, and the events after a cursor; None: only what comes; "0": everything kept."""
        if cursor is None:
            return self.last, []
        number = 0 if cursor == "0" else self._number(cursor)
        missed = number is None or (cursor != "0" and number + 1 < self._first)
        events = self.after(number if number is not None and not missed else 0)
        return self.last, ([{"type": "gap", "cursor": cursor}] if missed else []) + events

    def after(self, number: int) -> list[dict[str, Any]]:
        """The events after a number that are still kept."""
        missing = self.last - number
        if missing <= 0:
            return []
        return list(self._events)[-missing:] if missing < len(self._events) else list(self._events)

    async def wait(self, number: int) -> None:
        """Until there is an event after this number."""
        while self.last <= number:
            await self._news.wait()

    @property
    def _first(self) -> int:
        return self.last - len(self._events) + 1

    def _number(self, cursor: str) -> int | None:
        run, _, number = cursor.rpartition("-")
        # A number of more digits than our last one is none of ours, and int() refuses very long ones.
        if run != self.run or len(number) > len(str(self.last)) or not number.isdecimal():
            return None
        return int(number) if int(number) <= self.last else None


def _findings_of(event: Mapping[str, Any]) -> int:
    return len(event.get("findings") or ())
