"""The cluster as the scheduler works on it during one run: what all stages share.

Source: the scheduler's specification, part 1, sections 1 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reconciler.cib import FEATURE_SET
from reconciler.scheduler.working.options import ClusterOptions

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.model.date import Instant
    from reconciler.model.status import HistoryEntry, NodeState
    from reconciler.scheduler.roles import Kind
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.constraints import ColocationPair, LocationScores, Ordering, TicketHold
    from reconciler.scheduler.working.digests import Digests
    from reconciler.scheduler.working.node import AttributeValues, ClusterNode
    from reconciler.scheduler.working.resource import Resource
    from reconciler.scheduler.working.table import NodeTable


Assign = Callable[["Cluster", "Resource", "ClusterNode | None"], "ClusterNode | None"]
"""Assigning a resource of one kind, first to the node that is preferred; the answer is the node of a primitive or group."""


class FailedEntry:
    """A history entry that counts as a failed action; `masked` ones are probe failures shown beside the resource only."""

    __slots__ = ("entry", "masked", "node", "resource")

    def __init__(self, entry: HistoryEntry, node: ClusterNode, resource: Resource, masked: bool) -> None:
        self.entry = entry
        self.node = node
        self.resource = resource
        self.masked = masked


class Cluster:
    """Everything known and decided in one run, filled stage by stage."""

    __slots__ = (
        "actions",
        "actions_by_key",
        "assigners",
        "assignment_log",
        "attribute_values",
        "available",
        "blocked_count",
        "cib",
        "colocations",
        "container_stops",
        "dc",
        "deferred_checks",
        "digests",
        "disabled_count",
        "expired_entries",
        "failed",
        "failed_keys",
        "feature_set",
        "has_fence_device",
        "has_remote_nodes",
        "have_quorum",
        "instance_count",
        "locations",
        "messages",
        "name_ranks",
        "next_action_id",
        "node_ids",
        "node_index",
        "node_keys",
        "node_states",
        "nodes",
        "nodes_by_index",
        "now",
        "operation_values",
        "options",
        "orderings",
        "recheck_by_s",
        "resource_count",
        "resource_index",
        "resources",
        "sanitized",
        "score_lines",
        "show_scores",
        "start_table",
        "status_index",
        "tags",
        "tangled_steps",
        "templates",
        "tickets",
        "unfencing",
    )

    def __init__(self, cib: Cib, now: Instant) -> None:
        self.cib = cib
        self.assigners: Mapping[Kind, Assign] = {}
        """For each kind of resource how it is assigned: the kinds call one another, by way of this table."""
        self.now = now
        self.options = ClusterOptions()
        self.feature_set = cib.feature_set or FEATURE_SET
        self.have_quorum = cib.have_quorum
        self.unfencing = False
        """Whether unfencing is in use anywhere."""
        self.has_fence_device = False
        self.has_remote_nodes = False
        self.nodes: list[ClusterNode] = []
        """All nodes in natural order of their names."""
        self.nodes_by_index: list[ClusterNode] = []
        self.node_index: dict[str, ClusterNode] = {}
        """Nodes by name."""
        self.node_ids: dict[str, ClusterNode] = {}
        """Nodes by lower-cased id."""
        self.node_keys: list[tuple[tuple[int, int, int, str], ...]] = []
        """The sort keys of `nodes`, in the same order."""
        self.node_states: dict[str, NodeState | None] = {}
        """What is recorded of nodes, by name; None where two records have the same name."""
        self.status_index: dict[tuple[str, str], list[HistoryEntry]] | None = None
        """Recorded results by node name and resource, made when first needed."""
        self.operation_values: dict[tuple[object, ...], dict[str, str]] = {}
        """Values of configured operations that don't depend on the node, as far as computed."""
        self.start_table: NodeTable | None = None
        """The table that a resource starts with in a symmetric cluster, as long as no node is added."""
        self.dc: ClusterNode | None = None
        self.resources: list[Resource] = []
        """Top-level resources: by descending priority, then document order; orphans at the end."""
        self.resource_index: dict[str, list[Resource]] = {}
        """Resources by internal id and by configured id, in order of creation."""
        self.resource_count = 0
        """Resources entered in the index, which numbers them in tree order."""
        self.templates: dict[str, list[str]] = {}
        """Template ids with their users."""
        self.tags: dict[str, tuple[str, ...]] = {}
        self.tickets: dict[str, TicketHold] = {}
        self.failed: list[FailedEntry] = []
        self.digests: dict[tuple[str, str, int, int], Digests] = {}
        """Digests by resource, task, interval and node index, as far as computed."""
        self.failed_keys: set[tuple[str, int]] = set()
        """Operation keys and node indices of what `failed` holds."""
        self.expired_entries: set[int] = set()
        """Identities (`id`) of recurring entries whose failure expired: their operations have to be scheduled again."""
        self.container_stops: list[Resource] = []
        """Containers to be stopped for a failure inside, in the order found."""
        self.deferred_checks: list[tuple[HistoryEntry, Resource, ClusterNode, bool]] = []
        """Checks of a bundle connection's definition that wait for its placement, in the order found; True stands for a last failure."""
        self.instance_count = 0
        self.disabled_count = 0
        self.blocked_count = 0
        self.locations: list[LocationScores] = []
        """In order of creation; applied newest first."""
        self.colocations: list[ColocationPair] = []
        self.orderings: list[Ordering] = []
        """In order of creation."""
        self.actions: list[Action] = []
        """In order of creation; most stages go through them newest first."""
        self.actions_by_key: dict[str, list[Action]] = {}
        """Actions without a resource, by lower-cased key."""
        self.next_action_id = 1
        self.recheck_by_s: int | None = None
        """The earliest epoch time (seconds) at which time alone may change a decision."""
        self.sanitized = False
        """The status may lack private parameters, as saved ones do, so a change of those alone doesn't count."""
        self.available: list[bool] = []
        """Whether nodes are available, by index, while resources are assigned."""
        self.name_ranks: list[int] = []
        """The places of nodes, by index, in byte order of their names."""
        self.attribute_values: dict[str, AttributeValues] = {}
        """Node attributes that colocations compare, by name, as far as needed."""
        self.assignment_log: list[tuple[int, Resource, ClusterNode]] = []
        """Every assignment to a node, also those taken back: after how many score lines, what, and where."""
        self.show_scores = True
        """Whether `score_lines` and `assignment_log` are to be filled."""
        self.score_lines: list[tuple[str, str, str, int]] = []
        """(label, resource, node, score) in the order decided: Pacemaker's score listing; label "promotion" for those."""
        self.tangled_steps = 0
        """How many steps were taken to mix preferences where colocations are entangled."""
        self.messages: list[str] = []
        """What the program says about its input on standard error, in order."""

    def recheck_at(self, epoch_s: int) -> None:
        """Note that time alone may change a decision at this epoch time."""
        if self.recheck_by_s is None or epoch_s < self.recheck_by_s:
            self.recheck_by_s = epoch_s
