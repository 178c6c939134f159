"""The first half of a run: from a CIB to nodes, resources and what is known of them.

Source: the scheduler's specification, part 1, sections 1, 11, 13.1, 16 and 18.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.date import Instant
from reconciler.model.text import is_true
from reconciler.scheduler.evaluating.options import in_zone, read_options
from reconciler.scheduler.reading.nodes import read_nodes
from reconciler.scheduler.reading.resources import read_resources
from reconciler.scheduler.recalling.aftermath import stop_containers
from reconciler.scheduler.recalling.histories import read_histories
from reconciler.scheduler.recalling.node_state import finish_remote_nodes, read_node_states
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.constraints import TicketHold

if TYPE_CHECKING:
    from reconciler.cib import Cib


class NoTimeError(ReconcilerError):
    """Nobody said what time it is: the CIB holds no execution date, and the scheduler reads no clock."""

    code = "no-time"


def read_state(cib: Cib, now: Instant | None) -> Cluster:
    """Everything that configuration and status say, before constraints.

    `now` is the time at which rules and failures are judged; without one the CIB's execution date is. Dates are read in the cluster's
    zone, if it has one.
    **Raises** `NoTimeError` when there is neither.
    """
    if now is None:
        if not cib.execution_date:
            raise NoTimeError("the CIB has no execution date, so the time to decide for must be given")
        now = Instant(cib.execution_date)
    cluster = Cluster(cib, in_zone(cib.configuration.options, now))
    read_options(cluster)
    read_nodes(cluster)
    read_resources(cluster)
    for tag in cib.configuration.tags:
        cluster.tags[tag.id] = tuple(dict.fromkeys(tag.references))
    _read_tickets(cluster)
    read_node_states(cluster)
    read_histories(cluster)
    stop_containers(cluster)
    finish_remote_nodes(cluster)
    _count_instances(cluster)
    return cluster


def _read_tickets(cluster: Cluster) -> None:
    for state in cluster.cib.status.tickets:
        ticket = cluster.tickets[state.id] = TicketHold(state.id)
        ticket.state = dict(state.attributes)
        ticket.granted = is_true(state.attributes.get("granted"))
        ticket.standby = is_true(state.attributes.get("standby"))


def _count_instances(cluster: Cluster) -> None:
    """Count instances, disabled and blocked ones; orphans only while they are active (section 18.2)."""
    for top in cluster.resources:
        for leaf in top.leaves():
            if leaf.configured.orphan and leaf.found.role <= Role.STOPPED:
                continue
            cluster.instance_count += 1
            cluster.disabled_count += leaf.configured.role_limit is not None
            cluster.blocked_count += leaf.found.blocked
