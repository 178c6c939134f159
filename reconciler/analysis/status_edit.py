"""A status taken apart so that simulated results can be written into it, and put together again.

Only the nodes that are touched are taken apart.
Source: the scheduler's specification, part 3, section 19; observation of what `crm_simulate` saves.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cib import FEATURE_SET
from reconciler.cib.entry_names import fail_count_name, failure_id, last_failure_name, last_id
from reconciler.frozen import frozen, replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.resource import Agent
from reconciler.model.score import add, read, show
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.model.text import integer
from reconciler.scheduler.digest import digest

NOBODY = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
"""The id that stands in a transition key for a transition that never took place."""

_MIGRATIONS = ("migrate_to", "migrate_from")


@frozen
class SimulatedResult:
    """A result to be recorded: of which task, what came of it, and what was expected; `at_s` is an epoch time in seconds."""

    task: str
    interval_ms: int
    rc: int
    at_s: int
    target_rc: int = 0
    exit_reason: str = ""
    digest: str | None = None
    digested: Mapping[str, str] | None = None
    """The parameters behind the digest, where digests of some of them that an entry has are to be renewed too."""
    extra: Mapping[str, str] | None = None
    """Further keys of the entry."""
    notification: str | None = None
    """For a notification: `<type>_notify_<operation>`."""


@frozen
class CountedFailure:
    """A failure that was counted in the attributes of a node: under which name, and when."""

    node_id: str
    resource: str
    task: str
    interval_ms: int
    at_s: int


class HistoryEdit:
    """What a node remembers of one resource."""

    def __init__(self, history: ResourceHistory) -> None:
        self.id = history.id
        self.attributes = history.attributes
        self.entries = [(entry.id, dict(entry.attributes)) for entry in history.entries]
        self.ambiguous = False
        """Whether the node has several histories of this name: then none of them tells the number of the last call."""

    def record(self, resource: str, result: SimulatedResult) -> None:
        """Remember a result under the resource's configured id; an entry that it replaces keeps its other keys."""
        calls = [0 if self.ambiguous else integer(entry.get("call-id")) for _, entry in self.entries]
        call_id = max(calls, default=0) + 1
        values = _entry_values(resource, result, call_id)
        for id in _entry_ids(resource, result):
            known = next((entry for name, entry in self.entries if name == id), None)
            if known is None:
                self.entries.append((id, dict(values)))
            else:
                known.update(values)
                _renew_restart_digest(known, result)

    def forget(self, entry_id: str) -> None:
        """Drop the entries with this id."""
        self.entries = [(id, entry) for id, entry in self.entries if id != entry_id]

    def finish(self) -> ResourceHistory:
        """The history as a value."""
        return ResourceHistory(self.id, self.attributes, tuple(HistoryEntry(id, entry) for id, entry in self.entries))


def _renew_restart_digest(entry: dict[str, str], result: SimulatedResult) -> None:
    """Let the digest of what a reload would not take over follow the parameters that the resource now runs with."""
    if result.digested is None or "op-force-restart" not in entry:
        return
    names = entry["op-force-restart"].split()
    entry["op-restart-digest"] = digest({name: value for name, value in result.digested.items() if name in names})


def _entry_ids(resource: str, result: SimulatedResult) -> tuple[str, ...]:
    if result.rc != result.target_rc:
        failed = failure_id(resource)
        return (failed,) if result.interval_ms else (failed, last_id(resource))
    if result.notification is not None:
        return (f"{resource}_{result.notification}_0",)
    if result.interval_ms or result.task in _MIGRATIONS:
        return (f"{resource}_{result.task}_{result.interval_ms}",)
    return (last_id(resource),)


def _entry_values(resource: str, result: SimulatedResult, call_id: int) -> dict[str, str]:
    task = "start" if result.task in ("reload", "reload-agent") else result.task
    key = f"{call_id}:-1:{result.target_rc}:{NOBODY}"
    name = f"{resource}_{result.notification}_0" if result.notification else f"{resource}_{task}_{result.interval_ms}"
    values = {
        "operation_key": name,
        "operation": task,
        "crm-debug-origin": "simulation",
        "crm_feature_set": FEATURE_SET,
        "transition-key": key,
        "transition-magic": f"0:{result.rc};{key}",
        "exit-reason": result.exit_reason,
        "call-id": str(call_id),
        "rc-code": str(result.rc),
        "op-status": "0",
        "interval": str(result.interval_ms),
        "last-rc-change": str(result.at_s),
        "exec-time": "0",
        "queue-time": "0",
    }
    if result.digest is not None:
        values["op-digest"] = result.digest
    return values | dict(result.extra or {})


