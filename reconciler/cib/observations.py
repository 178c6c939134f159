"""Changes of the status: the small values of which every message about what was observed consists, and their application.

Applying is a deterministic function of (status, observations): members that apply the same ones hold the same status.
Source: Pacemaker Explained, "Status"; the scheduler's specification, part 1, sections 11 to 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from reconciler.errors import ReconcilerError
from reconciler.frozen import replace
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlock, AttributeBlocks
from reconciler.model.score import INFINITY
from reconciler.model.score import read as read_score
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status

_AGENT_KEYS = frozenset({"class", "provider", "type"})
LONGEST_TEXT = 65_536
"""The longest text of an observation that a peer may send."""


class Recorded(NamedTuple):
    """A history entry is there: added, or in the place of the one with the same id. `agent` holds class, provider, type."""

    node: str
    resource: str
    agent: Mapping[str, str]
    entry: HistoryEntry


class EntryForgotten(NamedTuple):
    """A history entry is gone, and with the last one the resource's history."""

    node: str
    resource: str
    entry: str


class ResourceForgotten(NamedTuple):
    """What a node remembered of a resource is gone."""

    node: str
    resource: str


class HistoryForgotten(NamedTuple):
    """What a node remembered of all resources is gone, and with `attributes` its transient attributes too."""

    node: str
    attributes: bool


class AttributeSet(NamedTuple):
    """A transient node attribute has a value; None: it is gone."""

    node: str
    name: str
    value: str | None


class AttributeRaised(NamedTuple):
    """A transient node attribute that counts went up by one; it stays where it is at INFINITY."""

    node: str
    name: str


class NodeObserved(NamedTuple):
    """The state of a node changed; a value of None takes a key away. An unknown node is added."""

    node: str
    name: str
    attributes: Mapping[str, str | None]


Observation = (
    Recorded | EntryForgotten | ResourceForgotten | HistoryForgotten | AttributeSet | AttributeRaised | NodeObserved
)

_TAGS: dict[str, type[Any]] = {
    "entry": Recorded,
    "forget-entry": EntryForgotten,
    "forget": ResourceForgotten,
    "forget-all": HistoryForgotten,
    "set": AttributeSet,
    "raise": AttributeRaised,
    "node": NodeObserved,
}
_TAG_OF = {kind: tag for tag, kind in _TAGS.items()}


class ObservationError(ReconcilerError):
    """What was given stands for no observation; nothing of it was applied."""

    code = "observation"


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


def to_plain(seen: Observation) -> list[Any]:
    """The plain form of an observation: a list that begins with its tag."""
    if isinstance(seen, Recorded):
        return ["entry", seen.node, seen.resource, dict(seen.agent), seen.entry.id, dict(seen.entry.attributes)]
    if isinstance(seen, NodeObserved):
        return ["node", seen.node, seen.name, dict(seen.attributes)]
    return [_TAG_OF[type(seen)], *seen]


def from_plain(data: object) -> Observation:
    """The observation that `to_plain` made `data` from. Raises ObservationError when it is none."""
    if type(data) is not list or not data or not isinstance(data[0], str):
        raise ObservationError("read an observation: it is no list with a tag")
    match data:
        case ["entry", str(node), str(resource), dict(agent), str(entry), dict(attributes)]:
            return Recorded(node, resource, _texts(agent), HistoryEntry(entry, _texts(attributes)))
        case ["forget-entry", str(node), str(resource), str(entry)]:
            return EntryForgotten(node, resource, entry)
        case ["forget", str(node), str(resource)]:
            return ResourceForgotten(node, resource)
        case ["forget-all", str(node), bool(attributes)]:
            return HistoryForgotten(node, attributes)
        case ["set", str(node), str(name), None | str() as value]:
            return AttributeSet(node, _bounded(name), None if value is None else _bounded(value))
        case ["raise", str(node), str(name)]:
            return AttributeRaised(node, _bounded(name))
        case ["node", str(node), str(name), dict(attributes)]:
            kept = {key: None if value is None else _bounded(value) for key, value in attributes.items()}
            return NodeObserved(node, name, kept)
    raise ObservationError(f"read an observation: {data[0][:40]!r} with {len(data) - 1} parts is unknown")


def _texts(data: dict[str, Any]) -> dict[str, str]:
    return {name: _bounded(value) for name, value in data.items()}


def _bounded(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ObservationError("read an observation: a value is no text, or too long")
    return value


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
