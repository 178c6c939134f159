"""The transition graph: which of the actions are done, and what each of them waits for.

Source: the scheduler's specification, part 3, sections 11.8, 13.3, 15.3 and 16.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.model.text import integer
from reconciler.scheduler.acting.notifications import create_notifications
from reconciler.scheduler.answer.action_attributes import AttributeLayers
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.ordering.flags import OrderingFlags
from reconciler.scheduler.plan import ActionKind, PlannedAction
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.activity import current_node
from reconciler.scheduler.working.effects import ANTI, ANY, KEEP, LOAD, MIGF, NOMIG, NONE, ORD, SHF, SHT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.resource import Agent
    from reconciler.scheduler.working.action import Action, Edge
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

_MAINTENANCE = "maintenance_nodes"
_BY_THE_CONTROLLER = ("do_shutdown", "clear_failcount", "lrm_delete")
_TAKING_DOWN = ("stop", "do_shutdown", "stonith")
_NOBODY = (None, None, None)
_BEFORE_CONNECTION_MOVES = ("cancel", "stop", "demote", "migrate_from", "migrate_to")
_WEAK = ORD | SHT | SHF


def drop_invalid_orders(cluster: Cluster) -> None:
    """Disable orders between a guest and what runs in it, and those by which migrations would wait for each other.

    Section 11.8.
    """
    guests = cluster.has_remote_nodes
    for action in reversed(cluster.actions):
        for edge in reversed(action.inputs):
            loops = edge.effects == LOAD and action.task == "migrate_to" and _closes_loop(action, edge)
            if loops or (guests and not edge.effects & KEEP and _runs_inside(edge)):
                edge.effects = NONE


def build_graph(cluster: Cluster) -> tuple[PlannedAction, ...]:
    """The actions of the graph in the order in which the graph is written, with what each waits for (section 16)."""
    graph = _Graph(cluster)
    for resource in cluster.resources:
        graph.enter_resource(resource)
    maintenance = _note_maintenance(cluster)
    for action in reversed(cluster.actions):
        if not action.in_graph:
            graph.enter(action, maintenance if action.key == _MAINTENANCE else ())
    return tuple(graph.actions)


# Which actions enter


class _Graph:
    """The graph as far as it is made: `actions` are those that entered."""

    def __init__(self, cluster: Cluster) -> None:
        self.actions: list[PlannedAction] = []
        self._cluster = cluster
        self._layers = AttributeLayers(cluster)

    def enter_resource(self, resource: Resource) -> None:
        match resource.kind:
            case Kind.BUNDLE:
                for part in _parts(resource):
                    self.enter_resource(part)
                return
            case Kind.CLONE:
                flags = OrderingFlags()
                for action in reversed(resource.planned.actions):
                    flags.of(
                        action, None
                    )  # What changed last among the instances still counts for the clone's actions.
                if resource.configured.notify or (resource.clone is not None and resource.clone.notify):
                    create_notifications(self._cluster, resource)
                for child in resource.children:
                    self.enter_resource(child)
        for action in reversed(resource.planned.actions):
            self.enter(action)
        if resource.kind is Kind.GROUP:
            for child in resource.children:
                self.enter_resource(child)

    def enter(self, action: Action, maintenance: tuple[tuple[str, bool], ...] = ()) -> None:
        """Enter the action, if it is done."""
        if len(action.inputs) > 1:
            _merge_inputs(action)
        if not _is_done(action):
            return
        action.in_graph = True
        for edge in action.inputs:
            edge.trigger = is_input(edge)
        self.actions.append(planned(self._cluster, action, maintenance, *self._layers.of(action)))


def _parts(bundle: Resource) -> list[Resource]:
    """A bundle's inner clone, then per replica its address, container and connection."""
    if bundle.bundle is None:
        return []
    parts = [bundle.bundle.clone]
    for replica in bundle.bundle.replicas:
        parts += [replica.ip, replica.container, replica.connection]
    return [part for part in parts if part is not None]


def _is_done(action: Action) -> bool:
    """Whether the action enters the graph (section 16.1)."""
    if not action.runnable or (action.optional and not action.shown):
        return False
    resource = action.resource
    if action.task != "monitor" and not action.interval_ms and resource is not None and not resource.managed:
        return False
    if action.pseudo or action.task in ("stonith", "do_shutdown"):
        return True
    node = action.node
    if node is None:
        return False
    if action.task == "lrm_delete" or (node.is_guest and not node.requires_reset):
        return True
    return node.online and not node.unclean


# What they wait for


