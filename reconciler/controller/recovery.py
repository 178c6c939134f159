"""What a node does before it takes part: finds out what of its former life still runs, and tells it.

After a restart of the daemon every resource that was started here is looked for with the parameters it was started with. What
runs is adopted with its history, so that a configuration changed in the meantime is still noticed; an operation whose end nobody
saw is forgotten, and what was found out stands in its place. Nothing is stopped. After a restart of the machine nothing can run.
Source: the design of the cluster, safety rule 8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.analysis.recording import AgentTraits, Launched, OperationOutcome, ended
from reconciler.cib.entry_names import last_id
from reconciler.cib.moving import Names, name_after
from reconciler.cib.observations import (
    AttributeSet,
    EntryForgotten,
    HistoryForgotten,
    Observation,
    Recorded,
    ResourceForgotten,
    transient,
)
from reconciler.controller.agent_calls import RUNNING_CODES, agent_call
from reconciler.controller.events import Watch, Wish
from reconciler.controller.executor import Executor
from reconciler.controller.members import node_state
from reconciler.controller.messages import AgentOrder
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.frozen import replace
from reconciler.model.duration import DEFAULT_TIMEOUT_MS
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.status import HistoryEntry, NodeState
from reconciler.model.text import integer

_PLAIN = {190: 0, 191: 8}
_STARTS = {"start": 0, "demote": 0, "promote": 8}
_BEGINNINGS = frozenset({"start", "migrate_from"})


class Recovery:
    """The time between the start of the daemon and this node's taking part."""

    def __init__(self, own: str, boot: str) -> None:
        self.own = own
        self.boot = boot
        self.wanted: frozenset[str] = frozenset()
        self.begun = False
        self._fresh = False
        self.nothing_runs = False
        """Whether the machine has been started anew, and the others have not heard that yet."""

    def begin(self, replica: Replica, executor: Executor, now: Moment) -> list[Wish]:
        """Look for everything that was started here, unless the machine has been started anew since."""
        self.begun = True
        self._fresh = replica.shared.boots.get(self.own, self.boot) != self.boot
        self.nothing_runs = self._fresh
        if self._fresh:
            return []
        started = replica.memory.started
        self.wanted = frozenset(started)
        return _look(started, executor, now)

    def look_again(self, replica: Replica, executor: Executor, now: Moment) -> list[Wish]:
        """Whether what was started here runs, of each that nothing monitors: `executor.adopted` has it later, and nothing follows."""
        started = replica.memory.started
        return _look({name: one for name, one in started.items() if not executor.monitors(name)}, executor, now)

    def rename(self, names: Names) -> None:
        """What is looked for is called otherwise by now."""
        self.wanted = frozenset(name_after(name, names) for name in self.wanted)

    def done(self, executor: Executor) -> bool:
        """Whether everything has been looked for."""
        return self.begun and self.wanted <= executor.adopted.keys()

    def finish(
        self, replica: Replica, executor: Executor, now: Moment
    ) -> tuple[tuple[str, ...], list[Observation], list[Wish]]:
        """What does not run any more, what else to tell the cluster, and what to watch from now on."""
        state = node_state(replica.cib, self.own)
        effects: list[Wish] = []
        seen: list[Observation] = [AttributeSet(self.own, "shutdown", None)]
        if self._fresh:
            seen.append(HistoryForgotten(self.own, attributes=True))
            stopped = tuple(sorted(replica.memory.started))
        else:
            stopped = tuple(sorted(name for name in self.wanted if not _runs(executor.adopted[name][1])))
            seen += _findings(state, self.wanted, executor, now)
            calls = (
                agent_call(AgentOrder(0, DEFAULT_TIMEOUT_MS, executor.adopted[name][0]))
                for name in sorted(self.wanted.difference(stopped))
            )
            effects = [Watch(call.resource, call) for call in calls]
        return stopped, seen, effects


