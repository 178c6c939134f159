"""A plan: the answer of the scheduler. What runs where, what has to be done for it in which order, and why.

Source: the scheduler's specification, part 3, sections 16 and 18.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.frozen import field, frozen
from reconciler.model.resource import Agent
from reconciler.scheduler.cause import Cause

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.model.date import Instant
    from reconciler.model.status import HistoryEntry
    from reconciler.scheduler.decision import Decisions


def merged(layers: tuple[Mapping[str, str], ...]) -> dict[str, str]:
    """Layers of names and values as one: the first value of a name counts."""
    values: dict[str, str] = {}
    for layer in reversed(layers):
        values.update(layer)
    return values


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
    """One action of the transition graph, with everything that executing it takes.

    `triggers` are the ids of the actions that must be done before; `order_causes` says for each why.
    `resource` is the internal id (`web:0`), `primitive_id` and `long_id` what the history and the agent call it.
    `node` is where it acts, `router` the full member that runs it for a remote or guest node. `downed` are ids of nodes that are down
    once it is done. `maintenance` lists (remote node, in maintenance) pairs to record. `cancelled_task` is what a cancel cancels.
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
    cancelled_task: str | None = None
    layers: tuple[Mapping[str, str], ...] = ()
    """Its attributes in layers that actions share; of a name that repeats the first counts."""
    digested: Mapping[str, str] | None = None
    """The parameters as the scheduler digests them, where its attributes say something else."""

    @property
    def essence(self) -> tuple[object, ...]:
        """Everything that is done, when, where and how, in a fixed order; why is left out."""
        values = tuple(sorted(self.attributes.items()))
        digested = None if self.digested is None else tuple(sorted(self.digested.items()))
        told = ("cause", "order_causes", "layers", "digested", "kind", "agent")
        plain = tuple(getattr(self, name) for name in self.__match_args__ if name not in told)
        return (self.kind.value, None if self.agent is None else str(self.agent), *plain, values, digested)

    @property
    def attributes(self) -> dict[str, str]:
        """What whoever carries it out is told: parameters of the agent, and `CRM_meta_*` values about the action."""
        return merged(self.layers)


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
    """Where one primitive instance is and will be; None for nowhere. Roles are texts.

    `history_name` is under which name histories know it, where they do.
    """

    resource: str
    active_on: tuple[str, ...]
    role: str
    node: str | None
    next_role: str
    cause: Cause | None = None
    history_name: str | None = None


@frozen
class FailedAction:
    """A recorded result that counts as a failure; `masked` is one of a probe, `over` one from which the resource recovered."""

    resource: str
    node: str
    entry: HistoryEntry
    masked: bool
    over: bool


@frozen
class Terms:
    """The options under which a plan is carried out; a limit of 0 or less is none, times are texts as configured."""

    batch_limit: int = 0
    migration_limit: int = -1
    start_failure_is_fatal: bool = True
    fencing_enabled: bool = True
    cluster_delay: str = "60s"
    fencing_timeout: str = "60s"
    recheck_interval: str | None = None


@frozen
class Plan:
    """What the scheduler decided for one CIB at one moment.

    `actions` is the transition graph in the order in which it is written and gone through. `now` is the time for which it was made,
    `recheck_by_s` the one at which time alone may change the answer (epoch seconds). `messages` say what is odd about the
    input. `decisions` are told when they were asked for.
    """

    cib: Cib = field(compare=False, repr=False)
    now: Instant
    actions: tuple[PlannedAction, ...]
    changes: tuple[Change, ...]
    placements: tuple[Placement, ...]
    failures: tuple[FailedAction, ...]
    terms: Terms
    recheck_by_s: int | None
    messages: tuple[str, ...]
    decisions: Decisions | None

    @property
    def digest(self) -> str:
        """Of everything that carrying it out takes, in hexadecimal: plans with the same digest do the same. Reasons don't count."""
        return hashlib.sha256(repr([action.essence for action in self.actions]).encode()).hexdigest()

    @property
    def empty(self) -> bool:
        """Whether there is nothing that anyone would carry out: marks of points in the graph are no work."""
        return all(action.kind is ActionKind.PSEUDO for action in self.actions)