def is_input(edge: Edge) -> bool:
    """Whether the edge's second action waits for its first (section 16.2).

    Edges for load and anti-colocations that don't concern what happens are disabled on the way.
    """
    first, then, effects = edge.first, edge.then, edge.effects
    if edge.trigger:
        return True
    if effects == NONE or _can_not_matter(edge):
        return False
    if effects == LOAD:
        return _load_matters(edge)
    if effects == ANTI:
        apart = first.node is not None and then.node is not None and first.node is not then.node
        if apart or first.optional:
            edge.effects = NONE
            return False
        return True
    if _waits_for_lost_cause(first, then):
        return False
    return not first.optional or first.shown or first.in_graph


def _can_not_matter(edge: Edge) -> bool:
    """Rules 3 to 7 of section 16.2."""
    first, effects = edge.first, edge.effects
    if not first.runnable and (not effects & ~_WEAK or effects & (ANY | MIGF)):
        return True
    if not first.migratable:
        return False
    return bool(effects & NOMIG) or (effects == ORD and first.key.endswith("_stop_0"))


def _load_matters(edge: Edge) -> bool:
    """Capacity only matters on the node where the second action needs it, and if something leaves that node."""
    first, then = edge.first, edge.then
    migrates = then.task == "migrate_to" and then.resource is not None
    needed_on = then.resource.placed.node if migrates and then.resource is not None else then.node
    if first.node is not needed_on or (first.optional and not migrates):
        edge.effects = NONE
        return False
    return True


def _waits_for_lost_cause(first: Action, then: Action) -> bool:
    """A clone doesn't wait for the stop of another resource that failed and is unmanaged."""
    resource = first.resource
    return (
        resource is not None
        and resource is not then.resource
        and resource.found.failed
        and not resource.managed
        and first.key.endswith("_stop_0")
        and then.resource is not None
        and then.resource.kind is Kind.CLONE
    )


def _merge_inputs(action: Action) -> None:
    """Make one edge of all edges from the same action, with the effects of all, in ascending order of ids."""
    merged: list[Edge] = []
    for edge in sorted(action.inputs, key=lambda edge: edge.first.id):
        if merged and merged[-1].first is edge.first:
            merged[-1].effects |= edge.effects
        else:
            merged.append(edge)
    action.inputs = merged


def _closes_loop(action: Action, start: Edge) -> bool:
    """Whether the action would wait for itself through this edge."""
    seen: set[int] = set()
    stack = [start]
    while stack:
        edge = stack.pop()
        if edge.first.id in seen or not is_input(edge):
            continue
        if edge.first is action:
            return True
        seen.add(edge.first.id)
        stack += edge.first.inputs
    return False


def _runs_inside(edge: Edge) -> bool:
    """Whether the first action happens on the guest node that the second one's resource is."""
    node, guest = edge.first.node, edge.then.resource
    if edge.first.resource is None or guest is None or node is None or not node.is_remote or node.connection is None:
        return False
    return node.connection.container is guest


# The actions as values


def planned(
    cluster: Cluster,
    action: Action,
    maintenance: tuple[tuple[str, bool], ...] = (),
    layers: tuple[Mapping[str, str], ...] = (),
    digested: Mapping[str, str] | None = None,
) -> PlannedAction:
    """The action as a value; `layers` are its attributes, `digested` what its digest is made from, if that is not the same."""
    resource, task = action.resource, action.task
    triggers = [edge for edge in action.inputs if edge.trigger] if action.inputs else ()
    kind = _kind(action)
    node = action.node if kind is not ActionKind.PSEUDO or task == "stonith" else None
    primitive_id, long_id, agent = _NOBODY if resource is None or action.pseudo else _primitive(resource)
    key, internal_key = _keys(action, resource)
    router = None if node is None or not node.is_remote else _router(action)
    return PlannedAction(
        id=action.id,
        kind=kind,
        task=task,
        key=key,
        internal_key=internal_key,
        resource=None if resource is None else resource.id,
        primitive_id=primitive_id,
        long_id=long_id,
        agent=agent,
        node=None if node is None else node.name,
        node_id=None if node is None else node.id,
        router=None if router is None else router.name,
        interval_ms=action.interval_ms,
        timeout_ms=0 if action.pseudo else _milliseconds(action.seen_meta.get("timeout")),
        target_rc=action.expected_rc,
        priority=max(0, action.priority, 0 if resource is None else _worth(resource)),
        triggers=tuple([edge.first.id for edge in triggers]) if triggers else (),
        downed=_downed(cluster, action) if task in _TAKING_DOWN else (),
        maintenance=maintenance,
        shutdown_lock_s=_lock(action, resource),
        cib_only=task == "lrm_delete",
        cause=action.cause,
        order_causes={edge.first.id: edge.cause for edge in triggers if edge.cause is not None} if triggers else {},
        cancelled_task=action.cancelled_task,
        layers=layers,
        digested=digested if kind is ActionKind.RESOURCE else None,
    )


