"""What one host has promised durably, as its disk answers: that is promised for good.

Source: the design of the cluster, "Membership" (nobody takes part in anything older than it has promised).
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.controller import events as ev
from reconciler.controller.journal import PROMISED, Record
from reconciler.simulator.disk import Disk


class Promises:
    """The promises of the node on a host, over all its processes, as long as nobody takes away what its disk held."""

    def __init__(self, disk: Disk[Record | bytes]) -> None:
        self._disk = disk
        self._taken_away = disk.taken_away
        self._durable = self._written = 0
        self._synchronising: dict[int, int] = {}
        """By token what is promised once that is synchronised."""

    def stepped(self, event: ev.Event, effects: Iterable[ev.Effect], promised: int) -> int:
        """The node took an event, and says that it has `promised` a term; the term that it must have promised at the least."""
        if self._disk.taken_away != self._taken_away:
            self._taken_away, self._durable = self._disk.taken_away, 0
            self._forget()
        match event:
            case ev.Started() | ev.NotWritten() | ev.NotDurable():
                self._forget()
            case ev.Durable(token=token):
                self._durable = max(self._durable, self._synchronising.pop(token, 0))
            case _:
                pass
        for effect in effects:
            self._note(effect, promised)
        return self._durable

    def _forget(self) -> None:
        """What was written and not synchronised may be on the disk, or not."""
        self._synchronising.clear()
        self._written = self._durable

    def _note(self, effect: ev.Effect, promised: int) -> None:
        match effect:
            case ev.Write(record=Record(kind=kind, data=data)) if kind == PROMISED:
                self._written = max(self._written, int(data))
            case ev.Begin(token=token):  # A snapshot holds all that the node has.
                self._written = self._synchronising[token] = promised
            case ev.Sync(token=token):
                self._synchronising[token] = self._written
            case _:
                pass
