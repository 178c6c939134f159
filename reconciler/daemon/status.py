"""The status document of the API: what this node knows, in the words of operators.

The tree of resources is read from the CIB as the scheduler reads it, without deciding anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.analysis.entry_names import fail_count_name
from reconciler.cib import Cib
from reconciler.cib.observations import transient
from reconciler.controller.executor import RUNNING_CODES, LastResult
from reconciler.controller.members import node_state, with_members
from reconciler.controller.messages import finding_to_plain
from reconciler.controller.node import Node
from reconciler.controller.shared import Activation
from reconciler.controller.telling import status_word
from reconciler.daemon.counts import CHANGING, counts_of, leaves, leaves_of
from reconciler.daemon.events import EventLog
from reconciler.daemon.shell import moment
from reconciler.model.date import Instant
from reconciler.model.operation import OperationStatus
from reconciler.model.outcome import outcome_word
from reconciler.model.score import read as read_score
from reconciler.model.status import HistoryEntry, ResourceHistory
from reconciler.model.text import integer
from reconciler.scheduler import look
from reconciler.scheduler.roles import Role
from reconciler.scheduler.standing import Standing, StandingNode, StandingResource
from reconciler.sources.source import SourceStatus
from reconciler.version import __version__

_CHANGES_ROLE = frozenset({"start", "stop", "promote", "demote", "migrate_from", "migrate_to"})
_STOPPED = "stopped"


class StatusView:
    """Makes status documents; the reading of an unchanged CIB is kept for the next one."""

    def __init__(self, node: Node, fabric: str, events: EventLog) -> None:
        self._node = node
        self._events = events
        self._fabric = fabric
        self._read: tuple[Cib, Standing] | None = None
        self._histories: tuple[Cib, dict[str, list[ResourceHistory]]] | None = None

    def document(self, sources: Iterable[SourceStatus], warnings: Iterable[str]) -> dict[str, Any]:
        """The whole document."""
        node, replica = self._node, self._node.replica
        standing = self._standing()
        resources = [self._resource(resource) for resource in standing.resources if _is_shown(resource)]
        return {
            "api": 1,
            "version": __version__,
            "node": node.name,
            "cluster": replica.cib.configuration.name,
            "members": list(node.members),
            "dc": node.dc,
            "quorate": node.quorate,
            "fabric": self._fabric,
            "phase": node.phase,
            "converged": node.converged,
            "cib": {"version": str(replica.cib.version), "digest": replica.digest},
            "active": _active(replica.activations),
            "proposal": self._proposal(),
            "rejected": self._rejected(),
            "transition": self._transition(),
            "nodes": [_node(replica.cib, one) for one in standing.nodes],
            "resources": resources,
            "counts": counts_of(resources),
            "failed_actions": self._failures(standing, resources),
            "problems": list(node.problems),
            "drift": _drift(replica.activations, resources),
            "sources": [{**source_to_plain(status), "rejected": self._refused(status)} for status in sources],
            "warnings": list(warnings),
        }

    def resource_ids(self, name: str) -> tuple[str, ...]:
        """The ids under which histories know a resource and its members; none when there is no such resource."""
        standing = self._standing()
        found = [resource for resource in _all(standing.resources) if name in (resource.id, resource.config_id)]
        names = {
            known
            for resource in found
            for part in _all([resource])
            for known in (part.id, part.config_id, part.history_name)
            if known is not None
        }
        return tuple(sorted(names))

    def _standing(self) -> Standing:
        cib = self._node.replica.cib
        if self._read is None or self._read[0] is not cib:
            now = moment()
            self._read = cib, look(with_members(cib), Instant(now.epoch_s, now.offset_s))
        return self._read[1]

    def _resource(self, resource: StandingResource) -> dict[str, Any]:
        children = [self._resource(child) for child in resource.children if _is_shown(child)]
        name = resource.history_name or (resource.config_id if not resource.unique else resource.id)
        histories = self._by_resource().get(name, []) if not children else []
        return {
            "id": resource.id,
            "kind": resource.kind.name.lower(),
            "agent": None if resource.agent is None else str(resource.agent),
            "role": _role(resource, children),
            "nodes": sorted(resource.active_on),
            "managed": resource.managed,
            "maintenance": resource.maintenance,
            "failed": resource.failed or any(child["failed"] for child in children),
            "blocked": resource.blocked or any(child["blocked"] for child in children),
            "orphan": resource.orphan,
            "disabled": (resource.target_role or "").lower() == _STOPPED,
            "pending": resource.pending_task,
            "state": _state_word(resource, children),
            "since_at": _since(histories),
            "fail_count": _fail_count(self._node.replica.cib, name, histories),
            "last": _last(histories, self._node.executor.results.get(name)),
            "children": children,
        }

    def _by_resource(self) -> dict[str, list[ResourceHistory]]:
        """The histories of each resource on all nodes."""
        cib = self._node.replica.cib
        if self._histories is None or self._histories[0] is not cib:
            found: dict[str, list[ResourceHistory]] = {}
            for state in cib.status.nodes:
                for history in state.history:
                    found.setdefault(history.id, []).append(history)
            self._histories = cib, found
        return self._histories[1]

    def _proposal(self) -> dict[str, Any] | None:
        proposal = next(iter(self._node.replica.proposals.values()), None)
        if proposal is None:
            return None
        state = "accepted" if self._node.name in proposal.answers else "examining"
        return {"id": proposal.commit, "commit": proposal.commit, "source": proposal.source, "state": state}

    def _failures(self, standing: Standing, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is remembered of failures, present trouble first. That a probe found something running is none."""
        well = {
            name
            for leaf in leaves_of(resources)
            if leaf["nodes"] and not (leaf["failed"] or leaf["blocked"])
            for name in (leaf["id"], leaf["id"].partition(":")[0])
        }
        found = [
            {**self._failed(one.entry, one.node, one.resource), "recovered": one.resource in well}
            for one in standing.failures
            if not _is_adoption(one.entry)
        ]
        return sorted(found, key=lambda failed: bool(failed["recovered"]))

    def _refused(self, status: SourceStatus) -> dict[str, Any] | None:
        """How the newest commit of a source was refused, as long as it is the newest."""
        refused = self._events.rejections.get(status.name)
        if refused is None or refused["commit"] != status.commit:
            return None
        return {key: refused[key] for key in ("commit", "at", "by", "reason", "findings", "transient")}

    def _failed(self, entry: HistoryEntry, node: str, resource: str) -> dict[str, Any]:
        """A failure that is remembered; one of this node's own comes with what the agent printed, until the daemon ends."""
        failed = _failed(entry, node, resource)
        if node != self._node.name:
            return failed
        key = entry.attributes.get("operation_key", "")
        for (_, known), seen in self._node.executor.failures.items():
            if known == key:
                return failed | {"output": seen.result.output}
        return failed

    def _rejected(self) -> dict[str, Any] | None:
        rejected = self._node.replica.rejected
        if rejected is None:
            return None
        return {
            "id": rejected.proposal.commit,
            "commit": rejected.proposal.commit,
            "source": rejected.proposal.source,
            "subject": rejected.proposal.subject,
            "by": rejected.by,
            "at": rejected.answer.at_ms / 1000,
            "reason": rejected.answer.reason,
            "findings": [finding_to_plain(finding) for finding in rejected.answer.findings],
        }

    def _transition(self) -> dict[str, Any] | None:
        transition = self._node.coordinator.transition
        if transition is None:
            return None
        now = moment()
        running = [
            {
                "key": action.key,
                "operation": action.task,
                "resource": action.resource,
                "node": action.node,
                "interval_ms": action.interval_ms,
                "since_at": (now.wall_ms - now.mono_ms + since.mono_ms) / 1000,
            }
            for action, since in transition.running.values()
        ]
        return {
            "number": transition.number,
            "started_at": transition.started.wall_ms / 1000,
            "actions": len(transition.actions),
            "done": len(transition.done),
            "failed": len(transition.failed),
            "running": running,
            "aborted": transition.aborted,
        }


