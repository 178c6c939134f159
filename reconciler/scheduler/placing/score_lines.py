"""The listing of scores as they are decided.

Source: the scheduler's specification, part 2, section 27.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

PRIMITIVE = "pcmk__primitive_assign"
GROUP = "pcmk__group_assign"
CLONE = "pcmk__clone_allocate"
BUNDLE = "pcmk__bundle_allocate"
PROMOTION = "promotion"


def list_scores(cluster: Cluster, resource: Resource, label: str) -> None:
    """List the scores of the resource, and of everything below it, on all nodes of their tables; never those of orphans."""
    if not cluster.show_scores or resource.configured.orphan:
        return
    scores, id, lines = resource.placed.table.scores, resource.id, cluster.score_lines
    for node in cluster.nodes:
        score = scores.get(node.index)
        if score is not None:
            lines.append((label, id, node.name, score))
    if resource.kind is not Kind.PRIMITIVE:
        for child in resource.children:
            list_scores(cluster, child, label)


def list_promotion(cluster: Cluster, instance: Resource, node: ClusterNode | None, rank: int) -> None:
    """List the score by which an instance is considered for promotion, on its node or on none."""
    if cluster.show_scores:
        cluster.score_lines.append((PROMOTION, instance.id, "none" if node is None else node.name, rank))
