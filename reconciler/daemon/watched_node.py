"""What a machine's watchdog device asks of the node: whether it is a member, whether it may be fed, and whether something runs here."""

from __future__ import annotations

from typing import Protocol

from reconciler.daemon.shell import Shell, moment


class WatchedNode(Protocol):
    """The node whose machine the device is of."""

    @property
    def member(self) -> bool:
        """Whether it is heard in an installed view with quorum."""

    @property
    def may_feed(self) -> bool:
        """Whether the device may be fed now."""

    @property
    def active(self) -> bool:
        """Whether something runs here that others may start, too."""

    @property
    def counted_on(self) -> bool:
        """Whether the others, as far as is known here, count on a promise of this node."""


class NodeOfShell:
    """The node that a shell drives: `turning` is whether it was told everything that waits.

    Where one has `lost` its state in this start of the machine, more may run than it knows of, until a DC has looked for everything.
    """

    def __init__(self, shell: Shell, *, lost: bool) -> None:
        self._shell = shell
        self._lost = lost

    @property
    def member(self) -> bool:
        """Whether it is heard in an installed view with quorum."""
        node = self._shell.node
        return node.quorate and node.is_heard and node.feeds_watchdog(turning=self._shell.abreast, now=moment())

    @property
    def may_feed(self) -> bool:
        """Whether the device may be fed now."""
        fed = self._shell.node.feeds_watchdog(turning=self._shell.abreast, now=moment())
        return fed and (self.member or not self._may_run_unknown)

    @property
    def active(self) -> bool:
        """Whether something runs here that others may start, too."""
        return self._shell.node.cut_off.endangers or self._may_run_unknown

    @property
    def counted_on(self) -> bool:
        """Whether the others, as far as is known here, count on a promise of this node."""
        return self._shell.node.name in self._shell.node.self_resets

    @property
    def _may_run_unknown(self) -> bool:
        if self._lost and self.member and self._shell.node.converged:
            self._lost = False
        return self._lost
