"""Actions, the nodes of a transition graph, and the edges between them.

Source: the scheduler's specification, part 3, sections 1, 3 and 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.resource import Operation
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


class Edge:
    """`first` comes before `then` with `effects`; 0 means that the edge is disabled. `trigger` once it is in the graph."""

    __slots__ = ("cause", "effects", "first", "then", "trigger")

    def __init__(self, first: Action, then: Action, effects: int, cause: Cause | None) -> None:
        self.first = first
        self.then = then
        self.effects = effects
        self.cause = cause
        self.trigger = False


class Values:
    """The values of the actions of one operation of one resource, evaluated when first asked for.

    `evaluate` takes a node and answers (meta, extra). Unless `per_node`, the answer is the same for all nodes and kept.
    """

    __slots__ = ("evaluate", "kept", "operation", "per_node")

    def __init__(
        self,
        operation: Operation | None,
        evaluate: Callable[[ClusterNode | None], tuple[dict[str, str], dict[str, str]]],
        per_node: bool,
    ) -> None:
        self.operation = operation
        self.evaluate = evaluate
        self.per_node = per_node
        self.kept: tuple[dict[str, str], dict[str, str]] | None = None

    def on(self, node: ClusterNode | None) -> tuple[dict[str, str], dict[str, str]]:
        """Meta and extra values on the node; not to be changed by the caller."""
        if self.per_node:
            return self.evaluate(node)
        if self.kept is None:
            self.kept = self.evaluate(node)
        return self.kept


class Action:
    """One action; flags have the meaning of the specification, part 3, section 1."""

    __slots__ = (
        "_extra",
        "cancelled_task",
        "cause",
        "dangling",
        "expected_rc",
        "id",
        "in_graph",
        "inputs",
        "interval_ms",
        "key",
        "linked",
        "migratable",
        "needed_count",
        "needs",
        "node",
        "on_fail",
        "optional",
        "outputs",
        "own_meta",
        "priority",
        "pseudo",
        "reason",
        "requires_any",
        "reschedule",
        "resource",
        "runnable",
        "runnable_count",
        "seen",
        "shown",
        "task",
        "values",
    )

    def __init__(self, id: int, key: str, task: str, resource: Resource | None, node: ClusterNode | None) -> None:
        self.id = id
        """Counts from 1 in order of creation."""
        self.key = key
        """`<resource>_<task>_<interval ms>` with the internal id."""
        self.task = task
        self.resource = resource
        self.node = node
        self.interval_ms = 0
        self.values: Values | None = None
        """Where `meta` and `extra` start from; shared with the same operation's actions on other nodes."""
        self.own_meta: dict[str, str] | None = None
        """The meta values of its own, once somebody asked for them, and so may have changed them."""
        self._extra: dict[str, str] | None = None
        self.expected_rc = 0
        """The result that it should have (`op_target_rc`, which is not among the meta values)."""
        self.needs = "nothing"
        """What a start or promote needs: fencing, quorum or nothing."""
        self.on_fail = ""
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
    def operation(self) -> Operation | None:
        """The configured operation that its values come from."""
        return None if self.values is None else self.values.operation

    @property
    def meta(self) -> dict[str, str]:
        """Its meta values, its own to change; made when first asked for, so don't ask in inner loops."""
        if self.own_meta is None:
            self.own_meta = {} if self.values is None else self.values.on(self.node)[0].copy()
        return self.own_meta

    @property
    def seen_meta(self) -> Mapping[str, str]:
        """Its meta values, not to be changed: shared with the operation's other actions as long as it has none of its own."""
        if self.own_meta is not None:
            return self.own_meta
        return {} if self.values is None else self.values.on(self.node)[0]

    @property
    def extra(self) -> dict[str, str]:
        """Instance attributes of the configured operation, evaluated for its node when first asked for."""
        if self._extra is None:
            self._extra = {} if self.values is None else self.values.on(self.node)[1]
        return self._extra

    @property
    def required(self) -> bool:
        """The opposite of optional."""
        return not self.optional

    def __repr__(self) -> str:
        return f"<Action {self.id} {self.key}{' on ' + self.node.name if self.node else ''}>"


class Phase:
    """The pseudo actions around one task of a clone: told before, confirmed, told after, confirmed.

    A stop that a fencing implies has only the latter two.
    """

    __slots__ = ("after", "before", "confirmed_after", "confirmed_before", "task")

    def __init__(self, task: str) -> None:
        self.task = task
        self.before: Action | None = None
        self.confirmed_before: Action | None = None
        self.after: Action | None = None
        self.confirmed_after: Action | None = None
