"""A resource as the scheduler works on it during one run: configuration, what was found of it, what is decided.

One class serves all kinds: which of the fields of `clone` and `bundle` exist follows from `kind`. The fields are grouped by the
stage that fills them; a stage reads what earlier ones filled.
Source: the scheduler's specification, part 1, sections 8, 9 and 13; part 2, section 1; part 3, section 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks
from reconciler.model.resource import Agent, Operation
from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Contribution
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.table import NodeTable

if TYPE_CHECKING:
    from reconciler.model import resource as configured
    from reconciler.scheduler.working.action import Action, Phase
    from reconciler.scheduler.working.constraints import ColocationPair, LocationScores, TicketRule
    from reconciler.scheduler.working.node import ClusterNode


class CloneFields:
    """What only clones have."""

    __slots__ = (
        "clone_max",
        "clone_node_max",
        "notify",
        "ordered",
        "phases",
        "promotable",
        "promoted_max",
        "promoted_node_max",
        "template",
        "xml_child_id",
    )

    def __init__(self) -> None:
        self.clone_max = 0
        self.clone_node_max = 1
        self.ordered = False
        self.notify = False
        self.promotable = False
        self.promoted_max = 1
        self.promoted_node_max = 1
        self.template: configured.Primitive | configured.Group | None = None
        """What instances are made from."""
        self.xml_child_id = ""
        self.phases: dict[str, Phase] = {}
        """The pseudo actions of its notifications, by the task they are about."""


class BundleReplica:
    """One replica of a bundle: its container, and where they exist its address, connection and inner instance."""

    __slots__ = ("connection", "container", "index", "ip", "ip_address", "node", "primitive")

    def __init__(self, index: int) -> None:
        self.index = index
        self.container: Resource | None = None
        self.ip: Resource | None = None
        self.ip_address: str | None = None
        self.connection: Resource | None = None
        self.primitive: Resource | None = None
        self.node: ClusterNode | None = None
        """The guest node that the replica provides."""


class BundleFields:
    """What only bundles have."""

    __slots__ = (
        "clone",
        "image",
        "nested_runs",
        "promoted_max",
        "replicas",
        "replicas_per_host",
        "running",
        "unique",
    )

    def __init__(self) -> None:
        self.image = ""
        self.promoted_max = 0
        self.replicas_per_host = 1
        self.unique = True
        self.replicas: list[BundleReplica] = []
        self.clone: Resource | None = None
        """The implicit clone around the inner primitive, None without one."""
        self.running = 0
        """How many assignments of the bundle are under way, one within the other."""
        self.nested_runs = 0
        """How many assignments of the bundle were begun while another one was under way."""


class Resource:
    """One resource of any kind, or one instance of a clone."""

    __slots__ = (
        "actions",
        "actions_by_key",
        "active_on",
        "agent",
        "allow_migrate",
        "assigned",
        "assigned_score",
        "assigning",
        "blocked",
        "bundle",
        "children",
        "clone",
        "colocations",
        "config_id",
        "container",
        "contributions",
        "critical",
        "dangling",
        "description",
        "exclusive_discovery",
        "expected_node",
        "extra",
        "fail_counts",
        "failed",
        "failure_ignored",
        "failure_timeout_s",
        "filler_orphan",
        "fillers",
        "followers",
        "group_collocated",
        "group_ordered",
        "history_name",
        "id",
        "instance",
        "instance_counts",
        "internal",
        "is_connection",
        "kind",
        "known_on",
        "left_out",
        "locations",
        "lock_node",
        "lock_time_s",
        "maintenance",
        "managed",
        "meta",
        "meta_blocks",
        "migration_threshold",
        "multiple_active",
        "must_stop",
        "needs_fencing",
        "needs_quorum",
        "needs_unfencing",
        "next_role",
        "next_role_cause",
        "node",
        "notify",
        "operation_index",
        "operations",
        "orphan",
        "param_blocks",
        "param_cache",
        "parent",
        "partial_source",
        "partial_target",
        "pending_node",
        "pending_task",
        "priority",
        "rank",
        "reconnect_interval_ms",
        "reloading",
        "role",
        "sequence",
        "settled",
        "start_pending",
        "stickiness",
        "table",
        "tickets",
        "unique",
        "utilization",
    )

    def __init__(self, id: str, kind: Kind, config_id: str | None = None, parent: Resource | None = None) -> None:
        # Configuration (part 1, sections 8 and 9)
        self.id = id
        """The internal id: the configured one, with `:N` for an instance."""
        self.config_id = id if config_id is None else config_id
        """The id as configured, without an instance number."""
        self.kind = kind
        self.parent = parent
        self.children: list[Resource] = []
        self.instance: int | None = None
        """The number among the clone's instances, which members of a cloned group share."""
        self.agent: Agent | None = None
        self.description: str | None = None
        self.extra: dict[str, str] = {}
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
        self.rank = 0
        """Of a top-level resource: its place among them once they are sorted."""
        self.sequence = 0
        """Counts up in tree order within a top-level resource."""
        self.utilization: dict[str, str] = {}
        self.clone: CloneFields | None = None
        self.bundle: BundleFields | None = None
        self.group_ordered = True
        self.group_collocated = True
        self.priority = 0
        self.stickiness = 0
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
        self.container: Resource | None = None
        self.fillers: list[Resource] = []
        """Resources whose container this is."""
        self.filler_orphan = False
        """An orphaned connection whose history says that it had a container."""
        # Status (part 1, section 13)
        self.role = Role.STOPPED
        self.active_on: list[ClusterNode] = []
        """Where it is active, in the order found."""
        self.known_on: dict[int, ClusterNode] = {}
        """Nodes where its state is known, by index."""
        self.history_name: str | None = None
        self.orphan = False
        self.failed = False
        self.must_stop = False
        """Its failure calls for a stop."""
        self.failure_ignored = False
        self.blocked = False
        self.start_pending = False
        self.pending_task: str | None = None
        self.pending_node: ClusterNode | None = None
        self.partial_source: ClusterNode | None = None
        self.partial_target: ClusterNode | None = None
        self.dangling: list[ClusterNode] = []
        """Sources of migrations whose stop was never seen, most recent first."""
        self.lock_node: ClusterNode | None = None
        self.lock_time_s = 0
        self.fail_counts: dict[int, int] = {}
        """Effective fail counts by node index, as far as computed."""
        # Placement (part 2)
        self.table = NodeTable()
        self.exclusive_discovery = False
        self.locations: list[LocationScores] = []
        self.colocations: list[ColocationPair] = []
        """Constraints where it is the dependent, sorted (its own list)."""
        self.followers: list[ColocationPair] = []
        """Constraints where it is the primary, sorted."""
        self.tickets: list[TicketRule] = []
        self.contributions: list[Contribution] = []
        """Why the scores of its table are what they are, in the order in which they came."""
        self.next_role = Role.UNKNOWN
        self.next_role_cause: Cause | None = None
        self.node: ClusterNode | None = None
        """Where it will run; None when nowhere or not yet decided."""
        self.assigned_score = 0
        """The table's score of `node` at the moment of the assignment."""
        self.instance_counts: dict[int, int] = {}
        """Of a clone or bundle: instances placed (later: promoted) so far, by node index."""
        self.assigned: Cause | None = None
        """Why `node` was chosen, or why none was."""
        self.settled = False
        """It was assigned, or found to have no node possible."""
        self.left_out = False
        """While its instances are ranked and sorted, no chain of colocations leads through it."""
        self.assigning = False
        """It is in the middle of its assignment."""
        # Actions (part 3)
        self.actions: list[Action] = []
        """Its actions, oldest first."""
        self.actions_by_key: dict[str, list[Action]] = {}
        """The same by lower-cased key, oldest first."""
        self.expected_node: ClusterNode | None = None
        """Where a multiply active resource may stay (multiple-active=stop_unexpected)."""
        self.reloading = False

    @property
    def root(self) -> Resource:
        """The collective root: the outermost ancestor, never stepping from a child into a bundle."""
        top = self
        while top.parent is not None and top.parent.kind is not Kind.BUNDLE:
            top = top.parent
        return top

    @property
    def bundled(self) -> bool:
        """Whether it is inside a bundle."""
        return self.root.parent is not None

    @property
    def promotable_root(self) -> bool:
        """Whether its root is a promotable clone."""
        clone = self.root.clone
        return clone is not None and clone.promotable

    @property
    def is_stonith(self) -> bool:
        """Whether it is a fence device."""
        return self.agent is not None and self.agent.standard.lower() == "stonith"

    def leaves(self) -> list[Resource]:
        """The primitives below it (or itself), in order."""
        if self.kind is Kind.PRIMITIVE:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]

    def __repr__(self) -> str:
        return f"<{self.kind.name.capitalize()} {self.id}>"
