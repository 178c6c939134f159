"""A node as the scheduler works on it during one run.

Source: the scheduler's specification, part 1, sections 7 and 12; part 2, section 3.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from reconciler.scheduler.working.table import ALWAYS

if TYPE_CHECKING:
    from reconciler.scheduler.working.resource import Resource


class NodeKind(enum.Enum):
    """What a node is: a full member, one reached through a connection resource, or one that never runs anything."""

    CLUSTER = "cluster"
    REMOTE = "remote"  # remote and guest nodes; a guest node's connection has a container
    PING = "ping"


class ClusterNode:
    """One node: numbered once (`index`), so that score tables are lists indexed by node number.

    Flags have the meaning of the specification, part 1, section 7.1.
    """

    __slots__ = (
        "assigned_count",
        "attributes",
        "base_score",
        "capacity",
        "connection",
        "discovery_enabled",
        "discovery_mode",
        "expected_up",
        "failures",
        "fence_reason",
        "history_unpacked",
        "id",
        "index",
        "is_dc",
        "is_remote",
        "kind",
        "maintenance",
        "maintenance_recorded",
        "name",
        "online",
        "pending",
        "priority",
        "requires_reset",
        "running",
        "shutdown",
        "standby",
        "standby_on_fail",
        "unclean",
        "unseen",
        "utilization",
        "was_fenced",
    )

    def __init__(self, index: int, id: str, name: str, kind: NodeKind, base_score: int = 0) -> None:
        self.index = index
        self.id = id
        self.name = name
        self.kind = kind
        self.is_remote = kind is NodeKind.REMOTE
        """Whether it is a remote or guest node."""
        self.base_score = base_score
        self.attributes: dict[str, str] = {}
        self.utilization: dict[str, str] = {}
        """Configured capacities, texts as written."""
        self.capacity: dict[str, int] = {}
        """Remaining capacities, which placement uses up."""
        self.is_dc = False
        self.online = False
        self.unclean = False
        self.unseen = True
        self.pending = False
        self.standby = False
        self.standby_on_fail = False
        self.maintenance = False
        self.maintenance_recorded = False
        """Whether the status of a remote or guest node says that it was told to be in maintenance."""
        self.shutdown = False
        self.expected_up = False
        self.requires_reset = False
        self.was_fenced = False
        self.history_unpacked = False
        self.discovery_enabled = True
        self.discovery_mode = ALWAYS
        """The mode of its entries in new tables; `NEVER` for a bundle's nodes."""
        self.failures: list[tuple[str, str]] = []
        """Those of its attributes that record failures (`fail-count-…`, `last-failure-…`)."""
        self.connection: Resource | None = None
        """The connection resource of a remote or guest node."""
        self.running: list[Resource] = []
        """Primitives recorded active here, in the order found."""
        self.priority = 0
        """Sum of the priorities of what runs here, for priority-fencing-delay."""
        self.assigned_count = 0
        """Primitives assigned here so far in this run."""
        self.fence_reason: str | None = None
        """The first reason for which the node was marked for fencing."""

    @property
    def is_guest(self) -> bool:
        """Whether it is a guest node: its connection runs inside a container."""
        return self.is_remote and self.connection is not None and self.connection.container is not None

    @property
    def available(self) -> bool:
        """Online, clean, not shutting down, not in standby nor maintenance (part 2, section 3.2)."""
        return self.online and not (self.shutdown or self.unclean or self.standby or self.maintenance)

    def __repr__(self) -> str:
        return f"<Node {self.name}>"


class AttributeValues:
    """One attribute of all nodes by node index, in lower case, None where it is missing.

    `distinct` tells that each node has it and no two alike.
    """

    __slots__ = ("distinct", "values")

    def __init__(self, values: list[str | None]) -> None:
        self.values = values
        self.distinct = None not in values and len(set(values)) == len(values)
