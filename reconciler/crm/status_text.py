"""Pacemaker's status text: what `crm_simulate` prints about a cluster before and after a transition.

Source: the scheduler's specification, part 1, section 18.
"""

from __future__ import annotations

from reconciler.crm.failure_text import add_failed_actions, add_migration_summary
from reconciler.crm.node_text import add_attributes, add_nodes
from reconciler.crm.outline import Outline
from reconciler.crm.resource_text import add_resources
from reconciler.scheduler.working.cluster import Cluster


def status_lines(
    cluster: Cluster,
    title: str = "Current cluster status",
    *,
    fancy: bool = True,
    show_pending: bool = True,
    attributes: bool = False,
    fail_counts: bool = False,
) -> list[str]:
    """The nodes and resources of a cluster under a title, with optional further sections."""
    outline = Outline(fancy=fancy)
    outline.begin(title)
    if add_nodes(outline, cluster):
        outline.blank()
    add_resources(outline, cluster, show_pending=show_pending)
    if attributes:
        add_attributes(outline, cluster)
    if fail_counts:
        add_migration_summary(outline, cluster)
        add_failed_actions(outline, cluster)
    outline.end()
    return outline.lines


def count_lines(cluster: Cluster) -> list[str]:
    """What is printed above the status: maintenance mode and how many instances are disabled or blocked."""
    lines: list[str] = []
    if cluster.options.maintenance_mode:
        lines += [
            "",
            "              *** Resource management is DISABLED ***",
            "  The cluster will not attempt to start, stop or recover services",
        ]
    if cluster.disabled_count or cluster.blocked_count:
        lines += [""] * bool(lines) + [
            f"{cluster.disabled_count} of {cluster.instance_count} resource instances DISABLED and "
            f"{cluster.blocked_count} BLOCKED from further action due to failure"
        ]
    return [*lines, ""] if lines else []
