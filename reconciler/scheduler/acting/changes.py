"""What the configuration says now against what the history was made with: restarts, reloads, cancels, clean-ups.

Source: the scheduler's specification, part 3, section 5; part 1, sections 15.3 and 15.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.acting.cleanup import schedule_cleanup
from reconciler.scheduler.acting.recurring import cancel_recorded
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.digests import DigestVerdict, compare
from reconciler.scheduler.evaluating.host_address import uses_host_address
from reconciler.scheduler.evaluating.operations import operation_for
from reconciler.scheduler.noting.actions import action_key, make_required, set_reason
from reconciler.scheduler.noting.condition import restart_anew
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.unfencing import require_unfencing
from reconciler.scheduler.recalling.fail_counts import clear_fail_count, fail_count
from reconciler.scheduler.recalling.history import current_range, sort_entries
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.digests import Digests
from reconciler.scheduler.working.effects import CXL, ORD

if TYPE_CHECKING:
    from reconciler.model.status import HistoryEntry, ResourceHistory
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

CHANGED = "resource definition change"
"""The reason shown for what follows from a changed definition."""

_CHECKED = frozenset({"monitor", "start", "promote", "migrate_from"})
_DONE_BY_START = frozenset({"monitor", "promote", "migrate_from"})


def check_changes(cluster: Cluster) -> None:
    """Compare the histories of every usable node (and of those in maintenance) with the configuration (phase 7)."""
    by_name = _primitives_by_name(cluster)
    for node in cluster.nodes:
        state = cluster.node_states.get(node.name)
        if state is None or not (node.maintenance or node.available):
            continue
        for history in state.history:
            if history.entries:
                for resource in by_name.get(history.id, ()):
                    _check_history(cluster, resource, node, history)


def check_deferred(cluster: Cluster) -> None:
    """Compare what had to wait until it was known where bundle connections will run (phase 9), the last found first."""
    for entry, resource, node, is_last_failure in reversed(cluster.deferred_checks):
        if is_last_failure:
            verdict, _ = compare(cluster, resource, entry, node)
            if verdict in (DigestVerdict.RESTART, DigestVerdict.CHANGED):
                clear_fail_count(cluster, resource, node, "resource parameters have changed")
        else:
            _check_active(cluster, resource, node, entry)


def _primitives_by_name(cluster: Cluster) -> dict[str, list[Resource]]:
    """Primitives by internal id and by history name, those later in the resource tree first."""
    found: dict[str, list[Resource]] = {}
    pending = list(cluster.resources)
    while pending:
        resource = pending.pop()
        if resource.kind is not Kind.PRIMITIVE:
            pending += resource.children
            continue
        found.setdefault(resource.id, []).append(resource)
        if resource.found.history_name is not None and resource.found.history_name != resource.id:
            found.setdefault(resource.found.history_name, []).append(resource)
    return found


def _check_history(cluster: Cluster, resource: Resource, node: ClusterNode, history: ResourceHistory) -> None:
    """Compare what one node remembers of one primitive (part 3, section 5.1)."""
    if resource.configured.orphan:
        if resource.root.kind is not Kind.CLONE or resource.root.configured.unique:
            cause = Cause(Why.ORPHAN, resource.id)
            schedule_cleanup(cluster, resource, node, optional=False, cause=cause)
        return
    active = node in resource.found.active_on
    if _agent_changed(resource, history):
        _replace_agent(cluster, resource, node, active=active)
    if not active:
        return
    entries = sort_entries(history.entries)
    started, stopped = current_range(entries)
    if started < stopped:
        return
    in_maintenance = resource.configured.maintenance or node.maintenance
    for entry in entries[max(started, 0) :]:
        _check_entry(cluster, resource, node, entry, in_maintenance=in_maintenance)


def _agent_changed(resource: Resource, history: ResourceHistory) -> bool:
    agent = resource.configured.agent
    known = history.attributes
    return agent is None or (
        known.get("class") != agent.standard
        or known.get("provider") != agent.provider
        or known.get("type") != agent.type
    )


def _replace_agent(cluster: Cluster, resource: Resource, node: ClusterNode, *, active: bool) -> None:
    """The resource is another service now: what runs is stopped, and what the node remembers is deleted."""
    cause = Cause(Why.DEFINITION_CHANGE, resource.id, "agent")
    require_unfencing(cluster, resource, node, "Device definition changed")
    if active:
        request(cluster, resource, action_key(resource.id, "stop"), "stop", node, optional=False, cause=cause)
        restart_anew(resource)
    schedule_cleanup(cluster, resource, node, optional=False, cause=cause)


def _check_entry(
    cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry, *, in_maintenance: bool
) -> None:
    task, interval = entry.result.task or "", entry.result.interval_ms
    if interval and in_maintenance:
        cause = Cause(Why.MAINTENANCE, resource.id if resource.configured.maintenance else node.name)
        cancel_recorded(cluster, resource, task, interval, node, entry.result.call_id, cause)
    elif interval or task in _CHECKED:
        if uses_host_address(resource):
            cluster.deferred_checks.append((entry, resource, node, False))
        else:
            _check_active(cluster, resource, node, entry)


def _check_active(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> None:
    """Check one entry; a changed operation gets a fresh count of failures."""
    if _definition_changed(cluster, resource, node, entry) and fail_count(
        cluster, resource, node, effective=True, include_fillers=False
    ):
        clear_fail_count(cluster, resource, node, "action definition changed")


def _definition_changed(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> bool:
    """Whether the operation's definition changed; if so what is needed is asked for (part 3, section 5.2)."""
    task, interval = entry.result.task or "", entry.result.interval_ms
    cause = _cause(resource, entry)
    if interval and operation_for(resource, task, interval, include_disabled=False) is None:
        if cluster.options.stop_orphan_actions:
            cancel_recorded(cluster, resource, task, interval, node, entry.result.call_id, cause)
        return True
    verdict, digests = compare(cluster, resource, entry, node)
    if verdict is DigestVerdict.MATCH or _only_private(cluster, entry, digests):
        return False
    if verdict is DigestVerdict.RESTART:
        _force_restart(cluster, resource, node, task, interval, cause)
    elif interval:
        _reschedule(cluster, resource, node, task, interval, cause)
    elif entry.result.restart_digest is not None:
        _reload(cluster, resource, node, cause)
    else:
        _force_restart(cluster, resource, node, task, interval, cause)
    return True


