"""Ticket constraints, which act as soon as they are read.

Source: the scheduler's specification, part 2, section 7; part 3, section 15.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.constraint import ResourceSet
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.constraining.references import constrained, expand_sets, members, read_role
from reconciler.scheduler.noting.condition import block
from reconciler.scheduler.noting.fencing import mark_for_fencing
from reconciler.scheduler.noting.scores import ban_everywhere
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.constraints import TicketHold, TicketRule

if TYPE_CHECKING:
    from reconciler.model import constraint as configured
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def read_ticket(cluster: Cluster, constraint: configured.Ticket) -> None:
    """Record a configured ticket constraint with each resource that it names, and act on a ticket that isn't held."""
    ticket = cluster.tickets.setdefault(constraint.ticket, TicketHold(constraint.ticket))
    for written in _sets(cluster, constraint):
        for name in written.resources:
            resource = constrained(cluster, name)
            if resource is None:
                cluster.messages.append(f"ticket constraint {constraint.id}: there is no resource {name!r}")
                return
            role = read_role(cluster, constraint.id, written.role)
            _add(cluster, constraint, resource, ticket, role)


def _sets(cluster: Cluster, constraint: configured.Ticket) -> tuple[ResourceSet, ...]:
    if constraint.sets:
        return expand_sets(cluster, constraint.sets)
    if constraint.resource is None:
        cluster.messages.append(f"ticket constraint {constraint.id} names no resource and is ignored")
        return ()
    inside = members(cluster, constraint.resource)
    return (ResourceSet((constraint.resource,) if inside is None else inside, role=constraint.role),)


def _add(cluster: Cluster, constraint: configured.Ticket, resource: Resource, ticket: TicketHold, role: Role) -> None:
    cause = Cause(Why.TICKET, constraint.id, ticket.id)
    rule = TicketRule(constraint.id, resource, ticket, _policy(cluster, constraint, role), role, cause)
    resource.placed.tickets.append(rule)
    if not ticket.granted or ticket.standby:
        for leaf in resource.leaves():
            _act(cluster, leaf, rule)


def _policy(cluster: Cluster, constraint: configured.Ticket, role: Role) -> str:
    word = (constraint.loss_policy or "").lower()
    if word == "fence":
        return "fence" if cluster.options.stonith_enabled else "stop"
    if word in ("stop", "demote", "freeze"):
        return word
    return "demote" if role is Role.PROMOTED else "stop"


def _act(cluster: Cluster, leaf: Resource, rule: TicketRule) -> None:
    """What a primitive has to suffer while the ticket isn't held."""
    if rule.ticket.granted or not leaf.found.active_on:
        if rule.role is not Role.PROMOTED or rule.policy == "stop":
            ban_everywhere(cluster, leaf, rule.cause)
        return
    match rule.policy:
        case "stop":
            ban_everywhere(cluster, leaf, rule.cause)
        case "demote" if rule.role is not Role.PROMOTED:
            ban_everywhere(cluster, leaf, rule.cause)
        case "fence" if _concerns(leaf, rule):
            ban_everywhere(cluster, leaf, rule.cause)
            for node in leaf.found.active_on:
                mark_for_fencing(cluster, node, "deadman ticket was lost")
        case "freeze" if _concerns(leaf, rule):
            block(leaf)


def _concerns(leaf: Resource, rule: TicketRule) -> bool:
    return rule.role is Role.UNKNOWN or rule.role is leaf.found.role
