"""Configured operations: which one belongs to an action, its values, and what follows when it fails.

Source: the scheduler's specification, part 1, section 10; part 3, section 3.2.
"""

from __future__ import annotations

from math import fmod
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model import date
from reconciler.model.duration import delay_ms, timeout_ms
from reconciler.model.duration import interval_ms as read_interval_ms
from reconciler.model.text import boolean
from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.parameters import parameters
from reconciler.scheduler.evaluating.rules import RuleContext
from reconciler.scheduler.roles import ROLE_WORDS, Role

if TYPE_CHECKING:
    from reconciler.model.resource import Operation
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def find_operation(resource: Resource, key: str, *, include_disabled: bool) -> Operation | None:
    """The operation configured for an action with this key (part 1, section 10.1), in document order the first.

    Migrations without one of their own take `migrate`, notifications `notify`.
    """
    lowered = key.lower()
    prefix = f"{resource.id}_".lower()
    if not lowered.startswith(prefix):
        prefix = f"{resource.found.history_name}_".lower()
    name, _, interval = lowered.removeprefix(prefix).rpartition("_")
    if not (lowered.startswith(prefix) and interval.isdecimal()):
        return None
    return operation_for(resource, name, int(interval), include_disabled=include_disabled)


def operation_for(resource: Resource, name: str, interval_ms: int, *, include_disabled: bool) -> Operation | None:
    """The operation configured under this name and interval; see `find_operation`."""
    if not resource.configured.operations:
        return None
    index = resource.configured.operation_index
    if index is None:
        index = resource.configured.operation_index = _index(resource.configured.operations)
    name = name.lower()
    known = index.get((name, interval_ms))
    if known is None or (known[1] is None and not include_disabled):
        fallback = _fallback(name)
        known = None if fallback is None else index.get((fallback, 0))
    if known is None:
        return None
    return known[0] if include_disabled else known[1]


def _index(operations: tuple[Operation, ...]) -> dict[tuple[str, int], tuple[Operation, Operation | None]]:
    index: dict[tuple[str, int], tuple[Operation, Operation | None]] = {}
    for operation in operations:
        key = (operation.name.lower(), read_interval_ms(operation.interval))
        enabled = operation if is_enabled(operation) else None
        first = index.get(key)
        if first is None:
            index[key] = (operation, enabled)
        elif first[1] is None:
            index[key] = (first[0], enabled)
    return index


def _fallback(name: str) -> str | None:
    if "migrate_to" in name or "migrate_from" in name:
        return "migrate"
    return "notify" if "_notify_" in f"_{name}_" else None


def is_enabled(operation: Operation) -> bool:
    """Whether the operation isn't switched off."""
    return boolean(operation.attributes.get("enabled")) is not False


def action_values(
    cluster: Cluster,
    resource: Resource,
    task: str,
    interval_ms: int,
    operation: Operation | None,
    node: ClusterNode | None,
) -> tuple[dict[str, str], dict[str, str]]:
    """The meta values of an action and its extra parameters (part 1, section 10.2), in dictionaries of the caller's own.

    `timeout` and `start-delay` are in milliseconds, and so is `interval`, which only recurring actions have.
    """
    key = (id(operation), id(resource.configured.operations), task, interval_ms, resource.configured.agent)
    meta = cluster.operation_values.get(key)
    if meta is None:
        meta = cluster.operation_values[key] = _values(cluster, resource, task, interval_ms, operation)
    meta = meta.copy()
    if resource.configured.is_stonith and (task == "start" or _is_probe(task, interval_ms)):
        timeout = parameters(cluster, resource, node).get("pcmk_monitor_timeout")
        if timeout is not None:
            meta["timeout"] = timeout
    meta["timeout"] = str(timeout_ms(meta.get("timeout")))
    return meta, extra_parameters(cluster, operation, node)


def extra_parameters(cluster: Cluster, operation: Operation | None, node: ClusterNode | None) -> dict[str, str]:
    """The parameters that the operation itself sets on the node."""
    if operation is None or not operation.params:
        return {}
    return evaluate(operation.params, RuleContext(cluster, attributes=None if node is None else node.attributes))


def _values(
    cluster: Cluster, resource: Resource, task: str, interval_ms: int, operation: Operation | None
) -> dict[str, str]:
    """What an action's values are whatever the node, except that the timeout isn't normalised yet."""
    context = RuleContext(cluster, agent=resource.configured.agent, operation=task, interval_ms=interval_ms)
    meta = evaluate(cluster.cib.configuration.defaults.operations, context)
    if _is_probe(task, interval_ms) and (timeout := _probe_timeout(resource)) is not None:
        meta["timeout"] = timeout
    if operation is not None:
        evaluate(operation.meta, context, overwrite=True, into=meta)
        meta["name"] = operation.name
        meta.update(operation.attributes)
    meta.pop("id", None)
    meta.pop("interval", None)
    if interval_ms:
        meta["interval"] = str(interval_ms)
    _set_start_delay(cluster, meta, interval_ms)
    if _adjusted(resource, task, interval_ms, operation, meta) == "block":
        meta["on-fail"] = "block"  # Whoever wrote it how, and for demotions wherever: the executor is told.
    return meta


def _is_probe(task: str, interval_ms: int) -> bool:
    return task == "monitor" and not interval_ms


