"""The members of the cluster in the configuration: who takes part is a node, whether or not the configuration names it.

Source: Pacemaker Explained, "Cluster Nodes": the cluster layer's members enter the configuration by themselves.
"""

from __future__ import annotations

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.cluster import Node
from reconciler.model.status import NodeState


def with_members(cib: Cib) -> Cib:
    """The CIB from which a plan is made: every node that has a state is also configured.

    The configuration itself stays as it was committed; what is added is a plain member without attributes.
    """
    configured = {node.identity for node in cib.configuration.nodes} | {node.name for node in cib.configuration.nodes}
    missing = tuple(Node(state.name) for state in cib.status.nodes if not {state.id, state.name} & configured)
    if not missing:
        return cib
    return replace(cib, configuration=replace(cib.configuration, nodes=(*cib.configuration.nodes, *missing)))


def node_state(cib: Cib, name: str) -> NodeState:
    """The state of a node by its name; an empty one when nothing was observed yet."""
    return next((state for state in cib.status.nodes if state.name == name), NodeState(name, name, has_history=False))


def node_id(cib: Cib, name: str) -> str:
    """The id under which status and history know a node."""
    return next((node.identity for node in cib.configuration.nodes if node.name == name), name)
