"""The status: what the cluster observed. Node states, operation histories, tickets.

Texts are kept as recorded, None where nothing was; the scheduler reads them.
Source: Pacemaker Explained, "Status"; the scheduler's specification, part 1, sections 11 to 15.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks


@frozen
class HistoryEntry:
    """One remembered result of an operation: its id and every other recorded key.

    The keys that decide are operation, interval (ms), call-id, rc-code, op-status, transition-key, transition-magic, last-rc-change,
    op-digest, op-restart-digest, op-force-restart, op-secure-digest, op-secure-params, on_node, migrate_source, migrate_target,
    exit-reason.
    """

    id: str
    attributes: Mapping[str, str]


@frozen
class ResourceHistory:
    """What a node remembers of one resource; `attributes` holds class, provider, type, container, shutdown-lock."""

    id: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    entries: tuple[HistoryEntry, ...] = ()


@frozen
class NodeState:
    """What is known of one node.

    `attributes` holds in_ccm, crmd, join, expected, remote_node, node_fenced, node_in_maintenance and the like.
    `has_history` tells an empty history from none at all.
    """

    id: str
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    transient: AttributeBlocks = NO_ATTRIBUTES
    history: tuple[ResourceHistory, ...] = ()
    has_history: bool = True


@frozen
class TicketState:
    """Whether the cluster holds a ticket; `attributes` holds granted, standby, last-granted."""

    id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@frozen
class Status:
    """Everything observed, in the order recorded."""

    nodes: tuple[NodeState, ...] = ()
    tickets: tuple[TicketState, ...] = ()
