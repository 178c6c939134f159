"""Constraints as the scheduler works on them: references resolved, one object per pair or resource.

Source: the scheduler's specification, part 2, sections 6, 7, 12; part 3, sections 9.1 and 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.table import ALWAYS

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.resource import Resource


class LocationScores:
    """Scores for nodes (by index), for one resource; `role` restricts it, None means any."""

    __slots__ = ("cause", "discovery", "id", "resource", "role", "scores")

    def __init__(self, id: str, resource: Resource, scores: dict[int, int], cause: Cause) -> None:
        self.id = id
        self.resource = resource
        self.scores = scores
        self.role: Role | None = None
        self.discovery = ALWAYS
        self.cause = cause


class ColocationPair:
    """The dependent is placed relative to the primary; roles are `Role.UNKNOWN` when any will do."""

    __slots__ = (
        "cause",
        "dependent",
        "dependent_role",
        "id",
        "influence",
        "node_attribute",
        "primary",
        "primary_role",
        "score",
    )

    def __init__(self, id: str, dependent: Resource, primary: Resource, score: int, cause: Cause) -> None:
        self.id = id
        self.dependent = dependent
        self.primary = primary
        self.score = score
        self.dependent_role = Role.UNKNOWN
        self.primary_role = Role.UNKNOWN
        self.node_attribute: str | None = None
        self.influence = True
        self.cause = cause


class TicketRule:
    """A ticket constraint on one resource; `policy` is stop, demote, freeze or fence."""

    __slots__ = ("cause", "id", "policy", "resource", "role", "ticket")

    def __init__(self, id: str, resource: Resource, ticket: TicketHold, policy: str, role: Role, cause: Cause) -> None:
        self.id = id
        self.resource = resource
        self.ticket = ticket
        self.policy = policy
        self.role = role
        self.cause = cause


class TicketHold:
    """A ticket as the cluster holds it."""

    __slots__ = ("granted", "id", "standby", "state")

    def __init__(self, id: str) -> None:
        self.id = id
        self.granted = False
        self.standby = False
        self.state: dict[str, str] = {}


class Ordering:
    """`first` comes before `then` with the effects (a set of bits of `working.effects`).

    Each side is an action, or a resource with a key (`A_start_0`) that stands for all its actions with this key when orderings
    are applied.
    """

    __slots__ = (
        "cause",
        "effects",
        "first_action",
        "first_key",
        "first_resource",
        "then_action",
        "then_key",
        "then_resource",
    )

    def __init__(
        self,
        first: Action | tuple[Resource, str],
        then: Action | tuple[Resource, str],
        effects: int,
        cause: Cause,
    ) -> None:
        self.first_action: Action | None = None
        self.first_resource: Resource | None = None
        self.first_key: str | None = None
        self.then_action: Action | None = None
        self.then_resource: Resource | None = None
        self.then_key: str | None = None
        if isinstance(first, tuple):
            self.first_resource, self.first_key = first
        else:
            self.first_action, self.first_resource = first, first.resource
        if isinstance(then, tuple):
            self.then_resource, self.then_key = then
        else:
            self.then_action, self.then_resource = then, then.resource
        self.effects = effects
        self.cause = cause
