"""What actions do to one another: requirements and impossibilities spread along the edges until nothing changes.

The specification describes a recursion, and its order of evaluation is observable. It is kept as a recursion here; a chain of
orders may be as long as the cluster has actions, so the interpreter's limit is raised while it runs. (Calls between Python
functions take no space on the C stack.)
Source: the scheduler's specification, part 3, sections 11.2 to 11.6.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import newest
from reconciler.scheduler.noting.orderings import add_edge
from reconciler.scheduler.ordering.edge_effects import affect
from reconciler.scheduler.ordering.flags import OPTIONAL, RUNNABLE, OrderingFlags, containers
from reconciler.scheduler.ordering.interleaving import interleaved, pairs
from reconciler.scheduler.placing.settling import settle_nowhere
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.effects import (
    ANTI,
    ANY,
    ASY,
    CXL,
    KEEP,
    LOAD,
    MIGF,
    NOMIG,
    NONE,
    ORD,
    PRB,
    PSD,
    RF,
    RFP,
    RN,
    RST,
    RT,
    RTN,
    SAME,
    SER,
    SHF,
    SHT,
)
from reconciler.scheduler.working.whereabouts import single_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action, Edge
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

_PRIMITIVE = Kind.PRIMITIVE
_GROUP = Kind.GROUP
_CLONE = Kind.CLONE

_FIRST: Final = 1
_THEN: Final = 2
"""What an effect changed: one or both of these."""

_IN_TURN: Final = (RN, MIGF, PSD, ORD, ASY)
_IN_TURN_BUT_ORDER: Final = (RN, MIGF, PSD, ASY)
"""Mere order matters to interleaved instances, which get edges of their own."""

_FRAMES_PER_ACTION: Final = 40
_SPARE_FRAMES: Final = 10_000

_STOPS: Final = RT | RF | RST
_INERT: Final = ORD | SAME | KEEP | NOMIG | LOAD | ANTI | SER | CXL
"""Effects that change nothing about actions without members, beyond what is done before effects are applied."""
_ALWAYS: Final = ANY | MIGF | RTN
"""Effects that act even where both actions are optional and runnable."""


def block_colocated(cluster: Cluster) -> None:
    """Block what must run together with resources that can't start, before anything else is considered (section 11.6)."""
    propagation = Propagation(cluster)
    with _deep_recursion(len(cluster.actions)):
        for action in reversed(cluster.actions):
            propagation.block_dependents(action)


def propagate(cluster: Cluster) -> None:
    """Let every action, newest first, take account of those before it (section 11.4)."""
    propagation = Propagation(cluster)
    with _deep_recursion(len(cluster.actions)):
        for action in reversed(cluster.actions):
            if action.inputs or action.requires_any:
                propagation.update(action)


