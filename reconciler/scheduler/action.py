"""Actions, the nodes of a transition graph, and the edges between them.

Source: the scheduler's specification, part 3, sections 1, 3 and 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause

if TYPE_CHECKING:
    from reconciler.model.resource import Operation
    from reconciler.scheduler.node import Node
    from reconciler.scheduler.resource import Resource
    from reconciler.scheduler.roles import Role


class Edge:
    """`first` comes before `then` with `effects`; 0 means that the edge is disabled. `trigger` once it is in the graph."""

    __slots__ = ("cause", "effects", "first", "then", "trigger")

    def __init__(self, first: Action, then: Action, effects: int, cause: Cause | None) -> None:
        self.first = first
        self.then = then
        self.effects = effects
        self.cause = cause
        self.trigger = False


class Action:
    """One action; flags have the meaning of the specification, part 3, section 1."""

    __slots__ = (
        "cancelled_task",
        "cause",
        "dangling",
        "extra",
        "id",
        "in_graph",
        "inputs",
        "interval_ms",
        "key",
        "linked",
        "meta",
        "migratable",
        "needed_count",
        "needs",
        "node",
        "on_fail",
        "operation",
        "optional",
        "outputs",
        "priority",
        "pseudo",
        "reason",
        "requires_any",
        "reschedule",
        "resource",
        "role_after_failure",
        "runnable",
        "runnable_count",
        "seen",
        "shown",
        "task",
    )

    def __init__(self, id: int, key: str, task: str, resource: Resource | None, node: Node | None) -> None:
        self.id = id
        """Counts from 1 in order of creation."""
        self.key = key
        """`<resource>_<task>_<interval ms>` with the internal id."""
        self.task = task
        self.resource = resource
        self.node = node
        self.interval_ms = 0
        self.operation: Operation | None = None
        """The configured operation that its values come from."""
        self.meta: dict[str, str] = {}
        self.extra: dict[str, str] = {}
        """Instance attributes of the configured operation."""
        self.needs = "nothing"
        """What a start or promote needs: fencing, quorum or nothing."""
        self.on_fail = ""
        self.role_after_failure: Role | None = None
        self.optional = True
        self.runnable = True
        self.pseudo = False
        self.shown = False
        self.migratable = False
        self.dangling = False
        self.requires_any = False
        self.needed_count = 0
        self.runnable_count = 0
        self.reschedule = False
        self.in_graph = False
        self.seen = 0
        """A mark of graph walks: the number of the walk that saw it last."""
        self.priority = 0
        self.cancelled_task: str | None = None
        """The task that a cancel cancels."""
        self.reason: str | None = None
        """Pacemaker's own reason text, shown in the summary as `due to …`."""
        self.cause: Cause | None = None
        """Our reason: why it is as it is, down to what it comes from."""
        self.inputs: list[Edge] = []
        """Edges into it, newest last; iterate reversed for the specification's list order."""
        self.outputs: list[Edge] = []
        """Edges out of it, newest last."""
        self.linked: dict[int, int] = {}
        """By id of a first action: the union of the effects with which edges from it were made."""

    @property
    def required(self) -> bool:
        """The opposite of optional."""
        return not self.optional

    def __repr__(self) -> str:
        return f"<Action {self.id} {self.key}{' on ' + self.node.name if self.node else ''}>"