def _only_private(cluster: Cluster, entry: HistoryEntry, digests: Digests) -> bool:
    """Whether nothing changed but parameters that a saved CIB doesn't show, and so may only seem to have changed."""
    recorded = entry.result.secure_digest
    return cluster.sanitized and recorded is not None and recorded == digests.secure


def _force_restart(
    cluster: Cluster, resource: Resource, node: ClusterNode, task: str, interval: int, cause: Cause
) -> None:
    """Require the action anew, wherever it will be: orderings make a restart of that."""
    if not interval and task in _DONE_BY_START:
        task = "start"
    action = request(cluster, resource, action_key(resource.id, task, interval), task, None, optional=False)
    set_reason(action, CHANGED, cause, overwrite=True)
    require_unfencing(cluster, resource, node, "Device parameters changed")


def _reschedule(
    cluster: Cluster, resource: Resource, node: ClusterNode, task: str, interval: int, cause: Cause
) -> None:
    """Have a recurring action scheduled again with the new parameters; nothing else needs to happen for them."""
    key = action_key(resource.id, task, interval)
    action = request(cluster, resource, key, task, node, optional=True, cause=cause)
    action.reschedule = True
    require_unfencing(cluster, resource, node, "Device parameters changed (reschedule)")


def _reload(cluster: Cluster, resource: Resource, node: ClusterNode, cause: Cause) -> None:
    """Tell the agent its new parameters, unless the resource is stopped or demoted anyway."""
    if not resource.managed or resource.found.failed:
        return
    if resource.found.start_pending:
        request(cluster, resource, action_key(resource.id, "stop"), "stop", node, optional=False, cause=cause)
        return
    resource.planned.reloading = True
    key = action_key(resource.id, "reload-agent")
    reload = request(cluster, resource, key, "reload-agent", node, optional=False)
    make_required(reload, CHANGED, cause)
    require_unfencing(cluster, resource, node, "Device parameters changed (reload)")
    # Whatever stops or demotes it makes the reload needless: what follows brings the new parameters.
    for task in ("stop", "demote"):
        order(cluster, reload, (resource, action_key(resource.id, task)), ORD | CXL, cause)


def _cause(resource: Resource, entry: HistoryEntry) -> Cause:
    return Cause(Why.DEFINITION_CHANGE, resource.id, entry.id)
