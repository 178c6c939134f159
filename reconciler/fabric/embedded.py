"""The fabric of one machine: a view of one member, which is quorate, and our own messages in the order in which we sent them."""

from __future__ import annotations

import uuid
from typing import Protocol

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict


class FabricListener(Protocol):
    """Who is told what the fabric brings."""

    def view_changed(self, view: View) -> None:
        """The fabric announces a view that there never was before."""

    def delivered(self, sender: str, data: bytes) -> None:
        """A message, in the one order that all members see."""


class Fabric(Protocol):
    """What gives a node its membership, quorum and one totally ordered broadcast."""

    kind: str

    def join(self, listener: FabricListener) -> None:
        """Become a member; from now on the listener is told."""

    def broadcast(self, data: bytes) -> None:
        """Send to all members, ourselves included."""

    def leave(self) -> None:
        """Be no member any more."""

    def gone(self, within_s: float) -> None:
        """Wait until the others were told so, but no longer."""


class EmbeddedFabric:
    """One node by itself. A message is delivered before `broadcast` returns."""

    kind = "embedded"

    def __init__(self, node: str) -> None:
        self.node = node
        self._listener: FabricListener | None = None

    def join(self, listener: FabricListener) -> None:
        """Announce the view of one."""
        self._listener = listener
        listener.view_changed(View(uuid.uuid4().hex, (self.node,), RingVerdict(True, 1), (self.node,)))

    def broadcast(self, data: bytes) -> None:
        """Deliver to ourselves."""
        if self._listener is not None:
            self._listener.delivered(self.node, data)

    def leave(self) -> None:
        """Deliver nothing more."""
        self._listener = None

    def gone(self, within_s: float) -> None:
        """There is nobody to be told."""
