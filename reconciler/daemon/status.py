"""The status document of the API: what this node knows, in the words of operators.

The tree of resources is read from the CIB as the scheduler reads it, without deciding anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from reconciler.cib import Cib
from reconciler.cib.observations import transient
from reconciler.controller.agent_calls import RUNNING_CODES
from reconciler.controller.members import node_state, with_members
from reconciler.controller.messages import finding_to_plain
from reconciler.controller.node import Node
from reconciler.controller.shared import Activation
from reconciler.controller.watchdogs import leaves_to_watchdog
from reconciler.daemon.counts import counts_of, leaves, leaves_of
from reconciler.daemon.events import EventLog
from reconciler.daemon.resource_status import ResourceStatus, recorded_to_plain
from reconciler.daemon.shell import moment
from reconciler.daemon.taking_part import at_rest, taking_part
from reconciler.model.date import Instant
from reconciler.model.operation import OperationStatus
from reconciler.model.status import HistoryEntry
from reconciler.scheduler import look
from reconciler.scheduler.standing import Standing, StandingNode, StandingResource
from reconciler.sources.source import SourceStatus
from reconciler.version import __version__


class StatusView:
    """Makes status documents; the reading of an unchanged CIB is kept for the next one."""

    def __init__(self, node: Node, fabric: str, events: EventLog) -> None:
        self._node = node
        self._events = events
        self._fabric = fabric
        self.strict = False
        """Whether this node refuses a commit for its warnings."""
        self.watchdog: Callable[[], dict[str, Any] | None] = lambda: None
        """What is told of the watchdog device that guards this machine; None when none does."""
        self._read: tuple[Cib, Standing] | None = None
        self._said: tuple[Standing, ResourceStatus] | None = None

    def document(self, sources: Iterable[SourceStatus], warnings: Iterable[str]) -> dict[str, Any]:
        """The whole document."""
        node, replica = self._node, self._node.replica
        standing = self._standing()
        configured = frozenset(one.name for one in replica.cib.configuration.nodes)
        resources = self._resources().documents()
        return {
            "api": 1,
            "version": __version__,
            "node": node.name,
            "cluster": replica.cib.configuration.name,
            "members": list(node.members),
            "dc": node.dc,
            "takes_part": taking_part(node).value,
            "quorate": node.quorate,
            "fabric": self._fabric,
            "phase": node.phase,
            "converged": at_rest(node),
            "cib": {"version": str(replica.cib.version), "digest": replica.digest},
            "active": self._active(),
            "proposal": self._proposal(),
            "rejected": self._rejected(),
            "transition": self._transition(),
            "nodes": [_node(replica.cib, one, configured) for one in standing.nodes],
            "resources": resources,
            "counts": counts_of(resources),
            "known_to_agents_as": self._former_names(),
            "failed_actions": self._failures(standing, resources),
            "problems": list(node.problems),
            "drift": _drift(replica.activations, resources),
            "sources": [{**source_to_plain(status), "rejected": self._refused(status)} for status in sources],
            "warnings": list(warnings),
            "strict": self.strict,
            "watchdog": self.watchdog(),
            "watchdogs": self._watchdogs(),
        }

    def _watchdogs(self) -> dict[str, Any]:
        """By node that is to be fenced by its own watchdog what it has promised, and why that would not count if it were lost now."""
        node, cib = self._node, self._node.replica.cib
        promised_ms = node.self_resets
        names = (name for name in sorted(node.replica.shared.nodes) if leaves_to_watchdog(cib, name))
        return {
            name: {
                "resets_within_s": promised_ms[name] / 1000 if name in promised_ms else None,
                "uncounted": node.watchdog_counts(name),
            }
            for name in names
        }

    def _former_names(self) -> dict[str, str]:
        """By resource the name that its agent here goes on to hear: that of its start, since when it was moved to another one."""
        started = self._node.replica.memory.started
        return {name: one.instance for name, one in sorted(started.items()) if one.instance is not None}

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

    def _resources(self) -> ResourceStatus:
        standing = self._standing()
        if self._said is None or self._said[0] is not standing:
            results = self._node.executor.results
            self._said = standing, ResourceStatus(self._node.replica.cib, standing, results.get)
        return self._said[1]

    def _active(self) -> dict[str, Any] | None:
        if not self._node.replica.activations:
            return None
        newest, confirmation = self._node.replica.activations[-1], self._node.parts.confirmation
        return {
            "commit": newest.commit,
            "subject": newest.subject,
            "source": newest.source,
            "version": newest.version,
            "activated_at": newest.at_ms / 1000,
            "digest": newest.digest,
            "confirmed": confirmation.confirmed,
            "durable_on": list(confirmation.by),
        }

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
        key = entry.result.operation_key or ""
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


def _all(resources: Iterable[StandingResource]) -> Iterable[StandingResource]:
    for resource in resources:
        yield resource
        yield from _all(resource.children)


def _node(cib: Cib, node: StandingNode, configured: frozenset[str]) -> dict[str, Any]:
    return {
        "name": node.name,
        "id": node.id,
        "configured": node.name in configured,
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


def _is_adoption(entry: HistoryEntry) -> bool:
    """Whether a look at what runs found something that was not started here: news, and no failure."""
    result = entry.result
    return result.is_probe and result.status == OperationStatus.DONE and result.rc in RUNNING_CODES


def _failed(entry: HistoryEntry, node: str, resource: str) -> dict[str, Any]:
    plain = recorded_to_plain(entry.result)
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
