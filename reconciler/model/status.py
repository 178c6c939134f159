"""The status: what the cluster observed. Node states, operation histories, tickets.

Texts are kept as recorded, None where nothing was; the scheduler reads them.
Source: Pacemaker Explained, "Status"; the scheduler's specification, part 1, sections 11 to 15.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks
from reconciler.model.recorded import RecordedResult, read_result


class _Read:
    """Room beside the fields for what was read from them, which is no part of the value."""

    __slots__ = ("_result",)
    _result: RecordedResult


@frozen
class HistoryEntry(_Read):
    """One remembered result of an operation: its id and every other recorded key."""

    id: str
    attributes: Mapping[str, str]

    @property
    def result(self) -> RecordedResult:
        """What it says, read when first asked for: most entries never are."""
        try:
            return self._result
        except AttributeError:
            read = read_result(self.attributes)
            object.__setattr__(self, "_result", read)
            return read

    @property
    def is_last_failure(self) -> bool:
        """Whether it is the entry that keeps a resource's last failure."""
        return self.id.endswith("_last_failure_0")


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