def _probe_timeout(resource: Resource) -> str | None:
    """The timeout of the enabled recurring monitor with the smallest interval, the first of equals."""
    monitors = [
        (interval, operation)
        for operation in resource.configured.operations
        if operation.name == "monitor" and (interval := read_interval_ms(operation.interval)) and is_enabled(operation)
    ]
    if not monitors:
        return None
    return min(monitors, key=lambda monitor: monitor[0])[1].attributes.get("timeout")


def _set_start_delay(cluster: Cluster, meta: dict[str, str], interval_ms: int) -> None:
    if "start-delay" in meta:
        meta["start-delay"] = str(delay_ms(meta["start-delay"]))
    elif "interval-origin" in meta and interval_ms >= 1000:
        origin = date.parse(meta["interval-origin"], cluster.now)
        if origin is not None:
            interval_s = interval_ms // 1000
            since_s = int(fmod(cluster.now.epoch_s - origin.epoch_s, interval_s))
            meta["start-delay"] = str((interval_s - since_s if since_s > 0 else -since_s) * 1000)


def requirement(resource: Resource, task: str) -> str:
    """What an action needs: fencing, quorum or nothing; only starting and promoting need something."""
    if task not in ("start", "promote"):
        return "nothing"
    if resource.configured.needs_fencing:
        return "fencing"
    return "quorum" if resource.configured.needs_quorum else "nothing"


class FailurePolicy(NamedTuple):
    """What follows when an action fails: what is done (words of `SEVERITY`), and the role to have afterwards."""

    on_fail: str
    role: Role


SEVERITY = {
    word: place
    for place, word in enumerate(
        [
            "ignore",
            "demote",
            "recover",
            "reset-remote",
            "restart-container",
            "migrate",
            "block",
            "stop",
            "standby",
            "fence",
        ]
    )
}
"""What can follow a failure, ordered: of several the most severe is kept."""

_PLAIN = {
    "block": "block",
    "standby": "standby",
    "ignore": "ignore",
    "nothing": "ignore",
    "migrate": "migrate",
    "stop": "stop",
    "restart": "recover",
    "demote": "demote",
}


def on_fail(
    cluster: Cluster,
    resource: Resource,
    task: str,
    interval_ms: int,
    operation: Operation | None,
    meta: dict[str, str],
) -> FailurePolicy:
    """What follows when the action with these values fails (part 1, section 10.4)."""
    word = _adjusted(resource, task, interval_ms, operation, meta)
    result = None if word is None else _configured_policy(cluster, resource, word)
    role = Role.STOPPED if result == "stop" else None
    node = cluster.node_index.get(resource.id) if resource.configured.is_connection else None
    stays = _is_probe(task, interval_ms) or task == "start"
    if result is None and resource.container is not None:
        result = "restart-container"
    elif (
        (result is None or not resource.managed)
        and node is not None
        and node.is_remote
        and not node.is_guest
        and not stays
    ):
        if resource.managed:
            result = "reset-remote"
            role = Role.STOPPED if resource.configured.reconnect_interval_ms else None
        else:
            result, role = "stop", Role.STOPPED
    elif result is None and task == "stop":
        result = "fence" if cluster.options.stonith_enabled else "block"
    return FailurePolicy(result or "recover", role or _role_after(task, meta))


def failure_policy(
    cluster: Cluster, resource: Resource, key: str, task: str, interval_ms: int, node: ClusterNode
) -> FailurePolicy:
    """What follows when this action, recorded under the key, failed on the node.

    A key under another name than the resource's finds no operation, and defaults apply.
    """
    operation = find_operation(resource, key, include_disabled=True)
    meta, _ = action_values(cluster, resource, task, interval_ms, operation, node)
    return on_fail(cluster, resource, task, interval_ms, operation, meta)


def _configured_policy(cluster: Cluster, resource: Resource, word: str) -> str | None:
    if word == "fence":
        return "fence" if cluster.options.stonith_enabled else "stop"
    if word == "restart-container":
        return word if resource.container is not None else None
    return _PLAIN.get(word)


def _adjusted(
    resource: Resource, task: str, interval_ms: int, operation: Operation | None, meta: dict[str, str]
) -> str | None:
    """The configured word, in lower case, where the action may have it."""
    text = meta.get("on-fail")
    word = None if text is None else text.lower()
    if task == "stop" and word in ("standby", "demote", "stop"):
        return None
    if task == "demote" and word is None:
        return _promoted_monitor_policy(resource)
    if task == "lrm_delete":
        return "ignore"
    if word == "demote" and not _may_demote(operation):
        return None
    return word


def _promoted_monitor_policy(resource: Resource) -> str | None:
    """What follows a failed demotion when nothing is said: the same as for the promoted role's monitor."""
    for operation in resource.configured.operations:
        word = operation.attributes.get("on-fail", "").lower()
        if word and word != "demote" and is_enabled(operation) and _watches_promoted(operation):
            return word
    return None


def _may_demote(operation: Operation | None) -> bool:
    return operation is not None and (operation.name == "promote" or _watches_promoted(operation))


def _watches_promoted(operation: Operation) -> bool:
    role = ROLE_WORDS.get(operation.attributes.get("role", "").lower())
    return operation.name == "monitor" and role is Role.PROMOTED and read_interval_ms(operation.interval) > 0


def _role_after(task: str, meta: dict[str, str]) -> Role:
    configured = ROLE_WORDS.get(meta.get("role_after_failure", "").lower())
    if configured is not None:
        return configured
    return Role.UNPROMOTED if task == "promote" else Role.STARTED