@lru_cache(maxsize=1024)
def _milliseconds(text: str | None) -> int:
    """A timeout as it stands in the values of actions: of thousands of actions few are different."""
    return integer(text)


def _kind(action: Action) -> ActionKind:
    if action.task == "stonith":
        return ActionKind.PSEUDO if action.pseudo else ActionKind.CLUSTER
    if action.task in _BY_THE_CONTROLLER:
        return ActionKind.CLUSTER
    return ActionKind.PSEUDO if action.pseudo else ActionKind.RESOURCE


def _primitive(resource: Resource) -> tuple[str, str | None, Agent | None]:
    """By which id the history and the agent know the resource, by which other it may be known, and the agent."""
    name, configured = resource.found.history_name, resource.configured
    if configured.orphan and name is not None:
        return name, resource.id, configured.agent
    if configured.unique:
        return resource.id, None, configured.agent
    own = resource.config_id
    return own, name if name is not None and name != own else resource.id, configured.agent


def _keys(action: Action, resource: Resource | None) -> tuple[str, str | None]:
    """The key as the history has it and, where that differs from our own, our own."""
    if resource is None or resource.found.history_name is None:
        return action.key, None
    name = resource.found.history_name
    if action.task == "notify":
        meta = action.seen_meta
        return f"{name}_{meta.get('notify_type')}_notify_{meta.get('notify_operation')}_0", action.key
    return f"{name}_{action.cancelled_task or action.task}_{action.interval_ms}", action.key


def _router(action: Action) -> ClusterNode | None:
    """The member through whose connection an action on a remote or guest node goes (section 13.3)."""
    node = action.node
    if node is None or not node.is_remote or node.connection is None or action.task == "stonith":
        return None
    connection = node.connection
    before, after = current_node(connection), connection.placed.node
    if before is None or after is None or before is after:
        return before or after
    task = action.task if action.task != "notify" else action.seen_meta.get("notify_operation", "")
    migrating = connection.container is None and connection.found.partial_target is not None
    return before if task in _BEFORE_CONNECTION_MOVES and not migrating else after


def _worth(resource: Resource) -> int:
    """Its priority; what an instance's promotion is worth only mattered for placing it."""
    clone = resource.parent
    return (
        clone.priority
        if clone is not None and clone.clone is not None and clone.clone.promotable
        else resource.priority
    )


def _lock(action: Action, resource: Resource | None) -> int | None:
    """Since when a shutdown lock holds the resource to the action's node; while that shuts down only its stop does."""
    if resource is None or (node := resource.found.lock_node) is None or node is not action.node or action.pseudo:
        return None
    return None if node.shutdown and action.task != "stop" else resource.found.lock_time_s


def _downed(cluster: Cluster, action: Action) -> tuple[str, ...]:
    """The ids of the nodes that are down once the stop, shutdown or fencing is done."""
    node = action.node
    if node is None or (action.pseudo and action.task != "stonith"):
        return ()
    if action.task == "do_shutdown":
        return (node.id,)
    if action.task == "stonith":
        if action.seen_meta.get("stonith_action") not in ("off", "reboot", "poweroff"):
            return ()
        return (node.id, *(guest.id for guest in _guests(cluster, node)))
    resource = action.resource
    if resource is None or not resource.configured.is_connection:
        return ()
    if any(edge.first.task == "migrate_from" and edge.first.resource is resource for edge in action.inputs):
        return ()
    return (resource.id,)


def _guests(cluster: Cluster, host: ClusterNode) -> list[ClusterNode]:
    """The guest nodes whose connections run on the host."""
    names = [
        resource.id for resource in host.running if resource.configured.is_connection and resource.container is not None
    ]
    return [cluster.node_index[name] for name in names if name in cluster.node_index]


def _note_maintenance(cluster: Cluster) -> tuple[tuple[str, bool], ...]:
    """Remote and guest nodes whose recorded maintenance state has to be changed, told by a pseudo action."""
    changes = []
    for node in cluster.nodes:
        if node.is_remote and node.maintenance_recorded is not node.maintenance:
            changes.append((node.id, node.maintenance))
    if changes:
        action = request(cluster, None, _MAINTENANCE, _MAINTENANCE, None, optional=False, cause=Cause(Why.MAINTENANCE))
        action.pseudo = True
        action.shown = True
    return tuple(changes)
