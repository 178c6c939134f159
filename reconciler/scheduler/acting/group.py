"""Groups: the orderings between a group and its members, and the pseudo actions that stand for the whole.

Source: the scheduler's specification, part 3, section 9.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.text import is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, make_pseudo
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.working.effects import ORD, RN, RST, RT, SHF, SHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

_AFTER_MEMBER = RN | RT | SHT
_AFTER_PREVIOUS = RT | RN


def order_group(cluster: Cluster, group: Resource, order_member: Callable[[Cluster, Resource], None]) -> None:
    """Order the group against its members, and its members against each other."""
    cause = Cause(Why.GROUP, group.id)

    def then(first: Resource, first_task: str, second: Resource, task: str, effects: int) -> None:
        first_side = (first, action_key(first.id, first_task))
        order(cluster, first_side, (second, action_key(second.id, task)), effects, cause)

    then(group, "stop", group, "stopped", RN)
    then(group, "stopped", group, "start", ORD)
    then(group, "start", group, "running", RN)
    promotable = group.promotable_root
    previous: Resource | None = None
    last_active: Resource | None = None
    for member in group.children:
        order_member(cluster, member)
        first = previous is None and group.configured.group_ordered
        down, downed = (SHF | ORD, RT) if first else (SHF, SHT)
        if promotable:
            then(group, "demote", member, "demote", down)
            then(member, "demote", group, "demoted", downed)
            then(member, "promote", group, "promoted", _AFTER_MEMBER)
            then(group, "promote", member, "promote", SHF)
        then(group, "start", member, "start", SHF)
        then(group, "stop", member, "stop", down)
        then(member, "stop", group, "stopped", downed)
        then(member, "start", group, "running", _AFTER_MEMBER)
        if not group.configured.group_ordered:
            then(group, "start", member, "start", _AFTER_PREVIOUS | SHF)
            if promotable:
                then(group, "promote", member, "promote", _AFTER_PREVIOUS | SHF)
        elif previous is not None:
            then(previous, "start", member, "start", _AFTER_PREVIOUS)
            then(member, "stop", previous, "stop", ORD | RST)
            if promotable:
                then(previous, "promote", member, "promote", _AFTER_PREVIOUS)
                then(member, "demote", previous, "demote", ORD)
        if member.found.active_on:
            if (
                group.configured.group_ordered
                and previous is not None
                and not previous.found.active_on
                and last_active is not None
            ):
                then(member, "stop", last_active, "stop", ORD)
            last_active = member
        previous = member


def create_group_actions(cluster: Cluster, group: Resource, create_member: Callable[[Cluster, Resource], None]) -> None:
    """Create the members' actions, then the group's own, which orderings make required as needed."""
    for member in group.children:
        create_member(cluster, member)
    tasks = ["start", "running", "stop", "stopped"]
    if is_true(group.configured.meta.get("promotable")):
        tasks += ["demote", "demoted", "promote", "promoted"]
    for task in tasks:
        make_pseudo(request(cluster, group, action_key(group.id, task), task, None, optional=True))
