"""Carrying out a plan without a cluster: every action ends as expected, unless it was asked to fail.

Source: the scheduler's specification, part 3, section 19.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from reconciler.analysis.status_edit import CountedFailure, NodeEdit, SimulatedResult, StatusEdit
from reconciler.cib import Cib, Version
from reconciler.frozen import frozen, replace
from reconciler.scheduler.digest import digest, digested_texts
from reconciler.scheduler.plan import ActionKind, Plan, PlannedAction

ALWAYS_PRIORITY = 1_000_000
"""Actions of this priority are carried out even after a failure: they complete what has begun."""


class Depth(enum.Enum):
    """How far a simulation goes.

    `SHALLOW` is what `crm_simulate` does: cleaning up and shutting down change nothing. `FULL` lets them have their effect,
    so that a cluster comes to rest.
    """

    SHALLOW = "shallow"
    FULL = "full"


@frozen
class Failure:
    """An action that is to fail: the resource by its instance's or its configured name, and the result code."""

    resource: str
    task: str
    interval_ms: int
    node: str
    rc: int


@frozen
class Step:
    """An action that was carried out: under which name of its resource, and for one asked to fail how it ended."""

    action: PlannedAction
    name: str = ""
    fencing: str = ""
    rc: int | None = None
    counted: CountedFailure | None = None


@frozen
class Execution:
    """What was carried out, in order, and the CIB in the end.

    `unfinished` are the actions that could not be reached; `failed` tells that an action ended as it was asked to fail.
    """

    steps: tuple[Step, ...]
    cib: Cib
    unfinished: tuple[PlannedAction, ...] = ()
    failed: bool = False


def simulate_execution(
    plan: Plan,
    cib: Cib,
    *,
    failures: Sequence[Failure] = (),
    depth: Depth = Depth.FULL,
    at_s: int | None = None,
) -> Execution:
    """Carry out the plan that was made for the CIB.

    Results are recorded with the epoch time `at_s`, or the plan's own moment.
    """
    run = _Run(plan, cib, failures, depth, plan.now.epoch_s if at_s is None else at_s)
    return run.carry_out()


