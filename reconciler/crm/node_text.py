"""The list of nodes in Pacemaker's status text.

Source: the scheduler's specification, part 1, sections 17, 18.3 and 18.5.
"""

from __future__ import annotations

from reconciler.crm.outline import Outline
from reconciler.model.score import read
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.options import ClusterOptions
from reconciler.scheduler.working.resource import Resource

_HIDDEN_ATTRIBUTES = ("fail-count", "last-failure", "shutdown", "terminate", "standby", "#")


def add_nodes(outline: Outline, cluster: Cluster) -> bool:
    """Add the node list; returns whether there was any node."""
    if not cluster.nodes:
        return False
    outline.begin("Node List")
    lists: dict[str, list[str]] = {
        "Online": [],
        "OFFLINE": [],
        "RemoteOnline": [],
        "RemoteOFFLINE": [],
        "GuestOnline": [],
    }
    for node in cluster.nodes:
        health = _health_remark(node, cluster.options)
        if _stands_out(node) or health:
            outline.item(f"{_kind(node)} {node.name}: {_state(node)}{health}")
        else:
            lists.setdefault(_list_name(node), []).append(node.name)
    for name, members in lists.items():
        if members and name != "GuestOFFLINE":
            outline.item(f"[ {' '.join(members)} ]", name)
    outline.end()
    return True


def _stands_out(node: ClusterNode) -> bool:
    """Whether the node gets a line of its own."""
    on_fail = node.standby_on_fail and node.online
    return node.unclean or node.pending or on_fail or node.standby or node.maintenance


def _kind(node: ClusterNode) -> str:
    if node.is_guest:
        return "GuestNode"
    return "RemoteNode" if node.is_remote else "Node"


def _list_name(node: ClusterNode) -> str:
    prefix = _kind(node).removesuffix("Node")
    return prefix + ("Online" if node.online else "OFFLINE")


def _state(node: ClusterNode) -> str:
    if node.unclean:
        return "UNCLEAN (online)" if node.online else "UNCLEAN (pending)" if node.pending else "UNCLEAN (offline)"
    if node.pending:
        return "pending"
    if node.standby_on_fail and node.online:
        return "standby (on-fail)"
    if node.standby:
        if not node.online:
            return "OFFLINE (standby)"
        return "standby (with active resources)" if node.running else "standby"
    if node.maintenance:
        return "maintenance" if node.online else "OFFLINE (maintenance)"
    return "online" if node.online else "OFFLINE"


def _health_remark(node: ClusterNode, options: ClusterOptions) -> str:
    if options.health_strategy == "none":
        return ""
    colours = {_health_colour(value, options) for name, value in node.attributes.items() if name.startswith("#health")}
    for colour in ("RED", "YELLOW"):
        if colour in colours:
            return f" (health is {colour})"
    return ""


def _health_colour(value: str, options: ClusterOptions) -> str:
    """Of one attribute. Red and green are told by their scores, which may say otherwise than the word; yellow is yellow."""
    red, yellow, green = options.health_colours
    if value.lower() == "yellow":
        return "YELLOW"
    score = read(value, options.health_colours)
    if score <= red:
        return "RED"
    return "YELLOW" if score <= yellow and yellow != green else "GREEN"


def add_attributes(outline: Outline, cluster: Cluster) -> None:
    """Add the attributes of online nodes, without those that Pacemaker keeps for itself; nothing when there are none."""
    shown = [(node, names) for node in cluster.nodes if node.online and (names := _shown_attributes(node))]
    if not shown:
        return
    outline.blank()
    outline.begin("Node Attributes")
    for node, names in shown:
        outline.begin(f"Node: {node.name}")
        for name in names:
            value = node.attributes[name]
            outline.item(f"{name:<32}\t: {value:<10}{_connectivity(node, name, value)}")
        outline.end()
    outline.end()


def _shown_attributes(node: ClusterNode) -> list[str]:
    return sorted(name for name in node.attributes if not name.startswith(_HIDDEN_ATTRIBUTES))


def _connectivity(node: ClusterNode, name: str, value: str) -> str:
    """What a ping resource on the node makes of its attribute."""
    expected = next((found for resource in node.running if (found := _ping_score(resource, name)) is not None), None)
    if expected is None:
        return ""
    score = read(value)
    if score <= 0:
        return "\t: Connectivity is lost"
    return f"\t: Connectivity is degraded (Expected={expected})" if score < expected else ""


def _ping_score(resource: Resource, attribute: str) -> int | None:
    """The value that the attribute has with all hosts reachable, None when the resource does not set it."""
    if resource.configured.agent is None or resource.configured.agent.type not in ("ping", "pingd"):
        return None
    params: dict[str, str] = {}
    for blocks in resource.configured.param_blocks:
        for block in reversed(blocks):
            for name, value in block.values.items():
                params.setdefault(name, value)
    if params.get("name", "pingd") != attribute:
        return None
    return len(params.get("host_list", "").split()) * read(params.get("multiplier", "1"))
