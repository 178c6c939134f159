"""What is configured of a resource, as values of their types.

Source: the scheduler's specification, part 1, sections 8 and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks
from reconciler.model.score import INFINITY

if TYPE_CHECKING:
    from reconciler.model.resource import Agent, Operation
    from reconciler.scheduler.roles import Role


class Configured:
    """What the configuration says, with what follows from that alone: filled by `reading`, and not changed by what comes after.

    `param_cache` and `operation_index` keep what was made of it.
    """

    __slots__ = (
        "agent",
        "allow_migrate",
        "critical",
        "description",
        "failure_timeout_s",
        "group_collocated",
        "group_ordered",
        "internal",
        "is_connection",
        "is_stonith",
        "maintenance",
        "managed",
        "meta",
        "meta_blocks",
        "migration_threshold",
        "multiple_active",
        "needs_fencing",
        "needs_quorum",
        "needs_unfencing",
        "notify",
        "operation_index",
        "operations",
        "orphan",
        "param_blocks",
        "param_cache",
        "priority",
        "reconnect_interval_ms",
        "role_limit",
        "stickiness",
        "unique",
        "utilization",
    )

    def __init__(self) -> None:
        self.agent: Agent | None = None
        self.description: str | None = None
        self.meta: dict[str, str] = {}
        """The finished table of meta-attributes."""
        self.meta_blocks: tuple[AttributeBlocks, ...] = ()
        """Blocks of meta-attributes: own first, then the parent's and so on, which children inherit."""
        self.param_blocks: tuple[AttributeBlocks, ...] = (NO_ATTRIBUTES,)
        """Blocks of parameters: own first, then the parent's and so on; the defaults come last."""
        self.param_cache: dict[int, dict[str, str]] = {}
        """Parameters evaluated, by node index; -1 without a node."""
        self.operations: tuple[Operation, ...] = ()
        self.operation_index: dict[tuple[str, int], tuple[Operation, Operation | None]] | None = None
        """Of each lower-cased name and interval (ms) the first operation and the first enabled one, made when first needed."""
        self.utilization: dict[str, str] = {}
        self.group_ordered = True
        self.group_collocated = True
        self.priority = 0
        self.stickiness = 0
        self.role_limit: Role | None = None
        """The highest role that `target-role` lets it have; None when that doesn't limit it."""
        self.migration_threshold = INFINITY
        self.failure_timeout_s = 0
        self.reconnect_interval_ms = 0
        self.multiple_active = "stop_start"
        self.critical = True
        self.notify = False
        self.allow_migrate = False
        self.unique = True
        self.needs_quorum = False
        self.needs_fencing = False
        self.needs_unfencing = False
        self.managed = True
        self.maintenance = False
        self.internal = False
        """Made by the scheduler itself (a guest's or bundle's connection), so not listed."""
        self.is_connection = False
        """A connection resource of a remote or guest node (`ocf:pacemaker:remote`)."""
        self.is_stonith = False
        """A fence device."""
        self.orphan = False
        """Nothing of it is configured (any more): only histories know it."""
