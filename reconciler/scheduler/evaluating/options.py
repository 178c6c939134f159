"""The cluster options in force: read from the blocks that hold them, with a default where a value can't be read.

Source: Pacemaker Explained, "Cluster Options"; the scheduler's specification, part 1, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.date import Instant
from reconciler.model.duration import interval_ms, simple_ms
from reconciler.model.resource import Bundle, Clone, Group
from reconciler.model.text import boolean
from reconciler.model.zone import read_zone
from reconciler.scheduler.evaluating.blocks import by_precedence, evaluate
from reconciler.scheduler.evaluating.rules import RuleContext

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.options import ClusterOptions


def in_zone(blocks: AttributeBlocks, now: Instant) -> Instant:
    """The moment with the offset of the cluster's zone, where one is configured without a rule; rules are judged by it."""
    texts = (block.values["date-zone"] for block in blocks if not block.rules and "date-zone" in block.values)
    zone = read_zone(next(texts, ""))
    return now if zone is None else now._replace(offset_s=zone.offset_at(now.epoch_s))


def read_options(cluster: Cluster) -> None:
    """Put the configured options in force; a value that can't be read is replaced by its default."""
    blocks = cluster.cib.configuration.options
    first = [block for block in blocks if (block.id or "").lower() == "cib-bootstrap-options"]
    context = RuleContext(cluster)
    ordered = by_precedence(tuple(block for block in blocks if block not in first), context)
    for block in (*first, *ordered):
        evaluate((block,), context, into=cluster.options.raw)
    options = cluster.options
    _read_behaviour(options)
    _read_fencing(options)
    _read_health(options)
    options.no_quorum_policy = _no_quorum_policy(cluster)
    cluster.has_fence_device = options.have_watchdog
    cluster.unfencing = _uses_unfencing(cluster)


def _read_behaviour(options: ClusterOptions) -> None:
    raw = options.raw
    options.symmetric_cluster = _boolean(raw, "symmetric-cluster", True)
    options.maintenance_mode = _boolean(raw, "maintenance-mode", False)
    options.start_failure_is_fatal = _boolean(raw, "start-failure-is-fatal", True)
    options.enable_startup_probes = _boolean(raw, "enable-startup-probes", True)
    options.shutdown_lock = _boolean(raw, "shutdown-lock", False)
    if options.shutdown_lock:
        options.shutdown_lock_limit_s = interval_ms(raw.get("shutdown-lock-limit")) // 1000
    options.stop_all_resources = _boolean(raw, "stop-all-resources", False)
    options.stop_orphan_resources = _boolean(raw, "stop-orphan-resources", True)
    options.stop_orphan_actions = _boolean(raw, "stop-orphan-actions", True)
    options.remove_after_stop = _boolean(raw, "remove-after-stop", False)
    options.cluster_delay = _time(raw, "cluster-delay", "60s")
    options.batch_limit = score.read(raw.get("batch-limit"))
    options.migration_limit = score.read(raw.get("migration-limit", "-1"))
    options.placement_strategy = _word(raw, "placement-strategy", ("default", "utilization", "minimal", "balanced"))
    options.cluster_name = raw.get("cluster-name")


def _read_fencing(options: ClusterOptions) -> None:
    raw = options.raw
    options.stonith_enabled = _boolean(raw, "stonith-enabled", True)
    action = raw.get("stonith-action")
    options.stonith_action = "off" if action in ("off", "poweroff") else "reboot"
    options.stonith_timeout = _time(raw, "stonith-timeout", "60s")
    options.have_watchdog = _boolean(raw, "have-watchdog", False)
    options.concurrent_fencing = _boolean(raw, "concurrent-fencing", False)
    options.startup_fencing = options.stonith_enabled and _boolean(raw, "startup-fencing", True)
    options.priority_fencing_delay_s = interval_ms(raw.get("priority-fencing-delay")) // 1000


def _read_health(options: ClusterOptions) -> None:
    raw = options.raw
    strategies = ("none", "migrate-on-red", "only-green", "progressive", "custom")
    options.health_strategy = _word(raw, "node-health-strategy", strategies)
    match options.health_strategy:
        case "migrate-on-red":
            options.health_colours = (-score.INFINITY, 0, 0)
        case "only-green":
            options.health_colours = (-score.INFINITY, -score.INFINITY, 0)
        case "progressive" | "custom":
            red = score.read(raw.get("node-health-red", "-INFINITY"))
            options.health_colours = (
                red,
                score.read(raw.get("node-health-yellow")),
                score.read(raw.get("node-health-green")),
            )
    if options.health_strategy == "progressive":
        options.health_base = score.read(raw.get("node-health-base"))


def _no_quorum_policy(cluster: Cluster) -> str:
    """The policy; suicide only where fencing is enabled and the partition has, or had, quorum."""
    policies = ("stop", "freeze", "ignore", "demote", "suicide")
    policy = _word(cluster.options.raw, "no-quorum-policy", policies)
    if policy != "suicide":
        return policy
    allowed = cluster.options.stonith_enabled and (cluster.have_quorum or cluster.cib.no_quorum_panic)
    return policy if allowed else "stop"


def _uses_unfencing(cluster: Cluster) -> bool:
    """Whether any meta-attribute of a resource, template or the resource defaults asks for or provides unfencing."""
    configuration = cluster.cib.configuration
    blocks = configuration.defaults.resources
    holders = [*configuration.templates, *configuration.resources]
    while holders:
        holder = holders.pop()
        blocks += holder.meta
        match holder:
            case Group():
                holders += holder.members
            case Clone():
                holders.append(holder.resource)
            case Bundle() if holder.primitive is not None:
                holders.append(holder.primitive)
    return any(block.values.get(name) == "unfencing" for block in blocks for name in ("provides", "requires"))


def _boolean(raw: Mapping[str, str], name: str, default: bool) -> bool:
    value = boolean(raw.get(name))
    return default if value is None else value


def _time(raw: Mapping[str, str], name: str, default: str) -> str:
    value = raw.get(name, default)
    return value if value.startswith("P") or simple_ms(value) is not None else default


def _word(raw: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """The value in lower case if it is one of the words, else the first of them."""
    value = raw.get(name, "").lower()
    return value if value in words else words[0]