def corrections(
    believed: NodeState, known: NodeState, busy: Collection[str], started: Collection[str]
) -> list[Observation]:
    """What the others are to believe of a node whose process lives on: what it knew itself before it took over their state.

    An operation that is believed to be under way, and that it neither carries out nor has a result of (`busy`), was never begun. What is
    believed to be active, and was not `started` here or has been stopped since, is forgotten, so that it is looked up again; and so is what
    was to be started and never was: what is left of it, a monitor's result, is of its former life.
    """
    if (believed.history, believed.transient) != (known.history, known.transient):
        seen: list[Observation] = [HistoryForgotten(known.id, attributes=True)]
        seen += [
            Recorded(known.id, history.id, history.attributes, entry)
            for history in known.history
            for entry in history.entries
        ]
        seen += [AttributeSet(known.id, name, value) for name, value in sorted(transient(known).items())]
    else:
        seen = []
    for history in known.history:
        if history.id not in busy:
            seen += [
                EntryForgotten(known.id, history.id, entry.id) for entry in history.entries if entry.result.is_pending
            ]
        unstarted = history.id not in started and any(map(_says_active, history.entries))
        if history.id not in busy and (unstarted or any(map(_was_to_begin, history.entries))):
            seen.append(ResourceForgotten(known.id, history.id))
    return seen


def _says_active(entry: HistoryEntry) -> bool:
    """Whether an entry is one of a resource that runs: its last lasting operation left it active."""
    result = entry.result
    return result.task in _STARTS and result.succeeded and not entry.is_last_failure


def _was_to_begin(entry: HistoryEntry) -> bool:
    """Whether an entry is one of a start that is believed to be under way."""
    return entry.result.is_pending and entry.result.task in _BEGINNINGS


def _look(started: Mapping[str, Launched], executor: Executor, now: Moment) -> list[Wish]:
    wishes: list[Wish] = []
    for resource in sorted(started):
        timeout_ms = integer(started[resource].attributes.get("CRM_meta_timeout"), DEFAULT_TIMEOUT_MS)
        wishes += executor.adopt(started[resource], timeout_ms, now)
    return wishes


def _findings(state: NodeState, wanted: frozenset[str], executor: Executor, now: Moment) -> list[Observation]:
    """What the history has to say after everything was looked for; what was not is looked up by the scheduler's probes."""
    seen: list[Observation] = [
        ResourceForgotten(state.id, history.id) for history in state.history if history.id not in wanted
    ]
    histories = {history.id: history for history in state.history}
    for resource in sorted(wanted):
        launched, result, traits = executor.adopted[resource]
        entries = histories[resource].entries if resource in histories else ()
        if _runs(result) and _agrees(resource, entries, result):
            seen += [
                EntryForgotten(state.id, resource, entry.id) for entry in entries if _is_recurring_or_pending(entry)
            ]
        else:
            seen.append(ResourceForgotten(state.id, resource))
            seen += _recorded(launched, result, traits, executor, now)
    return seen


def _runs(result: AgentResult) -> bool:
    return result.status is not OperationStatus.DONE or result.code != 7


def _agrees(resource: str, entries: tuple[HistoryEntry, ...], result: AgentResult) -> bool:
    """Whether the history tells a finished start (or change of role) that leads to what was found."""
    wanted = last_id(resource)
    entry = next((entry for entry in entries if entry.id == wanted), None)
    if entry is not None and result.status is OperationStatus.NO_SECRETS:
        # The agent could not look: things are as they were known, unless something was under way.
        return entry.result.status == OperationStatus.DONE
    if entry is None or result.code not in RUNNING_CODES or entry.result.status != OperationStatus.DONE:
        return False
    found = _PLAIN.get(result.code, result.code)
    task, recorded = entry.result.task or "", entry.result.rc
    return found == (recorded if task == "monitor" else _STARTS.get(task, -1)) and (task == "monitor" or recorded == 0)


def _is_recurring_or_pending(entry: HistoryEntry) -> bool:
    return entry.result.recurs or entry.result.is_pending


def _recorded(
    launched: Launched, result: AgentResult, traits: AgentTraits, executor: Executor, now: Moment
) -> tuple[Observation, ...]:
    outcome = OperationOutcome(
        result.code,
        result.status,
        now.epoch_s,
        executor.next_call_id,
        result.execution_ms,
        result.queue_ms,
        result.exit_reason,
    )
    executor.next_call_id += 1
    return ended(replace(launched, traits=traits), outcome)
