"""A planner as small as can be: it answers for plain resources what the scheduler would, a hundred times as fast.

Most lives need a plan, and not the best one. This one fences who is unclean first, stops before it starts, looks before it believes, and
knows neither constraints nor clones. What it knows of the rules it does not enforce where the controller has to: without fencing it
starts elsewhere what a lost node may run, and holding that back is the controller's.
Source: the design of the cluster, "The simulator" (speed); Pacemaker Explained, "Status".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from reconciler.cib import FEATURE_SET, Cib
from reconciler.cib.departing import departs
from reconciler.cib.entry_names import fail_count_name, last_id
from reconciler.cib.observations import transient
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.standing import fences, option, quorum_policy
from reconciler.frozen import frozen
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.duration import interval_ms, timeout_ms
from reconciler.model.resource import Agent, Primitive
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory
from reconciler.model.text import integer
from reconciler.scheduler.digest import digest, digested_texts
from reconciler.scheduler.plan import ActionKind, Plan, PlannedAction, Terms

_STONITH = "stonith"
_UNDERWAY = 1 << 31
_STARTS = frozenset({"start", "promote", "demote", "migrate_from"})


class _Found(enum.Enum):
    """What is believed of a resource on a node."""

    UNKNOWN = enum.auto()
    STOPPED = enum.auto()
    ACTIVE = enum.auto()
    FAILED = enum.auto()
    """It may run, and is to be stopped whatever becomes of it."""
    STUCK = enum.auto()
    """It could not be stopped."""


class _Stand(enum.Enum):
    """What is believed of a node."""

    ONLINE = enum.auto()
    LEAVING = enum.auto()
    AWAITED = enum.auto()
    UNCLEAN = enum.auto()
    AWAY = enum.auto()


@frozen
class _Belief:
    """A resource on a node, and by which parameters."""

    found: _Found
    digest: str = ""
    monitored: bool = False


def is_simple(configuration: Configuration) -> bool:
    """Whether this planner understands a configuration: primitives without constraints, and fence devices."""
    return not configuration.constraints and all(
        isinstance(one, Primitive) and not one.meta for one in configuration.resources
    )


def _is_device(resource: Primitive) -> bool:
    return resource.agent is not None and resource.agent.standard == _STONITH


def plan(cib: Cib, now: Instant) -> Plan:
    """What is to be done, for a configuration that is simple."""
    return _Planning(cib).plan(now)


class _Planning:
    """One answer as it is worked out."""

    def __init__(self, cib: Cib) -> None:
        self.cib = cib
        self.fencing = fences(cib)
        self.policy = quorum_policy(cib)
        self.counts = cib.have_quorum or self.policy is QuorumPolicy.IGNORE
        self.states = {state.name: state for state in cib.status.nodes}
        self.stands = {name: _stand(state, fencing=self.fencing) for name, state in self.states.items()}
        self.actions: list[PlannedAction] = []
        self.fenced: dict[str, int] = {}
        self.stuck = False
        self.load: dict[str, int] = {}

    def plan(self, now: Instant) -> Plan:
        wanted = {
            one.id: one
            for one in self.cib.configuration.resources
            if isinstance(one, Primitive) and not _is_device(one) and not departs(one)
        }
        known = {history.id for state in self.states.values() for history in state.history}
        if self.fencing and self.counts:
            self._fence(known | wanted.keys())
        for name in sorted(known | wanted.keys()):
            self._resource(name, wanted.get(name))
        self._let_go()
        terms = Terms(start_failure_is_fatal=False, fencing_enabled=self.fencing)
        return Plan(self.cib, now, tuple(self.actions), (), (), (), terms, None, (), None)

    def _fence(self, resources: Iterable[str]) -> None:
        """Who is unclean, and who could not stop something."""
        action = option(self.cib, "stonith-action", "reboot")
        for name, stand in sorted(self.stands.items()):
            stuck = stand in (_Stand.ONLINE, _Stand.LEAVING) and any(
                self._belief(resource, name).found is _Found.STUCK for resource in resources
            )
            if stand is _Stand.UNCLEAN or stuck:
                self.fenced[name] = self._add(ActionKind.CLUSTER, "stonith", f"stonith-{name}-{action}", name)

    def _resource(self, name: str, wanted: Primitive | None) -> None:
        beliefs = {node: self._belief(name, node) for node in self.states}
        reached = [node for node in sorted(self.states) if self.stands[node] in (_Stand.ONLINE, _Stand.LEAVING)]
        usable = [node for node in reached if node not in self.fenced]
        unknown = [node for node in usable if beliefs[node].found is _Found.UNKNOWN] if wanted is not None else []
        looks = [self._operation(name, wanted, "monitor", node, target_rc=7) for node in unknown]
        active = [node for node in usable if beliefs[node].found in (_Found.ACTIVE, _Found.FAILED)]
        elsewhere = [
            node
            for node, belief in beliefs.items()
            if belief.found not in (_Found.STOPPED, _Found.UNKNOWN) and self._untouchable(node, belief)
        ]
        target = None if wanted is None else self._target(wanted, usable, active)
        keeps = target in active and not self._is_to_restart(beliefs[target or ""], wanted) and len(active) == 1
        stops = [] if keeps else [self._operation(name, wanted, "stop", node) for node in active]
        if wanted is None or target is None or elsewhere:
            return
        self.load[target] = self.load.get(target, 0) + 1
        if not keeps and self.counts:
            after = (*looks, *stops, *self.fenced.values())
            self._monitor(wanted, target, (self._operation(name, wanted, "start", target, triggers=after),))
        elif keeps and not beliefs[target].monitored:
            self._monitor(wanted, target, ())

    def _untouchable(self, node: str, belief: _Belief) -> bool:
        """Whether what runs on a node can't be ended from here, and is not about to end."""
        if node in self.fenced:
            return False
        stand = self.stands[node]
        if stand in (_Stand.ONLINE, _Stand.LEAVING):
            return belief.found is _Found.STUCK
        return stand in (_Stand.AWAITED, _Stand.UNCLEAN)

    def _target(self, wanted: Primitive, usable: list[str], active: list[str]) -> str | None:
        """Where it is to run; None for nowhere."""
        candidates = [node for node in usable if self.stands[node] is _Stand.ONLINE]
        if not self.counts and self.policy is QuorumPolicy.FREEZE:
            candidates = [node for node in candidates if node in active]
        elif not self.counts:
            return None

        def rank(node: str) -> tuple[int, bool, int, str]:
            failed = transient(self.states[node]).get(fail_count_name(wanted.id, "start", 0), "0")
            return integer(failed, 1_000_000), node not in active, self.load.get(node, 0), node

        return min(candidates, key=rank, default=None)

    def _is_to_restart(self, belief: _Belief, wanted: Primitive | None) -> bool:
        changed = wanted is not None and belief.digest != digest(digested_texts(_parameters(wanted)))
        return belief.found is _Found.FAILED or (changed and self.counts)

    def _let_go(self) -> None:
        """Who asked to leave may, once nothing of it runs."""
        for name, stand in sorted(self.stands.items()):
            if stand is not _Stand.LEAVING or name in self.fenced:
                continue
            stops = [one for one in self.actions if one.node == name and one.kind is ActionKind.RESOURCE]
            left = [
                history.id
                for history in self.states[name].history
                if self._belief(history.id, name).found in (_Found.ACTIVE, _Found.FAILED, _Found.STUCK)
            ]
            if set(left) <= {one.resource for one in stops if one.task == "stop"}:
                self._add(
                    ActionKind.CLUSTER, "do_shutdown", f"do_shutdown-{name}", name, tuple(one.id for one in stops)
                )

    # Actions

    def _monitor(self, wanted: Primitive, node: str, triggers: tuple[int, ...]) -> None:
        for operation in wanted.operations:
            if operation.name == "monitor":
                every_ms = interval_ms(operation.interval)
                self._operation(wanted.id, wanted, "monitor", node, every_ms=every_ms, triggers=triggers)

    def _operation(
        self,
        name: str,
        wanted: Primitive | None,
        task: str,
        node: str,
        *,
        every_ms: int = 0,
        target_rc: int = 0,
        triggers: tuple[int, ...] = (),
    ) -> int:
        configured = {} if wanted is None else {one.name: one for one in wanted.operations if one.name != "monitor"}
        given = configured[task].attributes.get("timeout") if task in configured else None
        bound_ms = timeout_ms(given)
        meta = {"CRM_meta_timeout": str(bound_ms)}
        if every_ms:
            meta |= {"CRM_meta_interval": str(every_ms), "CRM_meta_name": task}
        agent = self._agent(name, node) if wanted is None else wanted.agent
        own = {} if wanted is None else _parameters(wanted)
        action = PlannedAction(
            id=len(self.actions) + 1,
            kind=ActionKind.RESOURCE,
            task=task,
            key=f"{name}_{task}_{every_ms}",
            resource=name,
            primitive_id=name,
            agent=agent,
            node=node,
            node_id=node,
            interval_ms=every_ms,
            timeout_ms=bound_ms,
            target_rc=target_rc,
            triggers=triggers,
            layers=(meta, own, {"crm_feature_set": FEATURE_SET}),
        )
        self.actions.append(action)
        return action.id

    def _add(self, kind: ActionKind, task: str, key: str, node: str, triggers: tuple[int, ...] = ()) -> int:
        action = PlannedAction(
            id=len(self.actions) + 1, kind=kind, task=task, key=key, node=node, node_id=node, triggers=triggers
        )
        self.actions.append(action)
        return action.id

    def _agent(self, resource: str, node: str) -> Agent | None:
        history = _history(self.states[node], resource)
        if history is None:
            return None
        said = history.attributes
        return Agent(said.get("class", ""), said.get("type", ""), said.get("provider"))

    # Beliefs

    def _belief(self, resource: str, node: str) -> _Belief:
        history = _history(self.states[node], resource)
        return _Belief(_Found.UNKNOWN) if history is None else _read(history)