class _Run:
    """One simulation: goes through the actions again and again, carrying out those whose triggers are done."""

    def __init__(self, plan: Plan, cib: Cib, failures: Sequence[Failure], depth: Depth, at_s: int) -> None:
        self.plan = plan
        self.cib = cib
        self.known = {name for place in plan.placements for name in (place.resource, place.history_name)}
        self.failures = failures
        self.depth = depth
        self.at_s = at_s
        self.status = StatusEdit(cib.status)
        self.steps: list[Step] = []
        self.failed = False

    def carry_out(self) -> Execution:
        waiting: Sequence[PlannedAction] = self.plan.actions
        done: set[int] = set()
        ended: set[int] = set()
        while True:
            left: list[PlannedAction] = []
            for action in waiting:
                # What completes others goes on also after those that failed.
                before = ended if action.priority >= ALWAYS_PRIORITY else done
                if self._may_go(action) and before.issuperset(action.triggers):
                    ended.add(action.id)
                    if self._carry_out(action):
                        done.add(action.id)
                else:
                    left.append(action)
            if len(left) == len(waiting):
                break
            waiting = left
        return Execution(tuple(self.steps), self._new_cib(), tuple(waiting), self.failed)

    def _may_go(self, action: PlannedAction) -> bool:
        return not self.failed or action.kind is ActionKind.PSEUDO or action.priority >= ALWAYS_PRIORITY

    def _new_cib(self) -> Cib:
        version = self.cib.version
        changed = Version(version.admin_epoch, version.epoch, version.num_updates + len(self.steps))
        return replace(self.cib, status=self.status.finish(), version=changed)

    def _carry_out(self, action: PlannedAction) -> bool:
        """Carry out one action; returns whether it ended as expected."""
        if action.kind is ActionKind.PSEUDO:
            self.steps.append(Step(action))
            return True
        if action.task == "stonith":
            return self._fence(action)
        if action.kind is ActionKind.CLUSTER:
            self.steps.append(Step(action))
            if self.depth is Depth.FULL:
                self._clean_up(action)
            return True
        if action.task == "probe_again":
            return True
        return self._run_operation(action)

    def _node(self, action: PlannedAction) -> NodeEdit:
        assert action.node is not None
        return self.status.node(action.node, action.node_id or action.node)

    def _fence(self, action: PlannedAction) -> bool:
        operation = action.attributes.get("CRM_meta_stonith_action", "")
        self.steps.append(Step(action, fencing=operation))
        node = self._node(action)
        if operation != "on":
            node.forget_all()
            node.attributes |= {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
        elif self.depth is Depth.FULL:
            node.values()["#node-unfenced"] = str(self.at_s)
        return True

    def _clean_up(self, action: PlannedAction) -> None:
        """The effects of what the cluster itself does, beside running operations."""
        node = self._node(action)
        names = _names(action)
        match action.task:
            case "do_shutdown":
                node.attributes |= {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
            case "lrm_delete":
                node.forget(names)
            case "clear_failcount":
                _forget_failures(node, names)

    def _run_operation(self, action: PlannedAction) -> bool:
        name = self._printed_name(action)
        if action.task == "delete":
            self.steps.append(Step(action, name))
            if self.depth is Depth.FULL:
                self._node(action).forget(_names(action))
            return True
        failure = self._asked_failure(action, name)
        counted = None
        rc = action.target_rc if failure is None else failure.rc
        result = self._result(action, rc, "" if failure is None else "User-injected result")
        node = self.status.node(action.node or "", action.node or "" if action.router else action.node_id or "")
        if failure is not None:
            counted = node.count_failure(failure.resource, result)
            self.failed = True
        self._record(node, action, name, result)
        self.steps.append(Step(action, name, rc=None if failure is None else rc, counted=counted))
        return failure is None

    def _record(self, node: NodeEdit, action: PlannedAction, name: str, result: SimulatedResult) -> None:
        assert action.agent is not None
        config_id = action.primitive_id or name
        if action.task == "cancel" and self.depth is Depth.FULL:
            cancelled = action.cancelled_task or "monitor"
            node.forget_entry((name, config_id), f"{config_id}_{cancelled}_{action.interval_ms}")
            return
        node.history((name, config_id), action.agent).record(config_id, result)

    def _result(self, action: PlannedAction, rc: int, reason: str) -> SimulatedResult:
        attributes = action.attributes
        notification = None
        if action.task == "notify":
            kind, about = (attributes.get(f"CRM_meta_notify_{name}") for name in ("type", "operation"))
            notification = f"{kind}_notify_{about}"
        texts = digested_texts(attributes)
        return SimulatedResult(
            action.task,
            action.interval_ms,
            rc,
            self.at_s,
            target_rc=action.target_rc,
            exit_reason=reason,
            digest=digest(texts),
            digested=texts if self.depth is Depth.FULL else None,
            extra={
                side: attributes[f"CRM_meta_{side}"]
                for side in ("migrate_source", "migrate_target")
                if f"CRM_meta_{side}" in attributes
            },
            notification=notification,
        )

    def _printed_name(self, action: PlannedAction) -> str:
        """The name of the resource as it is shown and looked up: its configured id, if an instance is known by that."""
        for name in (action.primitive_id, action.long_id):
            if name is not None and name in self.known:
                return name
        return action.primitive_id or ""

    def _asked_failure(self, action: PlannedAction, name: str) -> Failure | None:
        for failure in self.failures:
            if failure.task != action.task or failure.interval_ms != action.interval_ms:
                continue
            if failure.node.lower() != (action.node or "").lower():
                continue
            for known in (name, action.primitive_id or name):
                if failure.resource.lower() == known.lower():
                    return replace(failure, resource=known)
        return None


def _names(action: PlannedAction) -> tuple[str, ...]:
    """The names under which a node may remember the resource of an action."""
    names: Iterable[str | None] = (action.primitive_id, action.long_id, action.resource)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _forget_failures(node: NodeEdit, names: tuple[str, ...]) -> None:
    """Forget counts, times and entries of failures, as after a clean-up."""
    from reconciler.analysis.recording import forget_failures  # Only a full simulation forgets.

    state = node.finish()
    for name in names:
        for seen in forget_failures(state, name):
            for values, _ in node.transient:
                values.pop(getattr(seen, "name", ""), None)
        node.forget_entry((name,), f"{name}_last_failure_0")
