"""A clone in Pacemaker's status text: most instances in short lists of nodes, the unusual ones in full.

Source: the scheduler's specification, part 1, section 18.4.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.crm.instance_text import disabled, masked_probe, pending, placeless, probe_text, target_role
from reconciler.crm.outline import Outline
from reconciler.model.text import natural_key
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.activity import is_active
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.resource import CloneFields, Resource


class _Sorted:
    """The instances of a clone by how they are listed."""

    def __init__(self) -> None:
        self.in_full: list[Resource] = []
        self.promoted: list[ClusterNode] = []
        self.started: list[ClusterNode] = []
        self.stopped: list[Resource] = []


def add_clone(
    outline: Outline, cluster: Cluster, clone: Resource, add: Callable[[Resource], bool], *, show_pending: bool
) -> bool:
    """Add a clone; `add` adds one instance in full. Returns True, because there is always at least the header."""
    fields = clone.clone
    assert fields is not None
    outline.begin(_header(clone, fields))
    instances = _sort(clone, show_pending)
    for instance in instances.in_full:
        add(instance)
    _add_node_list(outline, "Promoted", instances.promoted)
    _add_node_list(outline, _started_title(clone, fields), instances.started)
    in_lists = len(instances.promoted) + len(instances.started)
    if not clone.configured.unique and fields.clone_max > in_lists:
        _add_stopped_nodes(outline, cluster, clone)
    elif instances.stopped:
        outline.item(f"Stopped: [ {' '.join(instance.id for instance in instances.stopped)} ]")
    outline.end()
    return True


def _header(clone: Resource, fields: CloneFields) -> str:
    words = ["promotable"] * fields.promotable + ["unique"] * clone.configured.unique
    words += ["unmanaged"] * (not clone.managed) + ["disabled"] * disabled(clone)
    return f"Clone Set: {clone.id} [{fields.xml_child_id}]" + (f" ({', '.join(words)})" if words else "")


def _sort(clone: Resource, show_pending: bool) -> _Sorted:
    found = _Sorted()
    for instance in clone.children:
        if placeless(instance):
            continue
        if clone.configured.unique:
            if not clone.configured.orphan or is_active(instance):
                found.in_full.append(instance)
            continue
        if show_pending and instance.kind is Kind.PRIMITIVE and pending(instance):
            found.in_full.append(instance)
        elif not is_active(instance):
            if not instance.configured.orphan:
                found.stopped.append(instance)
        elif (node := _ordinary_node(instance)) is None:
            found.in_full.append(instance)
        elif max(leaf.found.role for leaf in instance.leaves()) is Role.PROMOTED:
            found.promoted.append(node)
        else:
            found.started.append(node)
    return found


def _ordinary_node(instance: Resource) -> ClusterNode | None:
    """The node of an instance that needs no line of its own: nothing unusual in it, and all of it on one good node."""
    if _unusual(instance) or not is_active(instance, wholly=True):
        return None
    places = {node.index: node for leaf in instance.leaves() for node in leaf.found.active_on}
    if len(places) != 1:
        return None
    (node,) = places.values()
    return None if node.unclean and not node.online else node


def _unusual(resource: Resource) -> bool:
    if resource.configured.orphan or resource.found.failed or not resource.managed:
        return True
    return any(_unusual(child) for child in resource.children)


def _started_title(clone: Resource, fields: CloneFields) -> str:
    if not fields.promotable:
        return "Started"
    return "Unpromoted (target-role)" if _configured_role(clone) is Role.UNPROMOTED else "Unpromoted"


def _configured_role(clone: Resource) -> Role | None:
    """The role that target-role of the clone, or else of its first instance, asks for."""
    holder = next((one for one in (clone, *clone.children[:1]) if "target-role" in one.configured.meta), None)
    return None if holder is None else target_role(holder)


def _add_node_list(outline: Outline, title: str, nodes: list[ClusterNode]) -> None:
    if nodes:
        names = sorted((node.name for node in nodes), key=natural_key)
        outline.item(f"{title}: [ {' '.join(names)} ]")


def _add_stopped_nodes(outline: Outline, cluster: Cluster, clone: Resource) -> None:
    """List the nodes where the clone may run and does not, by why."""
    candidates = list(clone.placed.table) or list(clone.found.known_on)
    busy = {node.index for node in clone.found.active_on}
    by_state: dict[str, list[ClusterNode]] = {}
    for index in candidates:
        if index not in busy:
            node = cluster.nodes_by_index[index]
            by_state.setdefault(_stopped_text(cluster, clone, node), []).append(node)
    for state in sorted(by_state):
        _add_node_list(outline, state, by_state[state])


def _stopped_text(cluster: Cluster, clone: Resource, node: ClusterNode) -> str:
    failed = masked_probe(cluster, clone, node)
    if failed is not None:
        return f"Stopped ({probe_text(failed)})"
    return "Stopped (disabled)" if _configured_role(clone) is Role.STOPPED else "Stopped"
