"""What was found of a resource: where it is active, in which role, what failed, what is under way.

Source: the scheduler's specification, part 1, section 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Role

if TYPE_CHECKING:
    from reconciler.scheduler.working.node import ClusterNode


class Found:
    """What the status says of it: filled by `recalling`. What later stages have to add to that, they note (`noting`)."""

    __slots__ = (
        "active_on",
        "blocked",
        "dangling",
        "failed",
        "failure_ignored",
        "failures_stay",
        "filler_orphan",
        "history_name",
        "known_on",
        "left_alone",
        "lock_node",
        "lock_time_s",
        "migration_failed",
        "must_stop",
        "partial_source",
        "partial_target",
        "pending_node",
        "pending_task",
        "role",
        "start_pending",
    )

    def __init__(self) -> None:
        self.role = Role.STOPPED
        self.active_on: list[ClusterNode] = []
        """Where it is active, in the order found."""
        self.known_on: dict[int, ClusterNode] = {}
        """Nodes where its state is known, by index."""
        self.history_name: str | None = None
        self.filler_orphan = False
        """An orphaned connection whose history says that it had a container."""
        self.failed = False
        self.must_stop = False
        """Its failure calls for a stop."""
        self.failure_ignored = False
        self.failures_stay = False
        """One of its failures blocks it, so none is ever forgotten."""
        self.left_alone = False
        """It is neither started nor stopped for now, whatever is configured."""
        self.blocked = False
        """It is left alone because of a failure, or for want of a ticket."""
        self.start_pending = False
        self.pending_task: str | None = None
        self.pending_node: ClusterNode | None = None
        self.partial_source: ClusterNode | None = None
        self.partial_target: ClusterNode | None = None
        self.migration_failed = False
        self.dangling: list[ClusterNode] = []
        """Sources of migrations whose stop was never seen, most recent first."""
        self.lock_node: ClusterNode | None = None
        self.lock_time_s = 0
