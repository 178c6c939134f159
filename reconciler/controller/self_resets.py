"""What this node promises of its own watchdog: told in each view anew until the members share it, or that it does not hold.

A process that has not armed a device itself takes back what one before it had promised, before it says what it runs: nothing is begun here
before all have heard both.
Source: the design of the cluster, "Fencing, per target".
"""

from __future__ import annotations

from reconciler.controller.envelope import SELF_RESETS
from reconciler.controller.events import Broadcast, Wish
from reconciler.controller.messages import SelfReset
from reconciler.controller.replica import Replica


class SelfResets:
    """The promise of one process."""

    def __init__(self, name: str, boot: str, replica: Replica) -> None:
        self.name = name
        self._boot = boot
        self._replica = replica
        self.within_ms = 0
        """How soon this machine's watchdog resets it once its node is not heard any more; 0: nobody may count on that."""

    @property
    def spoken(self) -> bool:
        """Whether the members of the installed view tell each other of watchdogs."""
        partition = self._replica.partition
        return partition.installed and partition.protocol >= SELF_RESETS

    def promised(self, within_ms: int) -> list[Wish]:
        """The daemon has armed the device, or may not say so any more."""
        self.within_ms = within_ms
        return self.told()

    def told(self) -> list[Wish]:
        """Tell the others, unless they know it."""
        known = self._replica.shared.nodes.get(self.name)
        shared_ms = known.resets_within_ms if known is not None and known.boot == self._boot else 0
        if not self.spoken or shared_ms == self.within_ms:
            return []
        return [Broadcast(SelfReset(self.name, self._boot, self.within_ms))]