def _stand(state: NodeState, *, fencing: bool) -> _Stand:
    said = state.attributes
    if said.get("crmd") == "online" and said.get("in_ccm") == "true":
        if said.get("join") != "member":
            return _Stand.AWAITED
        leaves = transient(state).get("shutdown", "0") not in ("", "0")
        return _Stand.LEAVING if leaves else _Stand.ONLINE
    return _Stand.UNCLEAN if fencing and said.get("expected") == "member" else _Stand.AWAY


def _history(state: NodeState, resource: str) -> ResourceHistory | None:
    return next((history for history in state.history if history.id == resource), None)


def _read(history: ResourceHistory) -> _Belief:
    """What the newest result says; what is still under way may have had any effect."""
    lasting = next((one for one in history.entries if one.id == last_id(history.id)), HistoryEntry("", {}))
    # A recurring operation that has not told anything yet says nothing.
    newest = max(
        (one for one in history.entries if not (_recurs(one) and _age(one) == _UNDERWAY)), key=_age, default=None
    )
    if newest is None:
        return _Belief(_Found.UNKNOWN)
    digest_then = lasting.attributes.get("op-digest", "")
    monitored = any(_recurs(one) and _age(lasting) < _age(one) < _UNDERWAY for one in history.entries)
    return _Belief(_found(newest.attributes), digest_then, monitored)