class Propagation:
    """The spreading of flags along edges, for one run of the scheduler."""

    __slots__ = ("_cluster", "_flags")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._flags = OrderingFlags()

    def update(self, then: Action) -> None:
        """Let the action take account of all those before it; what it changes is updated in turn (section 11.4)."""
        optional, runnable, shown = then.optional, then.runnable, then.shown
        changed = 0
        if then.requires_any:
            then.runnable_count = 0
            then.needed_count = max(1, then.needed_count)
            then.runnable = False
            self._flags.forget()
        inputs = then.inputs
        for position in range(len(inputs) - 1, -1, -1):
            edge = inputs[position]
            found = self._take(edge)
            if found:
                changed |= found & _THEN
                if found & _FIRST:
                    self._update_followers(edge.first)
                    self.update(edge.first)
        if then.requires_any:
            same = (optional, runnable, shown) == (then.optional, then.runnable, then.shown)
            changed = 0 if same else _THEN
        if changed:
            if runnable and not then.runnable:
                self.block_dependents(then)
            self.update(then)
            self._update_followers(then)

    def block_dependents(self, action: Action) -> None:
        """A start or promotion that can't be: what must run with the resource can't start either (section 11.6)."""
        if action.runnable or action.task not in ("start", "promote") or action.resource is None:
            return
        resource = _whole(action.resource)
        for child in resource.children:
            of_child = newest(child, task=action.task)
            if of_child is None or of_child.runnable:
                return
        for colocation in resource.placed.followers:
            if colocation.score < INFINITY:
                continue
            if action.task == "promote" and colocation.primary_role is not Role.PROMOTED:
                continue
            task = "promote" if colocation.dependent_role is Role.PROMOTED else "start"
            self._block(colocation.dependent, task, action.resource, colocation.cause)

    def _block(self, resource: Resource, task: str, because: Resource, cause: Cause) -> None:
        for action in reversed(resource.planned.actions):
            if action.runnable and action.task == task:
                action.runnable = False
                if action.reason is None:
                    action.reason = f"colocation with {because.id}"
                    action.cause = cause
                self._flags.forget()
                self.block_dependents(action)
                self.update(action)
        for child in resource.children:
            self._block(child, task, because, cause)

    def _update_followers(self, action: Action) -> None:
        outputs = action.outputs
        for position in range(len(outputs) - 1, -1, -1):
            self.update(outputs[position].then)

    # One edge

    def _take(self, edge: Edge) -> int:
        """Evaluate one input edge; tells which of its two ends has changed."""
        first, then = edge.first, edge.then
        one, other = first.resource, then.resource
        effects = edge.effects
        if effects & SAME and _apart(_place(first), _place(then)):
            edge.effects = NONE
            return 0
        if effects & CXL and one is not None and not then.optional:
            self._cancel(first)
        if _single(one) and _single(other):
            if not effects & ~_INERT:
                return 0
            if first.optional and then.optional and first.runnable and then.runnable and not effects & _ALWAYS:
                return 0
        elif one is not None and other is not None and one is not other and not other.is_inside(one):
            first = self._flags.completed(first)
        # Even where the edge has no effect, the flags of collectives have to be computed: that corrects them.
        of_first, of_then = self._flags.of(first, _place(then)), self._flags.of(then, _place(edge.first))
        if first is not edge.first:
            return self._redirect(edge, first)
        return self._apply(edge, of_first, of_then) if effects else 0

    def _cancel(self, action: Action) -> None:
        if not action.optional:
            action.optional = True
            self._flags.forget()
        if action.task == "reload-agent" and action.resource is not None:
            action.resource.planned.reloading = False

    def _redirect(self, edge: Edge, completed: Action) -> int:
        """Let the edge start from the completed form instead (section 11.3)."""
        if not add_edge(completed, edge.then, edge.effects, edge.cause):
            return 0
        edge.effects = NONE
        return _THEN

    def _apply(self, edge: Edge, of_first: int, of_then: int) -> int:
        """Apply the effects of an edge in the order of the table (section 11.4)."""
        first, then = edge.first, edge.then
        resource = then.resource
        node = then.node
        changed = 0
        if edge.effects & RTN:
            edge.effects = edge.effects & ~RTN | RT
            node = first.node
        effects = edge.effects
        if resource is None:
            changed = self._apply_to_point(edge, of_first)
        else:
            if effects & RT:
                changed |= self._dispatch(resource, edge, first, then, node, of_first, RT)
            if effects & RST:
                changed |= self._dispatch(resource, edge, first, then, node, of_first, RST)
        if effects & RF:
            changed |= self._imply_first(edge, node, of_first)
        if resource is not None:
            if effects & RFP:
                changed |= self._dispatch(resource, edge, first, then, node, of_first, RFP)
            if effects & PRB:
                if not of_first & RUNNABLE and first.resource is not None and first.resource.found.active_on:
                    edge.effects = NONE
                else:
                    changed |= self._dispatch(resource, edge, first, then, node, of_first, RN)
            for effect in _IN_TURN if resource.kind >= _CLONE else _IN_TURN_BUT_ORDER:
                if effects & effect:
                    changed |= self._dispatch(resource, edge, first, then, node, of_first, effect)
        self._show(effects, first, then, of_first, of_then)
        return changed | self._block_after_stop(effects, first, then)

    def _apply_to_point(self, edge: Edge, of_first: int) -> int:
        """The effects on an action without a resource."""
        then = edge.then
        effects = edge.effects
        changed = 0
        if effects & RT and not of_first & OPTIONAL and then.optional:
            then.optional = False
            changed = _THEN
        if effects & ANY and of_first & RUNNABLE:
            then.runnable_count += 1
            if then.runnable_count >= then.needed_count and not then.runnable:
                then.runnable = True
                changed = _THEN
        if effects & RN and then.runnable and not of_first & RUNNABLE:
            then.runnable = False
            changed = _THEN
        if changed:
            self._flags.forget()
        return changed

    def _imply_first(self, edge: Edge, node: ClusterNode | None, of_first: int) -> int:
        first, then = edge.first, edge.then
        if first.resource is not None:
            return self._dispatch(first.resource, edge, first, then, node, of_first, RF)
        if of_first & OPTIONAL or not first.runnable:
            return 0
        first.runnable = False
        self._flags.forget()
        return _FIRST

    def _show(self, effects: int, first: Action, then: Action, of_first: int, of_then: int) -> None:
        if effects & SHT and first.runnable and not of_first & OPTIONAL:
            then.shown = True
        if effects & SHF and not of_then & OPTIONAL:
            first.shown = True

    def _block_after_stop(self, effects: int, first: Action, then: Action) -> int:
        """What depends on the stop of a resource that is unmanaged and blocked can't be."""
        resource = first.resource
        if not effects & _STOPS or first.runnable or first.task != "stop" or not then.runnable:
            return 0
        if resource is None or resource.managed or not resource.found.blocked:
            return 0
        then.runnable = False
        self._flags.forget()
        return _THEN

    # Kinds of resources (section 11.5)

    def _dispatch(
        self,
        owner: Resource,
        edge: Edge,
        first: Action,
        then: Action,
        node: ClusterNode | None,
        of_first: int,
        effect: int,
    ) -> int:
        """Apply one effect to a pair as the kind of the owner demands."""
        if owner.kind is _PRIMITIVE:
            return self._affect(edge, first, then, of_first, effect)
        if owner.kind is _GROUP:
            return self._affect_group(edge, first, then, node, of_first, effect)
        if interleaved(first, then):
            return self._affect_pairs(edge, first, then, node, effect)
        return self._affect_instances(edge, first, then, node, of_first, effect)

    def _affect_group(
        self, edge: Edge, first: Action, then: Action, node: ClusterNode | None, of_first: int, effect: int
    ) -> int:
        changed = self._affect(edge, first, then, of_first, effect)
        for member in then.resource.children if then.resource is not None else ():
            of_member = newest(member, task=then.task, node=node)
            if of_member is not None:
                changed |= self._dispatch(member, edge, first, of_member, node, of_first, effect)
        return changed

    def _affect_instances(
        self, edge: Edge, first: Action, then: Action, node: ClusterNode | None, of_first: int, effect: int
    ) -> int:
        changed = self._affect(edge, first, then, of_first, effect)
        for child in containers(then.resource) if then.resource is not None else ():
            of_child = newest(child, task=then.task, node=node)
            if of_child is None or not self._flags.of_member(of_child, node) & RUNNABLE:
                continue
            found = self._dispatch(child, edge, first, of_child, node, of_first, effect)
            changed |= found
            if found & _THEN:
                self._update_followers(of_child)
        return changed

    def _affect_pairs(self, edge: Edge, first: Action, then: Action, node: ClusterNode | None, effect: int) -> int:
        """Apply the effect to instances that share a place, instead of the clones as a whole."""
        changed = 0
        for pair in pairs(self._cluster, first, then, node):
            if pair.inhibited is not None:
                if effect in (RN, RT) and self._inhibit(pair.inhibited, edge.cause):
                    changed |= _THEN
            elif pair.first is not None and pair.then is not None:
                if add_edge(pair.first, pair.then, effect, edge.cause):
                    changed |= _FIRST | _THEN
                owner = pair.then.resource
                if owner is not None:
                    of_first = self._flags.of_member(pair.first, node)
                    changed |= self._dispatch(owner, edge, pair.first, pair.then, node, of_first, effect)
        return changed

    def _inhibit(self, instance: Resource, cause: Cause | None) -> bool:
        """An instance that has nobody to follow on its node must not run; whether it was to run is the answer."""
        changed = settle_nowhere(self._cluster, instance, cause or Cause(Why.ORDER))
        self._flags.forget()
        return changed

    # Effects on a pair of actions

    def _affect(self, edge: Edge, first: Action, then: Action, of_first: int, effect: int) -> int:
        """Apply one effect to two actions themselves."""
        before_first = (first.optional, first.runnable, first.migratable)
        before_then = (then.optional, then.runnable, then.migratable, then.pseudo)
        affect(first, then, of_first, edge, effect)
        changed = 0
        if before_then != (then.optional, then.runnable, then.migratable, then.pseudo):
            changed = _THEN
            self._flags.forget()
            if then.resource is not None and then.resource.parent is not None:
                self.update(then)
        if before_first != (first.optional, first.runnable, first.migratable):
            changed |= _FIRST
            self._flags.forget()
        return changed


def _whole(resource: Resource) -> Resource:
    """The outermost resource that it belongs to, bundles included."""
    root = resource.root
    return root if root.parent is None else root.parent


def _single(resource: Resource | None) -> bool:
    return resource is None or resource.kind is _PRIMITIVE


def _apart(one: ClusterNode | None, other: ClusterNode | None) -> bool:
    """Whether two places are known and different."""
    return one is not None and other is not None and one is not other


def _place(action: Action) -> ClusterNode | None:
    """Where the action is; a group's start has the single node of its members."""
    if action.resource is None or action.resource.kind is not _GROUP or action.task != "start":
        return action.node
    return single_node(action.resource)


@contextmanager
def _deep_recursion(actions: int) -> Iterator[None]:
    """Let a chain of orders be as long as there are actions."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, actions * _FRAMES_PER_ACTION + _SPARE_FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
