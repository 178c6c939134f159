"""One line about one primitive or instance, in Pacemaker's status text.

Source: the scheduler's specification, part 1, section 18.4.
"""

from __future__ import annotations

from reconciler.crm.result_text import code_text
from reconciler.model.text import is_true
from reconciler.scheduler.roles import ROLE_WORDS, Role
from reconciler.scheduler.working.activity import current_node, is_active
from reconciler.scheduler.working.cluster import Cluster, FailedEntry
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.resource import Resource

_PENDING_WORDS = {
    "start": "Starting",
    "stop": "Stopping",
    "migrate_to": "Migrating",
    "migrate_from": "Migrating",
    "promote": "Promoting",
    "demote": "Demoting",
}


def placeless(resource: Resource) -> bool:
    """Whether something in it runs, but on no node that it is itself known to run on: such a resource is left out."""
    return not resource.found.active_on and is_active(resource)


def listed(resource: Resource) -> bool:
    """Whether a primitive gets a line: those that the scheduler made for itself don't."""
    return not (resource.configured.internal or is_true(resource.configured.meta.get("internal_rsc")))


def pending(resource: Resource) -> bool:
    """Whether an action of the resource is under way that a listing shows."""
    return resource.found.pending_task in _PENDING_WORDS or resource.found.pending_task == "monitor"


def target_role(resource: Resource) -> Role | None:
    """The role to which target-role limits the resource, None without a limit by this word."""
    return ROLE_WORDS.get(resource.configured.meta.get("target-role", "").lower())


def disabled(resource: Resource) -> bool:
    """Whether it is meant to be stopped, or in a promotable clone not to be promoted."""
    limit = target_role(resource)
    return limit is Role.STOPPED or (limit is Role.UNPROMOTED and resource.promotable_root)


def shown_role(resource: Resource) -> Role:
    """The role as listed: what merely runs in a promotable clone is unpromoted."""
    return Role.UNPROMOTED if resource.found.role is Role.STARTED and resource.promotable_root else resource.found.role


def masked_probe(cluster: Cluster, resource: Resource, node: ClusterNode | None) -> FailedEntry | None:
    """The recorded probe failure that says the resource can't run on the node (or anywhere, without one)."""
    root = resource.root
    name = root.clone.xml_child_id if root.clone is not None else resource.id
    for failed in cluster.failed:
        result = failed.entry.result
        place = result.on_node
        if not failed.masked or place is None or (node is not None and place.lower() != node.name.lower()):
            continue
        if result.operation_key == f"{name}_monitor_{result.interval_ms}":
            return failed
    return None


def probe_text(failed: FailedEntry) -> str:
    """The words for a recorded probe failure."""
    return code_text(failed.entry.result.rc)


def instance_line(
    cluster: Cluster, resource: Resource, *, show_pending: bool, name: str | None = None, host: Resource | None = None
) -> str:
    """The line of a primitive; a bundle's replica gives its own `name`, and its container as `host` for the node."""
    node = current_node(resource if host is None else host)
    if host is None:
        node = node or resource.found.pending_node
    if node is None:
        node = resource.found.lock_node
    if len(resource.found.active_on) > 1:
        node = None
    label = name or (resource.id if resource.configured.unique else resource.config_id)
    pieces = ["ORPHANED"] if resource.configured.orphan else []
    pieces.append(_state(resource, show_pending))
    if node is not None:
        pieces.append(node.name)
    text = f"{label}\t({_agent(resource)}):\t {' '.join(pieces)}"
    if shown_role(resource) is Role.STOPPED and (failed := masked_probe(cluster, resource, node)) is not None:
        text += f" ({probe_text(failed)}) "
    flags = _flags(resource, node, show_pending)
    if flags:
        text += f" ({', '.join(flags)})"
    if len(resource.found.active_on) > 1:
        description = f" {resource.configured.description}" if resource.configured.description else ""
        text += f"{description} [ {' '.join(place.name for place in resource.found.active_on)} ]"
    return text


def _agent(resource: Resource) -> str:
    agent = resource.configured.agent
    if agent is None:
        return "unknown:unknown"
    provider = f":{agent.provider}" if agent.provider and agent.standard.lower() == "ocf" else ""
    return f"{agent.standard or 'unknown'}{provider}:{agent.type or 'unknown'}"


def _state(resource: Resource, show_pending: bool) -> str:
    role = shown_role(resource)
    if resource.found.failed:
        return f"FAILED {role}" if role is Role.PROMOTED else "FAILED"
    if show_pending and resource.found.pending_task in _PENDING_WORDS:
        return _PENDING_WORDS[resource.found.pending_task]
    return str(role)


def _flags(resource: Resource, node: ClusterNode | None, show_pending: bool) -> list[str]:
    flags: list[str] = []
    if node is not None and not node.online and node.unclean:
        flags.append("UNCLEAN")
    if node is not None and node is resource.found.lock_node:
        flags.append("LOCKED")
    if show_pending and resource.found.pending_task == "monitor":
        flags.append("Monitoring")
    limit = target_role(resource)
    if limit is Role.STOPPED:
        flags.append("disabled")
    elif limit is Role.UNPROMOTED and resource.promotable_root:
        flags.append(f"target-role:{resource.configured.meta['target-role']}")
    if resource.found.blocked:
        flags.append("blocked")
    elif not resource.managed:
        flags.append("unmanaged")
    if resource.found.failure_ignored:
        flags.append("failure ignored")
    return flags
