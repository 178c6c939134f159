"""Fail counts: how often a resource failed on a node, and when that is forgotten.

Source: the scheduler's specification, part 1, sections 14.1 to 14.3; part 3, section 5.4.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.model.duration import interval_ms as read_interval_ms
from reconciler.model.score import add
from reconciler.model.score import read as read_score
from reconciler.model.text import compare_versions, integer
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.digests import DigestVerdict, compare
from reconciler.scheduler.evaluating.host_address import uses_host_address
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.fencing import fence_operation
from reconciler.scheduler.noting.orderings import add_edge
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.working.effects import RT

if TYPE_CHECKING:
    from reconciler.model.status import HistoryEntry
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def fail_count(
    cluster: Cluster,
    resource: Resource,
    node: ClusterNode,
    *,
    effective: bool,
    include_fillers: bool,
    entry: HistoryEntry | None = None,
) -> int:
    """The sum of the resource's fail counts on the node.

    The effective count is 0 once all failures are older than the failure timeout. A failure that blocks the resource (of `entry`, or
    of any of its entries there) never expires: its timeout is switched off for the run. With `include_fillers` a container
    counts what runs inside it.
    """
    count = _sum(cluster, resource, node) if node.failures else 0
    if count > 0 and resource.failure_timeout_s > 0 and _blocks(cluster, resource, node, entry):
        resource.found.failures_stay = True
    if effective and count > 0 and resource.failure_timeout_s > 0:
        last_s = last_failure(cluster, resource, node)
        if last_s > 0:
            expires_s = last_s + resource.failure_timeout_s
            if cluster.now.epoch_s > expires_s:
                count = 0
            else:
                cluster.recheck_at(expires_s + 1)
    if include_fillers and resource.fillers and not resource.bundled:
        for filler in resource.fillers:
            count += fail_count(cluster, filler, node, effective=effective, include_fillers=False)
    return count


def last_failure(cluster: Cluster, resource: Resource, node: ClusterNode) -> int:
    """The epoch time of the resource's latest recorded failure on the node, 0 for none."""
    pattern = _pattern(cluster, resource, "last-failure")
    return max((integer(value) for name, value in node.failures if pattern.fullmatch(name)), default=0)


def fail_name(resource: Resource) -> str:
    """Under which name failures are recorded: the history's, for anonymous instances without number."""
    name = resource.id if resource.found.history_name is None else resource.found.history_name
    return name if resource.configured.unique else strip_instance(name)


def strip_instance(name: str) -> str:
    """The name without a trailing `:number`."""
    base, colon, number = name.rpartition(":")
    return base if colon and number.isdecimal() else name


def _sum(cluster: Cluster, resource: Resource, node: ClusterNode) -> int:
    pattern = _pattern(cluster, resource, "fail-count")
    total = 0
    for name, value in node.failures:
        if pattern.fullmatch(name):
            total = add(total, read_score(value, cluster.options.health_colours))
    return total


def _pattern(cluster: Cluster, resource: Resource, prefix: str) -> re.Pattern[str]:
    # Before there was one count for a resource, and none for each operation.
    legacy = compare_versions(cluster.cib.feature_set, "3.0.13") < 0
    return _compiled(prefix, fail_name(resource), resource.configured.unique, legacy)


@lru_cache(maxsize=4096)
def _compiled(prefix: str, name: str, unique: bool, legacy: bool) -> re.Pattern[str]:
    """The pattern of attribute names; a dot in the resource's name stands for any character, as it does for Pacemaker."""
    escaped = re.escape(name).replace(r"\.", ".")
    instance = "" if unique else "(:[0-9]+)?"
    operation = "" if legacy else "#.+_[0-9]+"
    return re.compile(f"{prefix}-{escaped}{instance}{operation}")


def _blocks(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry | None) -> bool:
    """Whether a failure is of an operation that blocks the resource (`on-fail=block` on the operation itself)."""
    base = strip_instance(resource.config_id)
    for operation in resource.configured.operations:
        if operation.attributes.get("on-fail") != "block":
            continue
        interval_ms = read_interval_ms(operation.interval)
        entries = [entry] if entry is not None else _entries(cluster, base, node)
        if any(_is_failure_of(one, base, operation.name, interval_ms) for one in entries):
            return True
    return False


def _entries(cluster: Cluster, name: str, node: ClusterNode) -> list[HistoryEntry]:
    state = cluster.node_states.get(node.name)
    if state is None:
        return []
    return [entry for history in state.history if history.id == name for entry in history.entries]


