"""A plan: the answer of the scheduler. What runs where, what has to be done for it in which order, and why.

Source: the scheduler's specification, part 3, sections 16 and 18.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.frozen import field, frozen
from reconciler.model.resource import Agent
from reconciler.scheduler.cause import Cause

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster


class ActionKind(enum.Enum):
    """Who carries an action out: an agent on a node, the controller of the cluster, or nobody (it marks a point)."""

    RESOURCE = "rsc_op"
    CLUSTER = "crm_event"
    PSEUDO = "pseudo_event"


class Verb(enum.Enum):
    """What happens to a resource or node, in the words of the transition summary."""

    START = "Start"
    STOP = "Stop"
    MOVE = "Move"
    RESTART = "Restart"
    RECOVER = "Recover"
    PROMOTE = "Promote"
    DEMOTE = "Demote"
    RE_PROMOTE = "Re-promote"
    MIGRATE = "Migrate"
    RELOAD = "Reload"
    FENCE = "Fence"


@frozen
class PlannedAction:
    """One action of the transition graph, with everything that executing it takes but its attributes.

    `triggers` are the ids of the actions that must be done before; `order_causes` says for each why.
    `resource` is the internal id (`web:0`), `primitive_id` and `long_id` what the history and the agent call it.
    `node` is where it acts, `router` the full member that runs it for a remote or guest node. `downed` are ids of nodes that are down
    once it is done. `maintenance` lists (remote node, in maintenance) pairs to record.
    """

    id: int
    kind: ActionKind
    task: str
    key: str
    internal_key: str | None = None
    resource: str | None = None
    primitive_id: str | None = None
    long_id: str | None = None
    agent: Agent | None = None
    node: str | None = None
    node_id: str | None = None
    router: str | None = None
    interval_ms: int = 0
    timeout_ms: int = 0
    target_rc: int = 0
    priority: int = 0
    triggers: tuple[int, ...] = ()
    downed: tuple[str, ...] = ()
    maintenance: tuple[tuple[str, bool], ...] = ()
    shutdown_lock_s: int | None = None
    cib_only: bool = False
    cause: Cause | None = None
    order_causes: Mapping[int, Cause] = field(default_factory=dict)


@frozen
class Change:
    """One line of the transition summary: what happens to a resource (or node, for `FENCE`), from where to where.

    Roles are texts as shown (`Promoted`). `reason` is Pacemaker's own text; `cause` ours. `blocked` means that it is wanted but can't run.
    """

    verb: Verb
    subject: str
    from_node: str | None = None
    to_node: str | None = None
    from_role: str = ""
    to_role: str = ""
    reason: str | None = None
    blocked: bool = False
    cause: Cause | None = None
    detail: str = ""
    """For a fencing: the operation (reboot, off, on)."""
    guest: str | None = None
    """For the fencing of a guest node: the resource that is the guest."""


@frozen
class Placement:
    """Where one primitive instance is and will be; None for nowhere. Roles are texts."""

    resource: str
    active_on: tuple[str, ...]
    role: str
    node: str | None
    next_role: str
    cause: Cause | None = None


@frozen
class Plan:
    """What the scheduler decided for one CIB at one moment.

    `actions` is the transition graph in the order in which it is written and gone through. `cluster` is the finished working state:
    explanations and Pacemaker's text formats read it, nothing changes it any more. `recheck_by_s` is the epoch time (seconds)
    at which time alone may change the answer.
    """

    actions: tuple[PlannedAction, ...]
    changes: tuple[Change, ...]
    placements: tuple[Placement, ...]
    recheck_by_s: int | None
    cluster: Cluster = field(compare=False, repr=False)

    @property
    def empty(self) -> bool:
        """Whether there is nothing that anyone would carry out: marks of points in the graph are no work."""
        return all(action.kind is ActionKind.PSEUDO for action in self.actions)
