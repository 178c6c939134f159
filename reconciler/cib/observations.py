"""Changes of the status: the small values of which every message about what was observed consists, and their application.

Applying is a deterministic function of (status, observations): members that apply the same ones hold the same status.
Source: Pacemaker Explained, "Status"; the scheduler's specification, part 1, sections 11 to 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.frozen import frozen, replace
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlock, AttributeBlocks
from reconciler.model.score import INFINITY
from reconciler.model.score import read as read_score
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status

_AGENT_KEYS = frozenset({"class", "provider", "type"})


@frozen
class Recorded:
    """A history entry is there: added, or in the place of the one with the same id. `agent` holds class, provider, type."""

    node: str
    resource: str
    agent: Mapping[str, str]
    entry: HistoryEntry


@frozen
class EntryForgotten:
    """A history entry is gone, and with the last one the resource's history."""

    node: str
    resource: str
    entry: str


@frozen
class ResourceForgotten:
    """What a node remembered of a resource is gone."""

    node: str
    resource: str


@frozen
class HistoryForgotten:
    """What a node remembered of all resources is gone, and with `attributes` its transient attributes too."""

    node: str
    attributes: bool


@frozen
class AttributeSet:
    """A transient node attribute has a value; None: it is gone."""

    node: str
    name: str
    value: str | None


@frozen
class AttributeRaised:
    """A transient node attribute that counts went up by one; it stays where it is at INFINITY."""

    node: str
    name: str


@frozen
class NodeObserved:
    """The state of a node changed; a value of None takes a key away. An unknown node is added."""

    node: str
    name: str
    attributes: Mapping[str, str | None]


Observation = (
    Recorded | EntryForgotten | ResourceForgotten | HistoryForgotten | AttributeSet | AttributeRaised | NodeObserved
)


def observe(status: Status, observations: Iterable[Observation]) -> Status:
    """The status after the observations, in their order. What is told of an unknown node is ignored, but `NodeObserved`."""
    working: dict[str, _WorkingNode] = {}
    nodes = {state.id: state for state in status.nodes}
    for seen in observations:
        if seen.node not in nodes:
            if not isinstance(seen, NodeObserved):
                continue
            nodes[seen.node] = NodeState(seen.node, seen.name)
        if seen.node not in working:
            working[seen.node] = _WorkingNode(nodes[seen.node])
        working[seen.node].apply(seen)
    for node_id, changed in working.items():
        nodes[node_id] = changed.finish()
    return replace(status, nodes=tuple(nodes.values()))


def transient(state: NodeState) -> dict[str, str]:
    """The transient attributes of a node that hold without a rule."""
    values: dict[str, str] = {}
    for block in state.transient:
        if not block.rules:
            values.update(block.values)
    return values


class _WorkingNode:
    """A node's state taken apart, so that many observations cost one rebuilding."""

    def __init__(self, state: NodeState) -> None:
        self.state = state
        self.history = {history.id: history for history in state.history}
        self.transient = transient(state)
        self.attributes = dict(state.attributes)
        self.other_blocks = tuple(block for block in state.transient if block.rules)

    def apply(self, seen: Observation) -> None:
        match seen:
            case Recorded():
                self._record(seen)
            case EntryForgotten():
                self._forget_entry(seen)
            case ResourceForgotten():
                self.history.pop(seen.resource, None)
            case HistoryForgotten():
                self.history.clear()
                if seen.attributes:
                    self.transient.clear()
            case AttributeSet(_, name, None):
                self.transient.pop(name, None)
            case AttributeSet(_, name, str(value)):
                self.transient[name] = value
            case AttributeRaised(_, name):
                self.transient[name] = _raised(self.transient.get(name))
            case NodeObserved():
                self._observe_node(seen)

    def finish(self) -> NodeState:
        return replace(
            self.state,
            attributes=self.attributes,
            transient=self._blocks(),
            history=tuple(self.history.values()),
            has_history=True,
        )

    def _record(self, seen: Recorded) -> None:
        known = self.history.get(seen.resource) or ResourceHistory(seen.resource, dict(seen.agent))
        entries = tuple(entry for entry in known.entries if entry.id != seen.entry.id)
        # Another agent takes the former one's place whole: a provider left over would be a change for ever.
        attributes = {name: value for name, value in known.attributes.items() if name not in _AGENT_KEYS}
        attributes.update(seen.agent)
        self.history[seen.resource] = ResourceHistory(seen.resource, attributes, (*entries, seen.entry))

    def _forget_entry(self, seen: EntryForgotten) -> None:
        known = self.history.get(seen.resource)
        if known is None:
            return
        entries = tuple(entry for entry in known.entries if entry.id != seen.entry)
        if entries:
            self.history[seen.resource] = replace(known, entries=entries)
        else:
            del self.history[seen.resource]

    def _observe_node(self, seen: NodeObserved) -> None:
        for name, value in seen.attributes.items():
            if value is None:
                self.attributes.pop(name, None)
            else:
                self.attributes[name] = value

    def _blocks(self) -> AttributeBlocks:
        if not self.transient:
            return self.other_blocks or NO_ATTRIBUTES
        return (*self.other_blocks, AttributeBlock(self.transient, id=f"status-{self.state.id}"))


def _raised(value: str | None) -> str:
    count = read_score(value)
    return "INFINITY" if count >= INFINITY - 1 else str(max(count, 0) + 1)
