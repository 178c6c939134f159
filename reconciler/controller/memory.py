"""What a node remembers of its own running resources: the parameters with which each was started.

A resource is stopped with the parameters that it was started with, and looked for with them after a restart of the daemon: a changed
configuration says nothing about what already runs. It follows from delivered messages alone, so the journal restores it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.analysis.recording import Launched

if TYPE_CHECKING:
    from reconciler.controller.messages import Reported, Run

_STARTING = frozenset({"start", "migrate_from"})
_RUNNING_CODES = frozenset({0, 8, 190, 191})


class Memory:
    """By resource: the operation that stands for its start, and what was last ordered that may take its place."""

    def __init__(self) -> None:
        self.started: dict[str, Launched] = {}
        self.asked: dict[str, Launched] = {}

    def ordered(self, own: str, message: Run) -> None:
        """An order was delivered: a resource counts as started with its parameters before the agent is called."""
        for order in message.orders:
            launched = order.launched
            if launched.node != own or launched.interval_ms:
                continue
            if launched.task in _STARTING:
                self.started[launched.resource] = launched
            elif launched.task in ("reload-agent", "monitor"):
                self.asked[launched.resource] = launched

    def reported(self, own: str, message: Reported) -> None:
        """A result was delivered: what stopped is forgotten, what was found running or reloaded is remembered."""
        if message.node != own or message.interval_ms:
            return
        if message.task in ("stop", "delete") and not message.failed:
            self.started.pop(message.resource, None)
        asked = self.asked.pop(message.resource, None) if message.task in ("reload-agent", "monitor") else None
        if asked is None or asked.task != message.task or message.rc not in _RUNNING_CODES:
            return
        if message.task == "reload-agent" or message.resource not in self.started:
            self.started[message.resource] = asked

    def forget(self, resource: str) -> None:
        """The resource does not run here."""
        self.started.pop(resource, None)
        self.asked.pop(resource, None)
