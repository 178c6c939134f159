"""Live migrations as histories tell them: finished, half done, or failed.

Source: the scheduler's specification, part 1, section 13.10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.operation import OperationStatus, ResultCode
from reconciler.scheduler.noting.condition import fail
from reconciler.scheduler.recalling.active import record_active
from reconciler.scheduler.recalling.history import is_later
from reconciler.scheduler.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.status import HistoryEntry
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def read_successful_migrate_to(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> None:
    """Take into account that the resource was sent from this node: where it is depends on what the target remembers."""
    names = _partners(entry, source=node)
    if names is None:
        return
    source, target = names
    target_node = cluster.node_index.get(target)
    if target_node is not None and target_node.online and not _is_known_on(cluster, target, resource):
        resource.found.role = Role.STARTED  # The target forgot everything, as after a restart: nothing arrived there.
        return
    arrived = _arrival(cluster, target, resource, source)
    superseded = _has_later_change(cluster, source, resource, entry, same_node=True)
    if superseded and arrived is not None:
        return
    reference = entry if arrived is None else arrived
    replaced = _has_newer_state(cluster, target, resource, reference, same_node=arrived is not None)
    if superseded and replaced:
        return
    resource.found.role = Role.STARTED
    if arrived is not None and arrived.result.succeeded:
        resource.found.role = Role.STOPPED
        resource.found.dangling.insert(0, node)
    elif arrived is not None and arrived.result.status != OperationStatus.PENDING:
        if not replaced and target_node is not None and target_node.online:
            record_active(cluster, resource, target_node, count_priority=False)
        else:
            _give_up(resource)
    elif not replaced and target_node is not None and target_node.online:
        record_active(cluster, resource, target_node, count_priority=False)
        if node.online:
            resource.found.partial_target = target_node
            resource.found.partial_source = node
    elif not superseded:
        _give_up(resource)


def read_failed_migration(
    cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry, task: str
) -> None:
    """Take a failed half of a migration into account: the resource may be active on the other node too."""
    if task == "migrate_to":
        _read_failed_migrate_to(cluster, resource, node, entry)
    else:
        _read_failed_migrate_from(cluster, resource, node, entry)


def _read_failed_migrate_to(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> None:
    names = _partners(entry, source=node)
    if names is None:
        return
    source, target = names
    resource.found.role = Role.STARTED
    arrived = _arrival(cluster, target, resource, source)
    if arrived is not None and not arrived.result.succeeded:
        arrived = None
    reference = entry if arrived is None else arrived
    known = _is_known_on(cluster, target, resource)
    if known and not _has_newer_state(cluster, target, resource, reference, same_node=arrived is not None):
        target_node = cluster.node_index.get(target)
        if target_node is not None and target_node.online:
            record_active(cluster, resource, target_node, count_priority=False)
    elif not _has_later_change(cluster, source, resource, entry, same_node=True):
        resource.found.dangling.insert(0, node)


def _read_failed_migrate_from(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> None:
    names = _partners(entry, target=node)
    if names is None:
        return
    source, target = names
    resource.found.role = Role.STARTED
    sent = _departure(cluster, source, resource, target)
    if sent is not None and not sent.result.succeeded:
        sent = None
    reference = entry if sent is None else sent
    known = _is_known_on(cluster, source, resource)
    if known and not _has_newer_state(cluster, source, resource, reference, same_node=sent is not None):
        source_node = cluster.node_index.get(source)
        if source_node is not None and source_node.online:
            record_active(cluster, resource, source_node, count_priority=False)


def _partners(
    entry: HistoryEntry, *, source: ClusterNode | None = None, target: ClusterNode | None = None
) -> tuple[str, str] | None:
    """Source and target of a migration, None unless both are recorded and the one given is this node."""
    from_name, to_name = entry.result.migrate_source, entry.result.migrate_target
    if from_name is None or to_name is None:
        return None
    if source is not None and source.name != from_name:
        return None
    return None if target is not None and target.name != to_name else (from_name, to_name)


def _give_up(resource: Resource) -> None:
    """The migration is over: the resource has failed, is stopped, and may not migrate again for now."""
    fail(resource)
    resource.found.migration_failed = True


def _entries(cluster: Cluster, node_name: str, resource: Resource) -> list[HistoryEntry]:
    """Everything recorded of the resource (by its internal id) on the nodes of this name."""
    index = cluster.status_index
    if index is None:
        index = cluster.status_index = {}
        for state in cluster.cib.status.nodes:
            for history in state.history:
                index.setdefault((state.name, history.id), []).extend(history.entries)
    return index.get((node_name, resource.id), [])


def _is_known_on(cluster: Cluster, node_name: str, resource: Resource) -> bool:
    """Whether the nodes of this name remember something that has a result."""
    return any(entry.result.rc != _NO_RESULT_YET for entry in _entries(cluster, node_name, resource))


# What Pacemaker writes for the result of an operation that is still under way.
_NO_RESULT_YET = 193


def _arrival(cluster: Cluster, target: str, resource: Resource, source: str) -> HistoryEntry | None:
    """The only entry of an arrival from the source that the target remembers; None when there are none or several."""
    return _only(
        entry
        for entry in _entries(cluster, target, resource)
        if entry.result.task == "migrate_from" and entry.result.migrate_source == source
    )


def _departure(cluster: Cluster, source: str, resource: Resource, target: str) -> HistoryEntry | None:
    """The only entry of a departure to the target that the source remembers; None when there are none or several."""
    return _only(
        entry
        for entry in _entries(cluster, source, resource)
        if entry.result.task == "migrate_to" and entry.result.migrate_target == target
    )


def _only(entries: Iterable[HistoryEntry]) -> HistoryEntry | None:
    found = list(entries)
    return found[0] if len(found) == 1 else None


def _has_later_change(
    cluster: Cluster, node_name: str, resource: Resource, reference: HistoryEntry, *, same_node: bool
) -> bool:
    """Whether a start, stop or migration is recorded on the node that is later than the reference."""
    return any(
        entry.result.task in ("start", "stop", "migrate_to", "migrate_from")
        and is_later(entry, reference, same_node=same_node)
        for entry in _entries(cluster, node_name, resource)
    )


def _has_newer_state(
    cluster: Cluster, node_name: str, resource: Resource, reference: HistoryEntry, *, same_node: bool
) -> bool:
    """Whether the node knows something later than the reference: a change, or its only monitor found it stopped."""
    if _has_later_change(cluster, node_name, resource, reference, same_node=same_node):
        return True
    entries = _entries(cluster, node_name, resource)
    monitors = [entry for entry in entries if entry.result.task == "monitor"]
    if len(monitors) != 1:
        return False
    result = monitors[0].result
    not_running = result.rc == ResultCode.NOT_RUNNING and not result.status
    return not_running and is_later(monitors[0], reference, same_node=same_node)
