"""The members of the cluster in the configuration: who takes part is a node, whether or not the configuration names it.

A node is known by its name alone, in messages, in the status and in plans. An id that the configuration gives it is the cluster layer's
business: it may come and go with a commit, and what was observed before stays observed.
Source: Pacemaker Explained, "Cluster Nodes": the cluster layer's members enter the configuration by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconciler.cib import Cib
from reconciler.cib.departing import whole
from reconciler.cib.observations import NodeObserved, Observation
from reconciler.frozen import replace
from reconciler.model.cluster import NodeDefinition
from reconciler.model.status import NodeState, Status

NODE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
"""What a node may be called: as a host, and what stands in commands and names of files as it is."""


def with_members(cib: Cib) -> Cib:
    """The CIB from which a plan is made: every node that has a state is also configured, and all are known by their names.

    The configuration itself stays as it was committed; what is added is a plain member without attributes, and what still departs.
    """
    cib = whole(cib)
    configuration = cib.configuration
    configured = {node.name for node in configuration.nodes}
    missing = tuple(NodeDefinition(state.name) for state in cib.status.nodes if state.name not in configured)
    if not missing and all(node.id is None for node in configuration.nodes):
        return cib
    named = tuple(node if node.id is None else replace(node, id=None) for node in configuration.nodes)
    return replace(cib, configuration=replace(configuration, nodes=(*named, *missing)))


def node_state(cib: Cib, name: str) -> NodeState:
    """The state of a node by its name; an empty one when nothing was observed yet."""
    return next((state for state in cib.status.nodes if state.name == name), NodeState(name, name, has_history=False))


def by_name(cib: Cib, observations: Iterable[Observation]) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """The observations with each node under its name, and the nodes that nobody knows, whose observations are left out.

    Former versions named a node by its configured id: a journal may still do so.
    """
    names = {state.name: state.name for state in cib.status.nodes}
    seen: list[Observation] = []
    unknown: list[str] = []
    for one in observations:
        if isinstance(one, NodeObserved):
            names.setdefault(one.name, one.name)
            names.setdefault(one.node, one.name)
        elif one.node not in names:
            names.update({node.identity: node.name for node in cib.configuration.nodes if node.name in names} | names)
        name = names.get(one.node)
        if name is None:
            unknown.append(one.node)
        else:
            seen.append(one if name == one.node else replace(one, node=name))
    return tuple(seen), tuple(unknown)


def states_by_name(status: Status) -> Status:
    """The status with one state a node, under its name; of two under several ids the later one is in force."""
    if all(state.id == state.name for state in status.nodes):
        return status
    states = {state.name: replace(state, id=state.name) for state in status.nodes}
    return replace(status, nodes=tuple(states.values()))
