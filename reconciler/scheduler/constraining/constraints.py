"""Reading the constraints: references are resolved, and tickets act at once.

Source: the scheduler's specification, part 2, sections 2, 6.1 and 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.constraint import Colocation, Constraint, Location, Order, Ticket
from reconciler.scheduler.constraining.colocation import read_colocation
from reconciler.scheduler.constraining.location import read_location
from reconciler.scheduler.constraining.node_health import apply_node_health
from reconciler.scheduler.constraining.order import read_order
from reconciler.scheduler.constraining.ticket import read_ticket
from reconciler.scheduler.evaluating.rules import RuleContext, any_passes

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster


def read_constraints(cluster: Cluster) -> None:
    """Record node health as constraints, then the configured ones in document order."""
    apply_node_health(cluster)
    for constraint in cluster.cib.configuration.constraints:
        if _in_force(cluster, constraint):
            _read(cluster, constraint)


def _read(cluster: Cluster, constraint: Constraint) -> None:
    match constraint:
        case Location():
            read_location(cluster, constraint)
        case Colocation():
            read_colocation(cluster, constraint)
        case Order():
            read_order(cluster, constraint)
        case Ticket():
            read_ticket(cluster, constraint)


def _in_force(cluster: Cluster, constraint: Constraint) -> bool:
    """Whether the constraint holds now: always, unless it has a lifetime of which no rule passes."""
    lifetime = None if isinstance(constraint, Ticket) else constraint.lifetime
    return not lifetime or any_passes(lifetime, RuleContext(cluster))