def source_to_plain(status: SourceStatus) -> dict[str, Any]:
    """How a source stands, as the API shows it."""
    return {
        "name": status.name,
        "kind": status.kind,
        "state": status.state.value,
        "commit": status.commit,
        "checked_at": status.checked_at_s,
        "error": status.error,
        "findings": [finding_to_plain(finding) for finding in status.findings],
    }


def _active(activations: tuple[Activation, ...]) -> dict[str, Any] | None:
    if not activations:
        return None
    newest = activations[-1]
    return {
        "commit": newest.commit,
        "subject": newest.subject,
        "source": newest.source,
        "version": newest.version,
        "activated_at": newest.at_ms / 1000,
        "digest": newest.digest,
    }


def _all(resources: Iterable[StandingResource]) -> Iterable[StandingResource]:
    for resource in resources:
        yield resource
        yield from _all(resource.children)


def _is_shown(resource: StandingResource) -> bool:
    """An orphan that runs nowhere is only a memory."""
    return not resource.orphan or bool(resource.active_on) or resource.failed


def _role(resource: StandingResource, children: list[dict[str, Any]]) -> str:
    """The word for its role; a collective has the highest of its parts."""
    if not children:
        return str(resource.role if resource.role is not Role.UNKNOWN else Role.STOPPED)
    order = [str(role) for role in Role]
    return max((str(child["role"]) for child in children), key=lambda word: order.index(word) if word in order else 0)


