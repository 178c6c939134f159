"""What recorded results say about a resource on a node: its role, its failures, and what has to follow.

Source: the scheduler's specification, part 1, section 13.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.operation import OperationStatus, ResultCode
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.operations import SEVERITY, FailurePolicy, failure_policy
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.condition import block, fail
from reconciler.scheduler.noting.fencing import can_fence
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.noting.scores import ban, ban_everywhere, replace_by_bans
from reconciler.scheduler.recalling.fail_counts import check_expiry
from reconciler.scheduler.recalling.past_migration import read_failed_migration, read_successful_migrate_to
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.cluster import FailedEntry

if TYPE_CHECKING:
    from reconciler.model.status import HistoryEntry
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

_DONE, _ERROR = OperationStatus.DONE.value, OperationStatus.ERROR.value
_NOT_RUNNING = ResultCode.NOT_RUNNING.value


class Reading:
    """The reading of one resource's entries on one node: the most severe consequence so far, and the last failure."""

    __slots__ = ("cluster", "last_failure", "node", "resource", "worst")

    def __init__(self, cluster: Cluster, resource: Resource, node: ClusterNode) -> None:
        self.cluster = cluster
        self.resource = resource
        self.node = node
        self.worst = "ignore"
        self.last_failure: HistoryEntry | None = None


class JudgedResult:
    """One entry, as it is judged: `rc` and `status` are remapped, `recorded_rc` and `target` are as recorded."""

    __slots__ = ("entry", "interval_ms", "masked", "rc", "recorded_rc", "status", "target", "task")

    def __init__(self, entry: HistoryEntry, task: str, status: int, resource: Resource) -> None:
        self.entry = entry
        self.task = task
        self.interval_ms = entry.result.interval_ms
        self.status = status
        self.rc = self.recorded_rc = entry.result.rc
        self.target = entry.result.target_rc
        self.masked = is_masked_probe_failure(task, self.interval_ms, self.rc, status) and not resource.bundled

    @property
    def is_probe(self) -> bool:
        """Whether it looked at what runs without having been asked to watch it."""
        return self.task == "monitor" and not self.interval_ms


def is_masked_probe_failure(task: str, interval_ms: int, rc: int, status: int) -> bool:
    """Whether it is a probe that failed for want of the software, which says that the resource isn't there."""
    if task != "monitor" or interval_ms:
        return False
    return rc in (ResultCode.NOT_INSTALLED, ResultCode.INVALID_PARAMETER) or status == OperationStatus.NOT_INSTALLED


def read_entry(reading: Reading, entry: HistoryEntry) -> None:
    """Take one entry into account; entries come in order of time."""
    task, status = entry.result.task, entry.result.status
    if task is None or status is None or task in ("notify", "meta-data"):
        return
    if not OperationStatus.PENDING <= status <= OperationStatus.NO_SECRETS:
        return
    resource = reading.resource
    result = JudgedResult(entry, task, status, resource)
    expired = status != OperationStatus.NOT_INSTALLED and check_expiry(reading.cluster, resource, reading.node, entry)
    _remap(reading, result)
    if expired and _drop_expired(reading, result):
        return
    if result.masked:
        _succeed(reading, result, result.target)
        record_failure(reading, entry)
        _ban_here(reading, result)
    elif result.status == OperationStatus.PENDING:
        _read_pending(reading, result)
    elif result.status == _DONE:
        _succeed(reading, result, result.rc)
    elif result.status == OperationStatus.CANCELLED:
        return
    else:
        _read_error(reading, result)


def active_role(resource: Resource) -> Role:
    """The role of something that is merely active."""
    return Role.UNPROMOTED if resource.promotable_root else Role.STARTED


def _failure_cause(reading: Reading, result: JudgedResult) -> Cause:
    key = action_key(reading.resource.id, result.task, result.interval_ms)
    return Cause(Why.FAILURE, key, f"{reading.node.name}, rc {result.recorded_rc}")


def _remap(reading: Reading, result: JudgedResult) -> None:
    """Turn what was recorded into what it means (step B)."""
    node = reading.node
    if result.task == "monitor" and result.rc in (ResultCode.DEGRADED, ResultCode.DEGRADED_PROMOTED):
        result.rc = int(ResultCode.OK if result.rc == ResultCode.DEGRADED else ResultCode.PROMOTED)
        if not (node.shutdown and not node.online):
            record_failure(reading, result.entry)
    if result.masked:
        result.status, result.rc = _DONE, _NOT_RUNNING
    if result.status not in (_DONE, _ERROR):
        return
    result.status = _ERROR if result.target != result.rc else _DONE
    _remap_code(reading, result)