def _is_failure_of(entry: HistoryEntry, base: str, task: str, interval_ms: int) -> bool:
    result = entry.result
    if result.task != task or result.interval_ms != interval_ms:
        return False
    if entry.id == f"{base}_last_failure_0":
        return True
    return entry.id == f"{base}_{task}_{interval_ms}" and result.rc != result.target_rc


def check_expiry(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> bool:
    """Whether the entry's failure is to be forgotten; the fail count is cleared where it goes with it (part 1, section 14.3)."""
    expired = _is_past_timeout(cluster, resource, entry)
    cause = _cause_to_clear(cluster, resource, node, entry, expired=expired)
    if cause == _NOT_YET:
        expired, cause = False, None
    if cause is None and not expired:
        cause = _changed_since(cluster, resource, node, entry)
    if cause is not None:
        _clear_after_fencing(cluster, resource, clear_fail_count(cluster, resource, node, cause))
    return expired and not (entry.result.is_probe and entry.result.rc in _PLAIN_PROBE_RESULTS)


# What a probe may find without anything having failed: however old, that is how things are.
_PLAIN_PROBE_RESULTS = (0, 7, 8, 190, 191)

_NOT_YET = "the fail count has not expired"


def _is_past_timeout(cluster: Cluster, resource: Resource, entry: HistoryEntry) -> bool:
    result = entry.result
    if resource.failure_timeout_s <= 0 or result.changed_s is None:
        return False
    expires_s = max(0, result.changed_s) + resource.failure_timeout_s
    if cluster.now.epoch_s < expires_s:
        if result.rc != result.target_rc:
            cluster.recheck_at(expires_s)
        return False
    return not _waits_for_fencing(cluster, resource, entry)


def _waits_for_fencing(cluster: Cluster, resource: Resource, entry: HistoryEntry) -> bool:
    """Whether it is a monitor's failure of a connection whose remote node has to be fenced before it is tried again."""
    if not (resource.configured.reconnect_interval_ms and cluster.options.stonith_enabled):
        return False
    if entry.result.task != "monitor" or not entry.result.interval_ms:
        return False
    node = cluster.node_index.get(resource.id)
    return node is not None and not node.was_fenced


def _cause_to_clear(
    cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry, *, expired: bool
) -> str | None:
    """Why the fail count is cleared when the entry's own time is over; `_NOT_YET` when the count still holds it."""
    if not expired:
        return None
    if fail_count(cluster, resource, node, effective=False, include_fillers=False, entry=entry):
        left = fail_count(cluster, resource, node, effective=True, include_fillers=False, entry=entry)
        return "it expired" if left == 0 else _NOT_YET
    if entry.is_last_failure and resource.configured.reconnect_interval_ms:
        return "reconnect interval is set"
    return None


def _changed_since(cluster: Cluster, resource: Resource, node: ClusterNode, entry: HistoryEntry) -> str | None:
    """Whether the failure is one of parameters that were changed since."""
    if not entry.is_last_failure or entry.result.task not in ("start", "monitor"):
        return None
    if uses_host_address(resource):
        cluster.deferred_checks.append((entry, resource, node, True))
        return None
    verdict, _ = compare(cluster, resource, entry, node)
    return "resource parameters have changed" if verdict in (DigestVerdict.RESTART, DigestVerdict.CHANGED) else None


def clear_fail_count(cluster: Cluster, resource: Resource, node: ClusterNode, reason: str) -> Action:
    """Have the resource's fail count on the node cleared."""
    key = action_key(resource.id, "clear_failcount")
    cause = Cause(Why.FAILURE, resource.id, reason)
    action = request(cluster, resource, key, "clear_failcount", node, optional=False, cause=cause)
    action.meta["op_no_wait"] = "true"
    return action


def _clear_after_fencing(cluster: Cluster, resource: Resource, cleared: Action) -> None:
    """A failure of a connection is forgotten only after its remote node was fenced, where that is to be awaited before it reconnects."""
    if not (
        cluster.options.stonith_enabled
        and resource.configured.is_connection
        and resource.configured.reconnect_interval_ms
    ):
        return
    remote = cluster.node_index.get(resource.id)
    if remote is not None and cleared.cause is not None:
        fencing = fence_operation(cluster, remote, optional=True, reason=None)
        add_edge(fencing, cleared, RT, cleared.cause)