def _state_word(resource: StandingResource, children: list[dict[str, Any]]) -> str:
    """What it is about, in a word: the change that is under way, else a failure, else its role."""
    if resource.pending_task in CHANGING:
        return CHANGING[resource.pending_task]
    if resource.failed or any(child["failed"] for child in children):
        return "Failed"
    changing = {child["state"] for child in children} & set(CHANGING.values())
    return min(changing) if changing else _role(resource, children)


def _node(cib: Cib, node: StandingNode) -> dict[str, Any]:
    return {
        "name": node.name,
        "id": node.id,
        "online": node.online,
        "state": _node_state(node),
        "dc": node.is_dc,
        "attributes": {
            name: value
            for name, value in sorted({**node.attributes, **transient(node_state(cib, node.name))}.items())
            if not name.startswith("#")
        },
    }


def _node_state(node: StandingNode) -> str:
    states = (
        ("unclean", node.unclean),
        ("pending", node.pending),
        ("offline", not node.online),
        ("shutdown", node.shutdown),
        ("maintenance", node.maintenance),
        ("standby", node.standby),
    )
    return next((word for word, holds in states if holds), "online")


def _entries(histories: list[ResourceHistory]) -> list[HistoryEntry]:
    return [entry for history in histories for entry in history.entries]


def _since(histories: list[ResourceHistory]) -> int | None:
    """When its role last changed: the newest start, stop or change of role that is remembered."""
    times = [
        integer(entry.attributes.get("last-rc-change"))
        for entry in _entries(histories)
        if entry.attributes.get("operation") in _CHANGES_ROLE and entry.attributes.get("op-status") == "0"
    ]
    return max(times, default=0) or None


def _fail_count(cib: Cib, name: str, histories: list[ResourceHistory]) -> int:
    prefix = fail_count_name(name, "", 0).partition("#")[0] + "#"
    return sum(
        read_score(value)
        for state in cib.status.nodes
        for attribute, value in transient(state).items()
        if attribute.startswith(prefix)
    )


def _last(histories: list[ResourceHistory], result: LastResult | None) -> dict[str, Any] | None:
    """The newest result; what this node itself saw last comes with the agent's output."""
    if result is not None:
        return {
            "operation": result.task,
            "interval_ms": result.interval_ms,
            "node": None,
            "rc": result.result.code,
            "status": status_word(int(result.result.status)),
            "outcome": outcome_word(result.result.code, int(result.result.status)),
            "at": result.at_ms / 1000,
            "exit_reason": result.result.exit_reason,
            "output": result.result.output,
            "execution_ms": result.result.execution_ms,
        }
    entries = [entry for entry in _entries(histories) if entry.attributes.get("op-status") != "-1"]
    newest = max(entries, key=lambda entry: integer(entry.attributes.get("call-id"), -1), default=None)
    return None if newest is None else _from_entry(newest.attributes)


def _is_adoption(entry: HistoryEntry) -> bool:
    """Whether a look at what runs found something that was not started here: news, and no failure."""
    attributes = entry.attributes
    looked = attributes.get("operation") == "monitor" and attributes.get("interval", "0") == "0"
    return looked and attributes.get("op-status") == "0" and integer(attributes.get("rc-code"), -1) in RUNNING_CODES


def _from_entry(entry: Mapping[str, str]) -> dict[str, Any]:
    status = integer(entry.get("op-status"), int(OperationStatus.INVALID))
    return {
        "operation": entry.get("operation", ""),
        "interval_ms": integer(entry.get("interval")),
        "node": entry.get("on_node"),
        "rc": integer(entry.get("rc-code"), -1),
        "status": status_word(status),
        "outcome": outcome_word(integer(entry.get("rc-code"), -1), status),
        "at": float(integer(entry.get("last-rc-change"))),
        "exit_reason": entry.get("exit-reason", ""),
        "output": "",
        "execution_ms": integer(entry.get("exec-time")),
    }


def _failed(entry: HistoryEntry, node: str, resource: str) -> dict[str, Any]:
    plain = _from_entry(entry.attributes)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(plain["at"]))
    reason = f": {plain['exit_reason']}" if plain["exit_reason"] else ""
    text = f"{resource} {plain['operation']} on {node}: {plain['outcome']}, at {when}Z{reason}"
    return {**plain, "resource": resource, "node": node, "text": text}


def _drift(activations: tuple[Activation, ...], resources: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What differs from what the sources say: what is not managed, and a version that was rolled back to here."""
    drift = [
        {"kind": "unmanaged", "subject": leaf["id"], "text": f"{leaf['id']} is not managed"}
        for resource in resources
        for leaf in leaves(resource)
        if not leaf["managed"]
    ]
    if activations and activations[-1].source in ("apply", "rollback"):
        newest = activations[-1]
        text = f"{newest.commit[:12]} was made here ({newest.source}); the sources do not have it"
        drift.append({"kind": newest.source, "subject": newest.commit, "text": text})
    return drift
