"""How much each instance of a promotable clone is to be promoted on a node, as its agent told.

Source: the scheduler's specification, part 2, section 21.2; part 1, section 5.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.scheduler.evaluating.host_attributes import host_attributes
from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def promotion_score(cluster: Cluster, instance: Resource, node: ClusterNode) -> int | None:
    """The instance's promotion score on the node, of a group the sum over its members; None when none is known."""
    if instance.kind is not Kind.PRIMITIVE:
        known = [promotion_score(cluster, member, node) for member in instance.children]
        scores = [member_score for member_score in known if member_score is not None]
        return sum(scores) if scores else None
    if not _applies(instance, node):
        return None
    attributes = host_attributes(instance, node)
    text = attributes.get(f"master-{instance.found.history_name or instance.id}")
    if text is None and not instance.configured.unique:
        text = attributes.get(f"master-{base_name(instance.found.history_name or instance.id)}")
    return None if text is None else score.read(text, cluster.options.health_colours)


def base_name(name: str) -> str:
    """The name without an instance number at its end."""
    base, separator, number = name.rpartition(":")
    return base if separator and number.isdecimal() else name


def _applies(instance: Resource, node: ClusterNode) -> bool:
    """Whether the node's value counts for this instance: it is allowed there, and the value can be of nobody else."""
    if instance.placed.table.scores.get(node.index, -1) < 0:
        return False
    if not instance.configured.unique:
        siblings = _siblings(instance)
        active = next((sibling for sibling in siblings if node in sibling.found.active_on), None)
        if active is instance:
            return True
        if active is None and any(node.index in sibling.found.known_on for sibling in siblings):
            return True
    if not instance.found.active_on and not instance.found.known_on:
        return True
    return node.index in instance.found.known_on or node in instance.found.active_on


def _siblings(instance: Resource) -> list[Resource]:
    """The same primitive in all instances of its clone."""
    return [leaf for leaf in instance.root.leaves() if leaf.config_id == instance.config_id]
