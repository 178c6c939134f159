"""Meta-attributes of resources, and what they set.

Source: the scheduler's specification, part 1, sections 8.3, 8.4 and 8.8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.model.duration import interval_ms
from reconciler.model.text import is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.parameters import parameters
from reconciler.scheduler.evaluating.rules import RuleContext
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.roles import ROLE_WORDS, Kind, Role

if TYPE_CHECKING:
    from reconciler.model import resource as model
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

Create = Callable[["Cluster", "model.Resource", "Resource | None", int | None], "Resource | None"]
"""Making a resource with everything below it, in a parent, as the instance with a number: what makes parts is told how to."""


def read_meta(cluster: Cluster, resource: Resource, configured: model.Resource) -> None:
    """Fill the resource's table of meta-attributes: the element's keys, its blocks, its ancestors', defaults, the parent's table."""
    meta = resource.configured.meta
    if resource.instance is not None:
        meta["clone"] = str(resource.instance)
    meta["id"] = resource.config_id
    if resource.configured.agent is not None:
        meta["class"] = resource.configured.agent.standard
        if resource.configured.agent.provider is not None:
            meta["provider"] = resource.configured.agent.provider
        meta["type"] = resource.configured.agent.type
    if configured.description is not None:
        meta["description"] = configured.description
    meta.update(configured.extra)
    context = RuleContext(cluster, agent=resource.configured.agent)
    evaluate(configured.meta, context, into=meta)
    resource.configured.meta_blocks = (configured.meta,)
    if resource.parent is not None:
        _inherit(resource, resource.parent, context)
    evaluate(cluster.cib.configuration.defaults.resources, context, into=meta)
    if resource.parent is not None:
        for name, value in resource.parent.configured.meta.items():
            meta.setdefault(name, value)


def _inherit(resource: Resource, parent: Resource, context: RuleContext) -> None:
    """Take over what the ancestors' blocks say, the nearest one's first; their `#default` doesn't reach the resource's own."""
    resource.configured.meta_blocks += parent.configured.meta_blocks
    inherited: dict[str, str] = {}
    for blocks in parent.configured.meta_blocks:
        evaluate(blocks, context, into=inherited)
    for name, value in inherited.items():
        resource.configured.meta.setdefault(name, value)


def apply_meta(cluster: Cluster, resource: Resource) -> None:
    """Set the resource's fields from its finished table of meta-attributes."""
    meta, colours = resource.configured.meta, cluster.options.health_colours
    resource.configured.priority = score.read(meta.get("priority"), colours)
    resource.configured.critical = meta.get("critical") is None or is_true(meta["critical"])
    resource.configured.notify = is_true(meta.get("notify"))
    resource.configured.internal = is_true(meta.get("internal_rsc"))
    resource.configured.is_connection = is_connection_agent(resource)
    resource.configured.unique = _is_unique(resource)
    _apply_management(cluster, resource)
    _apply_recovery(cluster, resource)
    _apply_needs(cluster, resource)
    resource.configured.role_limit = limit = _role_limit(resource)
    if limit is not None:
        want_role(resource, limit, Cause(Why.TARGET_ROLE, resource.id))


def is_connection_agent(resource: Resource) -> bool:
    """Whether the agent is the one for connections to remote nodes."""
    agent = resource.configured.agent
    return (
        agent is not None
        and agent.type.lower() == "remote"
        and (agent.provider or "").lower() == "pacemaker"
        and agent.standard.lower() == "ocf"
    )


def _role_limit(resource: Resource) -> Role | None:
    """The highest role that `target-role` lets the resource have; None when it doesn't limit it."""
    text = resource.configured.meta.get("target-role")
    role = None if text is None else ROLE_WORDS.get(text.lower())
    if role is Role.STOPPED or (role is Role.UNPROMOTED and resource.promotable_root):
        return role
    return None


def _is_unique(resource: Resource) -> bool:
    return resource.root.kind is not Kind.CLONE or is_true(resource.configured.meta.get("globally-unique"))


def _apply_management(cluster: Cluster, resource: Resource) -> None:
    managed = resource.configured.meta.get("is-managed")
    if managed is not None and managed.lower() != "default":
        resource.configured.managed = is_true(managed)
    if is_true(resource.configured.meta.get("maintenance")) or cluster.options.maintenance_mode:
        resource.configured.managed = False
        resource.configured.maintenance = True


def _apply_recovery(cluster: Cluster, resource: Resource) -> None:
    meta, colours = resource.configured.meta, cluster.options.health_colours
    if (stickiness := meta.get("resource-stickiness")) is not None and stickiness.lower() != "default":
        resource.configured.stickiness = score.read(stickiness, colours)
    if (threshold := meta.get("migration-threshold")) is not None and threshold.lower() != "default":
        resource.configured.migration_threshold = score.read(threshold, colours)
        if resource.configured.migration_threshold < 0:
            resource.configured.migration_threshold = 1
    resource.configured.failure_timeout_s = interval_ms(meta.get("failure-timeout")) // 1000
    policy = meta.get("multiple-active", "").lower()
    resource.configured.multiple_active = (
        policy if policy in ("stop_only", "block", "stop_unexpected") else "stop_start"
    )
    allow = meta.get("allow-migrate")
    resource.configured.allow_migrate = is_true(allow) if allow is not None else _migrates_by_itself(resource)
    if resource.configured.is_connection:
        reconnect = parameters(cluster, resource, None).get("reconnect_interval")
        if reconnect is not None:
            resource.configured.reconnect_interval_ms = interval_ms(reconnect)
            resource.configured.failure_timeout_s = resource.configured.reconnect_interval_ms // 1000


def _migrates_by_itself(resource: Resource) -> bool:
    """Connections to remote nodes, other than to guest nodes, migrate unless told not to."""
    return resource.configured.is_connection and resource.configured.meta.get("container") is None


def _apply_needs(cluster: Cluster, resource: Resource) -> None:
    """What has to hold before it may start: fencing of lost nodes, unfencing of its own, quorum, or nothing."""
    options = cluster.options
    needs = resource.configured.meta.get("requires", "").lower()
    if needs not in ("nothing", "quorum", "fencing", "unfencing"):
        if resource.configured.is_stonith or resource.configured.is_connection:
            needs = "quorum"
        elif cluster.unfencing:
            needs = "unfencing"
        elif options.stonith_enabled:
            needs = "fencing"
        else:
            needs = "nothing" if options.no_quorum_policy == "ignore" else "quorum"
    if needs == "unfencing" and (resource.configured.is_stonith or not options.stonith_enabled):
        needs = "quorum"
    resource.configured.needs_quorum = needs == "quorum"
    resource.configured.needs_fencing = needs in ("fencing", "unfencing")
    resource.configured.needs_unfencing = needs == "unfencing"


def supports_unique_clones(resource: Resource) -> bool:
    """Whether the agent's class can tell instances of a globally unique clone apart."""
    return resource.configured.agent is not None and resource.configured.agent.standard.lower() in ("ocf", "stonith")


def supports_promotion(resource: Resource) -> bool:
    """Whether the agent's class knows promotion."""
    return resource.configured.agent is not None and resource.configured.agent.standard.lower() == "ocf"
