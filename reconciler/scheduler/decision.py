"""Decisions: why each resource is where it is, as values that explanations read.

Resources are told by their numbers, since two may share a name; numbers count in tree order, what belongs to a collective right after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.frozen import frozen
from reconciler.scheduler.cause import Cause, Contribution
from reconciler.scheduler.roles import Kind, Role


@frozen
class DecidedNode:
    """A node as it was found; `capacity` is what is configured of it, texts as written."""

    name: str
    online: bool
    unclean: bool
    pending: bool
    standby: bool
    standby_on_fail: bool
    maintenance: bool
    shutdown: bool
    remote: bool
    capacity: Mapping[str, str]


@frozen
class Hindrance:
    """A task of another resource that is waited for and not possible either."""

    task: str
    resource: int
    cause: Cause | None


@frozen
class Impossible:
    """A start or promotion that can't be done; `optional` when nothing calls for it. `reason` is Pacemaker's own text."""

    task: str
    node: str | None
    optional: bool
    cause: Cause | None
    reason: str | None
    hindrances: tuple[Hindrance, ...]


@frozen
class NeededTicket:
    """A ticket that a resource needs (for a role, if not for running at all), how it stands, and what follows when it may not be used."""

    ticket: str
    granted: bool
    standby: bool
    role: Role
    policy: str
    cause: Cause

    @property
    def usable(self) -> bool:
        """Whether it may be used now."""
        return self.granted and not self.standby


@frozen
class CloneLimits:
    """The limits of a clone."""

    clone_max: int
    clone_node_max: int
    promoted_max: int
    promotable: bool


@frozen
class Decision:
    """What was found and decided of one resource of any kind, or instance of a clone. Nodes are told by name.

    `owner` is what it belongs to, `parts` what belongs to it. `colocations` are those where it is the dependent, each by the subject of
    its cause with its primary. `target_role` is the meta-attribute as written. Of a primitive, `scores` are those of its table
    and `contributions` why they are so, by node; `impossible` are its starts and promotions that can't be done; `starts` tells that one is
    to be done; `promotion` is the score that its agent gives it on its node, `promotion_terms` what locations for the promoted role add;
    `forgiven` are nodes where failures are remembered that no longer count.
    """

    number: int
    id: str
    config_id: str
    history_name: str | None
    kind: Kind
    owner: int | None
    parts: tuple[int, ...]
    internal: bool
    orphan: bool
    unique: bool
    managed: bool
    maintenance: bool
    blocked: bool
    failed: bool
    target_role: str | None
    tickets: tuple[NeededTicket, ...]
    colocations: tuple[tuple[str, int], ...]
    limits: CloneLimits | None
    role: Role
    next_role: Role
    next_role_cause: Cause | None
    active_on: tuple[str, ...]
    node: str | None
    assigned: Cause | None
    scores: Mapping[str, int]
    contributions: Mapping[str, tuple[Contribution, ...]]
    impossible: tuple[Impossible, ...]
    starts: bool
    promotion: int | None
    promotion_terms: tuple[Contribution, ...]
    utilization: Mapping[str, str]
    forgiven: tuple[str, ...]


@frozen
class Decisions:
    """All decisions of a run, with what of the cluster they depend on. Nodes and options are as the run saw them."""

    resources: tuple[Decision, ...]
    nodes: tuple[DecidedNode, ...]
    quorate: bool
    maintenance_mode: bool
    stop_all_resources: bool
    fencing_enabled: bool
    fence_device: bool
    """Whether there is anything that could fence."""

    @property
    def tops(self) -> Iterator[Decision]:
        """The resources that belong to nothing."""
        return (one for one in self.resources if one.owner is None)

    def owner(self, one: Decision) -> Decision | None:
        """What the resource belongs to."""
        return None if one.owner is None else self.resources[one.owner]

    def root(self, one: Decision) -> Decision:
        """The outermost collective it is in, without stepping from a part of a bundle to the bundle."""
        while (owner := self.owner(one)) is not None and owner.kind is not Kind.BUNDLE:
            one = owner
        return one

    def below(self, one: Decision) -> Iterator[Decision]:
        """Everything that belongs to it, in tree order."""
        for number in one.parts:
            yield self.resources[number]
            yield from self.below(self.resources[number])

    def leaves(self, one: Decision) -> tuple[Decision, ...]:
        """The primitives below it, or itself."""
        if one.kind is Kind.PRIMITIVE:
            return (one,)
        return tuple(leaf for leaf in self.below(one) if leaf.kind is Kind.PRIMITIVE)

    def node(self, name: str) -> DecidedNode | None:
        """The node of this name."""
        return next((node for node in self.nodes if node.name == name), None)
