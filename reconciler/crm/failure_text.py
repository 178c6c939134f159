"""Fail counts and failed actions in Pacemaker's status text.

Source: the scheduler's specification, part 1, section 18.5.
"""

from __future__ import annotations

from reconciler.crm.moment_text import local_text
from reconciler.crm.outline import Outline
from reconciler.crm.result_text import code_text, status_text
from reconciler.scheduler.inside import fail_count, find, last_failure
from reconciler.scheduler.working.cluster import Cluster, FailedEntry
from reconciler.scheduler.working.node import ClusterNode


def add_migration_summary(outline: Outline, cluster: Cluster) -> None:
    """Add the fail counts of online nodes, in the order of the status; nothing when none is online."""
    states = [state for state in cluster.cib.status.nodes if _is_online(cluster, state.name)]
    if not states:
        return
    outline.blank()
    outline.begin("Migration Summary")
    for state in states:
        node = cluster.node_index[state.name]
        lines = [line for history in state.history if (line := _fail_count_line(cluster, node, history.id))]
        if lines:
            outline.begin(f"Node: {node.name}")
            for line in lines:
                outline.item(line)
            outline.end()
    outline.end()


def _is_online(cluster: Cluster, name: str) -> bool:
    return name in cluster.node_index and cluster.node_index[name].online


def _fail_count_line(cluster: Cluster, node: ClusterNode, id: str) -> str | None:
    resource = find(cluster, id)
    if resource is None:
        return None
    count = fail_count(cluster, resource, node, effective=False, include_fillers=False)
    if count <= 0:
        return None
    last = last_failure(cluster, resource, node)
    when = f" last-failure='{local_text(last, cluster.now.offset_s)}'" if last else ""
    return f"{id}: migration-threshold={resource.configured.migration_threshold} fail-count={count}{when}"


def add_failed_actions(outline: Outline, cluster: Cluster) -> None:
    """Add the failed actions that are not merely probes that can't succeed; nothing when there are none."""
    failures = [failed for failed in cluster.failed if not failed.masked]
    if not failures:
        return
    outline.blank()
    outline.begin("Failed Resource Actions")
    for failed in failures:
        outline.item(_failure_line(failed, cluster.now.offset_s))
    outline.end()


def _failure_line(failed: FailedEntry, offset_s: int) -> str:
    result = failed.entry.result
    code, status = max(0, result.rc), max(0, result.status or 0)
    key = failed.entry.id if result.operation_key is None else result.operation_key
    parts = [
        f"{key} on {failed.node.name} '{code_text(code)}' ({code}): call={result.call_id or 0}",
        f"status='{status_text(status)}'",
    ]
    if reason := result.exit_reason:
        parts.append(f"exitreason='{reason}'")
    if (changed := result.changed_s or 0) > 0:
        parts.append(f"last-rc-change='{local_text(changed, offset_s)}'")
        parts += [
            f"{word}={spent_ms}ms"
            for word, spent_ms in (("queued", result.queue_ms), ("exec", result.execution_ms))
            if spent_ms is not None
        ]
    return ", ".join(parts)