def _remap_code(reading: Reading, result: JudgedResult) -> None:
    resource = reading.resource
    match result.rc:
        case ResultCode.OK:
            if result.is_probe and result.target == _NOT_RUNNING:
                result.status = _DONE
        case ResultCode.NOT_RUNNING:
            if result.is_probe or result.target == _NOT_RUNNING or not resource.managed:
                result.status = _DONE
                resource.found.role = Role.STOPPED
                reading.worst = "ignore"
                want_role(resource, Role.UNKNOWN, _failure_cause(reading, result))
        case ResultCode.PROMOTED:
            if result.is_probe and result.target != ResultCode.PROMOTED:
                result.status = _DONE
            resource.found.role = Role.PROMOTED
        case ResultCode.PROMOTED_FAILED | ResultCode.DEGRADED_PROMOTED:
            result.status = _ERROR
            resource.found.role = Role.PROMOTED
        case ResultCode.NOT_CONFIGURED:
            result.status = int(OperationStatus.FATAL_ERROR)
        case ResultCode.UNIMPLEMENTED if result.interval_ms:
            result.status = int(OperationStatus.NOT_SUPPORTED)
        case (
            ResultCode.UNIMPLEMENTED
            | ResultCode.INVALID_PARAMETER
            | ResultCode.INSUFFICIENT_PRIVILEGES
            | ResultCode.NOT_INSTALLED
        ):
            if result.task == "stop" and not can_fence(reading.cluster, reading.node):
                block(resource)
            result.status = int(OperationStatus.HARD_ERROR)
        case _:
            result.status = _ERROR


def _drop_expired(reading: Reading, result: JudgedResult) -> bool:
    """Whether nothing more is to be done about an entry whose failure expired (step C)."""
    resource, node = reading.resource, reading.node
    if result.masked and result.recorded_rc != result.target:
        if resource.found.role <= Role.STOPPED:
            resource.found.role = Role.UNKNOWN
        return True
    if result.rc == result.target:
        return False
    if not result.interval_ms:
        return True
    if node.online and not node.unclean:
        reading.cluster.expired_entries.add(id(result.entry))
        return True
    return False


def _read_pending(reading: Reading, result: JudgedResult) -> None:
    resource, node = reading.resource, reading.node
    if result.task == "start":
        resource.found.start_pending = True
        resource.found.role = active_role(resource)
    elif result.task == "promote":
        resource.found.role = Role.PROMOTED
    elif result.task == "migrate_to" and node.unclean:
        target = reading.cluster.node_index.get(result.entry.result.migrate_target or "")
        if target is not None:
            require_stop(reading.cluster, resource, target, _failure_cause(reading, result))
    if resource.found.pending_task is None and not result.is_probe:
        resource.found.pending_task = result.task
        resource.found.pending_node = node


def require_stop(cluster: Cluster, resource: Resource, node: ClusterNode, cause: Cause) -> None:
    """The resource has to be stopped on the node."""
    key = action_key(resource.id, "stop")
    request(cluster, resource, key, "stop", node, optional=False, cause=cause)


def _read_error(reading: Reading, result: JudgedResult) -> None:
    """Take a failed operation into account (step E)."""
    resource = reading.resource
    key = _key(result.entry)
    policy = failure_policy(reading.cluster, resource, key, result.task, result.interval_ms, reading.node)
    match result.status:
        case OperationStatus.NOT_INSTALLED:
            if policy.on_fail == "ignore":
                reading.worst = "migrate"
            _ban_here(reading, result)
            _fail(reading, result, policy)
            return
        case OperationStatus.NOT_CONNECTED:
            connection = reading.node.connection
            if reading.node.is_remote and connection is not None and connection.managed:
                fail(connection)
        case OperationStatus.NO_FENCE_DEVICE | OperationStatus.NO_SECRETS:
            result.status = int(OperationStatus.HARD_ERROR)
    if policy.on_fail == "ignore" or (policy.on_fail == "restart-container" and result.task == "stop"):
        _succeed(reading, result, result.target)
        resource.found.failure_ignored = True
        record_failure(reading, result.entry)
        if policy.on_fail == "restart-container" and SEVERITY[reading.worst] <= SEVERITY["recover"]:
            reading.worst = "restart-container"
        return
    _fail(reading, result, policy)
    if result.status == OperationStatus.HARD_ERROR:
        _ban_here(reading, result)
    elif result.status == OperationStatus.FATAL_ERROR:
        ban_everywhere(reading.cluster, _banned(resource), _failure_cause(reading, result))


