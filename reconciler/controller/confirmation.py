"""On how many disks the active version certainly is: it can't be lost any more once members with most of the votes have it there, and none
goes by a former one once all members of the view do.

Each member tells that for itself, in every view anew; it is nothing that is decided, and neither chain nor journal has it.
Source: the design of the cluster, "Configuration travels as git objects", "Terms".
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.controller.events import Broadcast, Emit, Wish
from reconciler.controller.messages import Kept
from reconciler.controller.replica import Replica


class Confirmation:
    """Who has told that the active version is durable with it."""

    def __init__(self, own: str, replica: Replica) -> None:
        self.own = own
        self.replica = replica
        self._version: tuple[int, str | None] = (0, None)
        """What `by` is about: the epoch and its commit."""
        self._by: set[str] = set()
        self._told = False
        self._here: dict[str, tuple[int, str | None]] = {}
        """By member the version that it has told of in this view."""

    @property
    def by(self) -> tuple[str, ...]:
        """Who has the active version on its disk, as far as it is known here."""
        return tuple(sorted(self._by)) if self._version == self._active else ()

    @property
    def confirmed(self) -> bool:
        """Whether that is a majority of the votes."""
        votes = self.replica.shared.votes
        return 2 * sum(votes.get(node, 0) for node in self.by) > sum(votes.values())

    def begin(self) -> None:
        """Another view is installed: each member tells anew what it has."""
        self._here.clear()

    def everywhere(self, members: Iterable[str]) -> bool:
        """Whether each of these members has told in this view that it has the active version: none of them may go by a former one."""
        return self.replica.commit is None or all(self._here.get(one) == self._active for one in members)

    def durable(self) -> list[Wish]:
        """The active version is on the disk of this node: tell the others, if there are any."""
        version = epoch, commit = self._active
        if commit is None:
            return []
        if self.replica.shared.votes.keys() <= {self.own}:
            return self._add(version, self.own)
        return [Broadcast(Kept(self.own, commit, epoch))]

    def heard(self, message: Kept) -> list[Wish]:
        """A member has told what is on its disk."""
        return self._add((message.epoch, message.commit), message.node)

    @property
    def _active(self) -> tuple[int, str | None]:
        return self.replica.cib.version.epoch, self.replica.commit

    def _add(self, version: tuple[int, str | None], node: str) -> list[Wish]:
        self._here[node] = version
        if version != self._active:
            return []
        if version != self._version:
            self._version, self._by, self._told = version, set(), False
        self._by.add(node)
        if self._told or not self.confirmed:
            return []
        self._told = True
        commit = self.replica.activations[-1].commit
        votes = self.replica.shared.votes
        fields = {
            "proposal": commit,
            "commit": commit,
            "version": self.replica.activations[-1].version,
            "by": list(self.by),
            "votes": sum(votes.get(one, 0) for one in self.by),
            "of": sum(votes.values()),
        }
        return [Emit("confirmed", fields)]
