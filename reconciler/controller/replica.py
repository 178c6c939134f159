"""A node's state in its three parts: what all members share, what follows from the view, and what this node alone remembers.

Nothing else holds state that has to survive. Each change computes a new value and then assigns it: what fails on the way leaves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cib import Cib
from reconciler.controller.installing import Installed, install
from reconciler.controller.memory import Memory
from reconciler.controller.messages import Message
from reconciler.controller.own import Own, prepare, remember, renamed_own
from reconciler.controller.shared import (
    Activation,
    Prepared,
    Proposal,
    Rejected,
    Shared,
    chained,
    deliver,
    moved_between,
)
from reconciler.frozen import frozen, replace


@frozen
class Partition:
    """The view that the fabric announced, which is never part of what members share. Nothing is decided before it is installed."""

    view: str = ""
    members: tuple[str, ...] = ()
    installed: bool = False
    protocol: int = 0
    """The one that all members of the installed view speak."""


class Replica:
    """The state of the node `name`."""

    def __init__(self, name: str, shared: Shared | None = None, own: Own | None = None) -> None:
        self.name = name
        self.shared = shared or Shared()
        self.own = own or Own()
        self.partition = Partition()
        self._cib: tuple[Cib, Partition, Cib] | None = None

    def take_in(self, sender: str, data: bytes, message: Message) -> None:
        """Take one message in, which came as `data`; one that no longer applies changes nothing but the chain."""
        commit = getattr(message, "commit", None)
        prepared = None if commit is None else self.own.prepared.get(commit)
        at_ms = getattr(message, "at_ms", 0) if sender == (self.shared.dc or sender) else 0
        shared = chained(deliver(self.shared, sender, message, prepared), sender, data, taken=True, at_ms=at_ms)
        own = renamed_own(self.own, moved_between(self.shared, shared))
        self.shared, self.own = shared, remember(own, self.name, message, shared)

    def install(self, installed: Installed, adopted: Shared | None = None) -> None:
        """A view was installed: go on from the state that all its members have, which is `adopted` where ours was another."""
        shared = install(adopted or self.shared, installed)
        own = replace(self.own, blank=self.own.blank and self.name not in installed.counting)
        self.shared, self.own = shared, own

    def promise(self, term: int) -> None:
        """Take part in nothing older than this term any more."""
        self.own = replace(self.own, promised=max(self.own.promised, term))

    def doubt(self) -> None:
        """What we hold is not what the others hold by the same messages: it counts for nothing until they have given us theirs."""
        self.own = replace(self.own, blank=True)

    def skip(self, sender: str, data: bytes) -> None:
        """Note that something was delivered that nobody takes in."""
        self.shared = chained(self.shared, sender, data, taken=False)

    def prepare(self, commit: str, prepared: Prepared) -> None:
        """Keep what a commit compiles to, until it is activated or refused."""
        self.own = prepare(self.own, commit, prepared)

    @property
    def cib(self) -> Cib:
        """What is planned from: what members share, in this partition."""
        known = self._cib
        if known is not None and known[0] is self.shared.cib and known[1] is self.partition:
            return known[2]
        cib = replace(self.shared.cib, dc_id=self.dc, have_quorum=self.quorate)
        self._cib = self.shared.cib, self.partition, cib
        return cib

    @property
    def dc(self) -> str | None:
        """The member that decides in the installed view."""
        return self.shared.dc if self.partition.installed else None

    @property
    def quorate(self) -> bool:
        """Whether the installed view has quorum."""
        return self.shared.quorate and self.partition.installed

    @property
    def digest(self) -> str:
        """Of the active configuration."""
        return self.shared.digest

    @property
    def term(self) -> int:
        """The term in which the state was last installed; 0 for none."""
        return self.shared.term

    @property
    def commit(self) -> str | None:
        """The active commit."""
        return self.shared.commit

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The versions that were active, oldest first."""
        return self.shared.activations

    @property
    def proposals(self) -> Mapping[str, Proposal]:
        """What members are examining, by commit."""
        return self.shared.proposals

    @property
    def rejected(self) -> Rejected | None:
        """The last refusal, unless something was activated since."""
        return self.shared.rejected

    @property
    def memory(self) -> Memory:
        """What this node remembers of its running resources."""
        return self.own.memory
