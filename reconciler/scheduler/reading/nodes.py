"""Nodes of the configuration, and what every node starts with.

Source: the scheduler's specification, part 1, sections 5.5 and 7.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.model.text import natural_key
from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.rules import RuleContext
from reconciler.scheduler.working.node import ClusterNode, NodeKind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster

_KINDS = {"": NodeKind.CLUSTER, "member": NodeKind.CLUSTER, "remote": NodeKind.REMOTE}


def read_nodes(cluster: Cluster) -> None:
    """Make the configured nodes, with their attributes and capacities."""
    context = RuleContext(cluster)
    for configured in cluster.cib.configuration.nodes:
        kind = _KINDS.get((configured.type or "").lower(), NodeKind.PING)
        base_score = score.read(configured.score, cluster.options.health_colours)
        node = add_node(cluster, configured.identity, configured.name, kind, base_score)
        set_builtin_attributes(cluster, node)
        evaluate(configured.attributes, context, into=node.attributes)
        set_site_name(cluster, node)
        note_failures(node)
        evaluate(configured.utilization, context, into=node.utilization)
        if node.kind is not NodeKind.REMOTE:
            assume_unseen(cluster, node)


def add_node(cluster: Cluster, id: str, name: str, kind: NodeKind, base_score: int) -> ClusterNode:
    """Enter a node into the list, before the first one whose name is not smaller in natural order."""
    node = ClusterNode(len(cluster.nodes_by_index), id, name, kind, base_score)
    node.attributes["#kind"] = kind.value
    cluster.nodes_by_index.append(node)
    key = natural_key(name)
    place = bisect_left(cluster.node_keys, key)
    cluster.node_keys.insert(place, key)
    cluster.nodes.insert(place, node)
    cluster.node_index.setdefault(name, node)
    cluster.node_ids.setdefault(id.lower(), node)
    cluster.start_table = None
    if kind is NodeKind.REMOTE:
        cluster.has_remote_nodes = True
    return node


def find_node(cluster: Cluster, id: str, name: str) -> ClusterNode | None:
    """The node with this id, else the one with this name, both without regard to case."""
    if (node := cluster.node_ids.get(id.lower())) is not None:
        return node
    if (node := cluster.node_index.get(name)) is not None:
        return node
    lowered = name.lower()
    return next((node for node in cluster.nodes if node.name.lower() == lowered), None)


def set_builtin_attributes(cluster: Cluster, node: ClusterNode) -> None:
    """Set the attributes that every configured or seen node has by itself."""
    attributes = node.attributes
    attributes["#uname"] = node.name
    attributes["#id"] = node.id
    node.is_dc = cluster.cib.dc_id is not None and node.id.lower() == cluster.cib.dc_id.lower()
    if node.is_dc:
        cluster.dc = node
    attributes["#is_dc"] = "true" if node.is_dc else "false"
    if cluster.options.cluster_name is not None:
        attributes["#cluster-name"] = cluster.options.cluster_name


def set_site_name(cluster: Cluster, node: ClusterNode) -> None:
    """Give a node without site name the one of its attribute `site-name`, else the cluster's name."""
    if "#site-name" in node.attributes:
        return
    name = node.attributes.get("site-name", cluster.options.cluster_name)
    if name is not None:
        node.attributes["#site-name"] = name


def note_failures(node: ClusterNode) -> None:
    """Pick out the attributes that record failures, which are looked for often and rarely there."""
    node.failures = [
        (name, value) for name, value in node.attributes.items() if name.startswith(("fail-count-", "last-failure-"))
    ]


def assume_unseen(cluster: Cluster, node: ClusterNode) -> None:
    """What is assumed of a node until its state is read: unseen, and unclean where such nodes are to be fenced."""
    node.unclean = cluster.options.startup_fencing
    node.unseen = True