def _banned(resource: Resource) -> Resource:
    """What a failure bans: the resource, or the whole clone when it is a member of an anonymous one."""
    return resource if resource.configured.unique else resource.root


def _ban_here(reading: Reading, result: JudgedResult) -> None:
    ban(_banned(reading.resource), reading.node, _failure_cause(reading, result))


def record_failure(reading: Reading, entry: HistoryEntry) -> None:
    """Enter the entry among the failed actions, once for each operation and node that is online (section 13.9)."""
    if not reading.node.online:
        return
    result = entry.result
    # Observed: entries without a recorded key count as one operation here, so only a node's first of them is listed.
    known = (result.operation_key or "", reading.node.index)
    if known in reading.cluster.failed_keys:
        return
    reading.cluster.failed_keys.add(known)
    masked = is_masked_probe_failure(result.task or "", result.interval_ms, result.rc, result.status or 0)
    reading.cluster.failed.append(FailedEntry(entry, reading.node, reading.resource, masked))


def _succeed(reading: Reading, result: JudgedResult, rc: int) -> None:
    """Take a success with this code into account (step F)."""
    resource = reading.resource
    clears = False
    if rc == ResultCode.NOT_INSTALLED or result.masked:
        resource.found.role = Role.STOPPED
    elif rc == _NOT_RUNNING:
        clears = True
    else:
        match result.task:
            case "monitor":
                failure = reading.last_failure
                clears = failure is not None and _key(result.entry) == _key(failure)
                _set_active(resource)
            case "start" | "migrate_from":
                resource.found.role = Role.STARTED
                clears = True
            case "stop":
                resource.found.role = Role.STOPPED
                clears = True
            case "promote":
                resource.found.role = Role.PROMOTED
                clears = True
            case "demote":
                resource.found.role = Role.UNPROMOTED
                clears = reading.worst == "demote"
            case "migrate_to":
                read_successful_migrate_to(reading.cluster, resource, reading.node, result.entry)
            case _:
                _set_active(resource)
    if clears and not _outlasts_success(reading):
        reading.worst = "ignore"
        want_role(resource, Role.UNKNOWN, _failure_cause(reading, result))


def _set_active(resource: Resource) -> None:
    if resource.found.role < Role.STARTED:
        resource.found.role = active_role(resource)


def _key(entry: HistoryEntry) -> str:
    """The key under which the operation was recorded; old entries have it for their id."""
    key = entry.result.operation_key
    return entry.id if key is None else key


def _outlasts_success(reading: Reading) -> bool:
    """Whether what follows an earlier failure isn't called off by a success after it."""
    if reading.worst in ("stop", "fence", "migrate", "standby"):
        return True
    return reading.worst == "reset-remote" and reading.resource.configured.reconnect_interval_ms > 0


def _fail(reading: Reading, result: JudgedResult, policy: FailurePolicy) -> None:
    """Take a failure into account (step G)."""
    cluster, resource = reading.cluster, reading.resource
    cause = _failure_cause(reading, result)
    reading.last_failure = result.entry
    if cluster.options.symmetric_cluster or result.recorded_rc != ResultCode.NOT_INSTALLED:
        record_failure(reading, result.entry)
    if SEVERITY[policy.on_fail] > SEVERITY[reading.worst]:
        reading.worst = policy.on_fail
    match result.task:
        case "stop":
            ban(resource, reading.node, cause)
        case "migrate_to" | "migrate_from":
            read_failed_migration(cluster, resource, reading.node, result.entry, result.task)
        case "promote":
            resource.found.role = Role.PROMOTED
        case "demote":
            if policy.on_fail == "block":
                resource.found.role = Role.PROMOTED
                want_role(resource, Role.STOPPED, cause)
            elif result.rc == _NOT_RUNNING:
                resource.found.role = Role.STOPPED
            else:
                resource.found.role = Role.UNPROMOTED
    if result.is_probe and result.rc == ResultCode.NOT_INSTALLED:
        resource.found.role = Role.STOPPED
    elif resource.found.role < Role.STARTED:
        resource.found.role = active_role(resource)
    if policy.role is not Role.STARTED and policy.role > resource.placed.next_role:
        want_role(resource, policy.role, cause)
    if policy.role is Role.STOPPED:
        replace_by_bans(cluster, _failing_root(resource), cause)


def _failing_root(resource: Resource) -> Resource:
    """The whole clone for a member of an anonymous one, else the resource itself."""
    root = resource.root
    return root if root.kind is Kind.CLONE and not root.configured.unique else resource