class NodeEdit:
    """What is known of one node."""

    def __init__(self, state: NodeState) -> None:
        self.id = state.id
        self.name = state.name
        self.attributes = dict(state.attributes)
        self.transient = [(dict(block.values), block) for block in state.transient]
        self.histories: list[ResourceHistory | HistoryEdit] = list(state.history)
        self.has_history = state.has_history
        self._places: dict[str, list[int]] = {}
        self._index()

    def _index(self) -> None:
        """Note where the histories of each name are: the first of them counts."""
        self._places = {}
        for place, history in enumerate(self.histories):
            self._places.setdefault(history.id, []).append(place)

    def history(self, names: tuple[str, ...], agent: Agent) -> HistoryEdit:
        """The history under the first of the names that is known, or a new one under the last."""
        self.has_history = True
        for name in names:
            if places := self._places.get(name):
                history = self._opened(places[0])
                history.ambiguous = len(places) > 1
                return history
        place = len(self.histories)
        self._places[names[-1]] = [place]
        self.histories.append(ResourceHistory(names[-1], _agent_keys(agent)))
        return self._opened(place)

    def _opened(self, place: int) -> HistoryEdit:
        known = self.histories[place]
        if isinstance(known, ResourceHistory):
            known = HistoryEdit(known)
            self.histories[place] = known
        return known

    def forget(self, names: tuple[str, ...]) -> None:
        """Drop the histories under the names."""
        if any(name in self._places for name in names):
            self.histories = [history for history in self.histories if history.id not in names]
            self._index()

    def forget_entry(self, names: tuple[str, ...], entry_id: str) -> None:
        """Drop one entry from the histories under the names."""
        for name in names:
            for place in self._places.get(name, ()):
                self._opened(place).forget(entry_id)

    def forget_all(self) -> None:
        """Drop all histories and transient attributes, as after a reboot."""
        self.histories, self.transient = [], []
        self._index()
        self.has_history = False

    def values(self) -> dict[str, str]:
        """The transient attributes that a simulation changes: those of the first block without rules, made when missing."""
        for values, block in self.transient:
            if not block.rules:
                return values
        self.transient.append(({}, AttributeBlock({}, id=f"status-{self.id}")))
        return self.transient[-1][0]

    def count_failure(self, resource: str, result: SimulatedResult) -> CountedFailure | None:
        """Count a result that is a failure; None when it counts as none (success, or a probe that found nothing)."""
        if result.rc == 0 or (result.rc == 7 and not result.interval_ms):
            return None
        values = self.values()
        count = fail_count_name(resource, result.task, result.interval_ms)
        values[count] = show(add(read(values.get(count)), 1))
        values[last_failure_name(resource, result.task, result.interval_ms)] = str(result.at_s)
        return CountedFailure(self.id, resource, result.task, result.interval_ms, result.at_s)

    def finish(self) -> NodeState:
        """The node's state as a value."""
        return NodeState(
            self.id,
            self.name,
            self.attributes,
            transient=tuple(replace(block, values=values) for values, block in self.transient),
            history=tuple(known.finish() if isinstance(known, HistoryEdit) else known for known in self.histories),
            has_history=self.has_history,
        )


def _agent_keys(agent: Agent) -> dict[str, str]:
    keys = {"class": agent.standard}
    if agent.provider is not None:
        keys["provider"] = agent.provider
    return keys | {"type": agent.type}


class StatusEdit:
    """A status of which single nodes are being changed."""

    def __init__(self, status: Status) -> None:
        self._nodes: list[NodeState | NodeEdit] = list(status.nodes)
        self._places: dict[str, int] = {}
        for place, state in enumerate(status.nodes):
            self._places.setdefault(state.name, place)
        self.tickets = {ticket.id: ticket for ticket in status.tickets}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def node(self, name: str, id: str) -> NodeEdit:
        """The node of this name, made with the id when nothing is known of it."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self._nodes)
            self._nodes.append(NodeState(id, name, has_history=False))
        known = self._nodes[place]
        if isinstance(known, NodeState):
            known = NodeEdit(known)
            self._nodes[place] = known
        return known

    def finish(self) -> Status:
        """The status as a value."""
        nodes = tuple(node.finish() if isinstance(node, NodeEdit) else node for node in self._nodes)
        return Status(nodes, tuple(self.tickets.values()))