def _age(entry: HistoryEntry) -> int:
    """Higher for newer ones: what is under way has no number yet."""
    number = integer(entry.attributes.get("call-id"), 0)
    return _UNDERWAY if number < 0 else number


def _recurs(entry: HistoryEntry) -> bool:
    said = entry.attributes
    return said.get("interval", "0") != "0" and not entry.id.endswith("_last_failure_0")


def _found(said: Mapping[str, str]) -> _Found:
    task, code, done = said.get("operation"), said.get("rc-code"), said.get("op-status") == "0"
    if said.get("op-status") == "-1":
        return _Found.UNKNOWN if task == "monitor" and said.get("interval", "0") == "0" else _Found.FAILED
    if task == "stop":
        return _Found.STOPPED if done and code == "0" else _Found.STUCK
    if task in _STARTS:
        return _Found.ACTIVE if done and code == "0" else _Found.FAILED
    if done and code == "0":
        return _Found.ACTIVE
    return _Found.STOPPED if done and code == "7" and said.get("interval", "0") == "0" else _Found.FAILED


def _parameters(wanted: Primitive) -> dict[str, str]:
    return _plain(wanted.params)


def _plain(blocks: AttributeBlocks) -> dict[str, str]:
    values: dict[str, str] = {}
    for block in reversed(blocks):
        values.update(block.values)
    return values
