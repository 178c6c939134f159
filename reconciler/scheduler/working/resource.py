"""A resource as the scheduler works on it during one run: its place in the tree, and a record for each stage.

One class serves all kinds: which of the fields of `clone` and `bundle` exist follows from `kind`. What is configured, found, placed and
planned of a resource is kept apart, because each is filled by stages of its own; a stage reads what earlier ones filled.
Source: the scheduler's specification, part 1, sections 8, 9 and 13; part 2, section 1; part 3, section 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.configured import Configured
from reconciler.scheduler.working.found import Found
from reconciler.scheduler.working.placed import Placed
from reconciler.scheduler.working.planned import Planned

if TYPE_CHECKING:
    from reconciler.model import resource as model
    from reconciler.scheduler.working.node import ClusterNode


class CloneFields:
    """What only clones have."""

    __slots__ = (
        "clone_max",
        "clone_node_max",
        "notify",
        "ordered",
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
        self.template: model.Primitive | model.Group | None = None
        """What instances are made from."""
        self.xml_child_id = ""


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
        "promoted_max",
        "replicas",
        "replicas_per_host",
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


class Resource:
    """One resource of any kind, or one instance of a clone."""

    __slots__ = (
        "bundle",
        "children",
        "clone",
        "config_id",
        "configured",
        "container",
        "fillers",
        "found",
        "id",
        "instance",
        "kind",
        "parent",
        "placed",
        "planned",
        "rank",
        "root",
        "sequence",
    )

    def __init__(self, id: str, kind: Kind, config_id: str | None = None, parent: Resource | None = None) -> None:
        self.id = id
        """The internal id: the configured one, with `:N` for an instance."""
        self.config_id = id if config_id is None else config_id
        """The id as configured, without an instance number."""
        self.kind = kind
        self.parent = parent
        self.root: Resource = self if parent is None or parent.kind is Kind.BUNDLE else parent.root
        """The collective root: the outermost ancestor, never stepping from a child into a bundle."""
        self.children: list[Resource] = []
        """Instances of a clone are in the order of their numbers, but for while they are placed and their roles chosen."""
        self.instance: int | None = None
        """The number among the clone's instances, which members of a cloned group share."""
        self.rank = 0
        """Of a top-level resource: its place among them once they are sorted."""
        self.sequence = 0
        """Counts up in tree order within a top-level resource."""
        self.clone: CloneFields | None = None
        self.bundle: BundleFields | None = None
        self.container: Resource | None = None
        self.fillers: list[Resource] = []
        """Resources whose container this is."""
        self.configured = Configured()
        self.found = Found()
        self.placed = Placed()
        self.planned = Planned()

    @property
    def managed(self) -> bool:
        """Whether it may be started and stopped: it is configured so, and nothing that was found speaks against it."""
        return self.configured.managed and not self.found.left_alone

    @property
    def priority(self) -> int:
        """What it is worth: as an instance to be promoted what that is worth, as soon as it is known, else as configured."""
        promotion = self.placed.promotion_priority
        return self.configured.priority if promotion is None else promotion

    @property
    def may_migrate(self) -> bool:
        """Whether it may move without being stopped: it is configured so, and no migration failed."""
        return self.configured.allow_migrate and not self.found.migration_failed

    @property
    def failure_timeout_s(self) -> int:
        """After how long its failures are forgotten; 0 when they never are."""
        return 0 if self.found.failures_stay else self.configured.failure_timeout_s

    @property
    def bundled(self) -> bool:
        """Whether it is inside a bundle."""
        return self.root.parent is not None

    @property
    def promotable_root(self) -> bool:
        """Whether its root is a promotable clone."""
        clone = self.root.clone
        return clone is not None and clone.promotable

    def is_inside(self, ancestor: Resource) -> bool:
        """Whether the other one is above it in the tree, bundles included."""
        parent = self.parent
        while parent is not None and parent is not ancestor:
            parent = parent.parent
        return parent is not None

    def leaves(self) -> list[Resource]:
        """The primitives below it (or itself), in order."""
        if self.kind is Kind.PRIMITIVE:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]

    def __repr__(self) -> str:
        return f"<{self.kind.name.capitalize()} {self.id}>"
