"""Check a plan against the safety rules, knowing nothing of how it was made.

The checker reads only the CIB, the plan's actions with their triggers, and its placements. It shares no code with the stages of the
scheduler, so that a mistake there is not made twice; what is active it also reads from the CIB's history by itself, where that leaves no
doubt. What it finds is a violation: the plan must not be carried out.

Rules (the design of the cluster, safety rules 1, 3 and 7; the scheduler's specification, part 3, section 16):

* acyclic: every action comes after its triggers, and no triggers run in a circle;
* one-active: a resource that is no clone is started only after it was stopped on every other node, or that node was fenced (fence
  devices, connections and what requires only quorum or nothing need not wait for the fencing of a node that is lost);
* clone-limit: no node gets more instances of a clone than it may have;
* ban: nothing is started on a node where a constraint bans it;
* prerequisite: what is mandatorily ordered after another resource starts after it, and not without it;
* together: what must run with another resource is placed where that one is;
* fenced-node: nothing but fencing itself is done on a node that is to be fenced;
* unavailable-node: nothing is started on a node that is not an online member.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from reconciler.analysis.timing import in_order
from reconciler.cib import Cib
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Location, Order
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource, primitives
from reconciler.model.score import INFINITY, read
from reconciler.model.status import ResourceHistory
from reconciler.model.text import boolean, integer, is_true
from reconciler.scheduler.plan import ActionKind, Placement, Plan, PlannedAction


class Violation(NamedTuple):
    """One broken rule: its name, what is wrong, and the ids of the actions that show it."""

    rule: str
    text: str
    actions: tuple[int, ...] = ()


def violations(cib: Cib, plan: Plan) -> tuple[Violation, ...]:
    """Everything that is wrong with the plan, rule by rule; empty for a sound plan."""
    facts = _Facts(cib, plan)
    if cycle := _cycle(plan):
        return (cycle,)
    return tuple(violation for rule in _RULES for violation in rule(facts))


class _Facts:
    """What the rules look up: the plan's actions by what they do, and the configuration by name."""

    def __init__(self, cib: Cib, plan: Plan) -> None:
        self.cib = cib
        self.plan = plan
        self.actions = {action.id: action for action in plan.actions}
        self.placements = {placement.resource: placement for placement in plan.placements}
        self.homes = _homes(cib.configuration)
        self.active = _active(cib)
        self.tasks: dict[tuple[str, str], list[PlannedAction]] = {}
        for action in plan.actions:
            if action.resource is not None:
                self.tasks.setdefault((action.resource, action.task), []).append(action)
        self.fencings = [a for a in plan.actions if a.task == "stonith" and not a.key.endswith("-on")]
        self.fenced = {action.node for action in self.fencings if action.kind is ActionKind.CLUSTER}

    def all(self, task: str) -> Iterator[PlannedAction]:
        """The actions of resources with this task, in plan order."""
        return (action for action in self.plan.actions if action.task == task and action.resource is not None)

    def before(self, action: PlannedAction) -> Iterator[PlannedAction]:
        """The triggers of `action`, their triggers, and so on, each once."""
        seen: set[int] = set()
        waiting = list(action.triggers)
        while waiting:
            number = waiting.pop()
            if number in seen or number not in self.actions:
                continue
            seen.add(number)
            found = self.actions[number]
            yield found
            waiting.extend(found.triggers)


_ENTERS = frozenset({"start", "promote", "demote", "migrate_from", "monitor"})
_RUNNING = frozenset({"0", "8", "190", "191"})


def _active(cib: Cib) -> dict[str, tuple[str, ...]]:
    """By the id in the history: the online members on which the last that is recorded left the resource running, beyond doubt."""
    found: dict[str, tuple[str, ...]] = {}
    for state in cib.status.nodes:
        if not (is_true(state.attributes.get("in_ccm")) and state.attributes.get("crmd") == "online"):
            continue
        for history in state.history:
            if left_running(history):
                found[history.id] = (*found.get(history.id, ()), state.name)
    return found


def left_running(history: ResourceHistory) -> bool:
    """Whether the newest result is a success that leaves the resource running; one that is under way leaves doubt."""
    entries = [entry.attributes for entry in history.entries]
    if any(entry.get("op-status") == "-1" for entry in entries):
        return False
    newest = max(entries, key=lambda entry: integer(entry.get("call-id"), -1), default=None)
    if newest is None or integer(newest.get("call-id"), -1) < 0:
        return False
    return newest.get("operation") in _ENTERS and newest.get("rc-code") in _RUNNING and newest.get("op-status") == "0"


class _Home(NamedTuple):
    """Where a primitive stands in the configuration: the outermost resource and, inside a clone, the clone."""

    primitive: Primitive
    top: Resource
    clone: Clone | None


def _homes(configuration: Configuration) -> dict[str, _Home]:
    homes: dict[str, _Home] = {}
    for top in configuration.resources:
        clone = top if isinstance(top, Clone) else None
        for primitive in primitives(top):
            homes[primitive.id] = _Home(primitive, top, clone)
    return homes


def _base(instance: str) -> str:
    """The configured id of an instance."""
    name, _, number = instance.rpartition(":")
    return name if name and number.isdecimal() else instance


def _cycle(plan: Plan) -> Violation | None:
    ordered = in_order(plan.actions)
    seen: set[int] = set()
    known = {action.id for action in plan.actions}
    for action in ordered:
        missing = [trigger for trigger in action.triggers if trigger in known and trigger not in seen]
        if missing:
            return Violation("acyclic", f"{action.key} waits for what waits for it", (action.id, *missing))
        seen.add(action.id)
    return None


def _one_active(facts: _Facts) -> Iterator[Violation]:
    """A start waits until the resource has stopped, or was fenced, wherever else it is active."""
    for start in facts.all("start"):
        assert start.resource is not None
        home = facts.homes.get(_base(start.resource))
        placement = facts.placements.get(start.resource)
        if placement is None or home is None or home.clone is not None or isinstance(home.top, Bundle):
            continue
        if start.kind is ActionKind.PSEUDO:  # It runs there already: migrated, or left where it was expected.
            continue
        seen = facts.active.get(home.primitive.id, ())
        for node in dict.fromkeys((*placement.active_on, *seen)):
            if node in facts.fenced and not _waits_for_fencing(home.primitive):
                continue
            if node != start.node and not any(_ends(action, start.resource, node) for action in facts.before(start)):
                text = f"{start.resource} starts on {start.node} while active on {node}"
                yield Violation("one-active", text, (start.id,))
    for placement in facts.plan.placements:
        yield from _started_twice(facts, placement)


def _waits_for_fencing(primitive: Primitive) -> bool:
    """Whether a start elsewhere has to wait until a lost node was fenced; when rules decide, it counts as not."""
    agent = primitive.agent
    if agent is not None and (agent.standard == "stonith" or str(agent) == "ocf:pacemaker:remote"):
        return False
    return all(block.values.get("requires", "").lower() not in ("quorum", "nothing") for block in primitive.meta)


def _started_twice(facts: _Facts, placement: Placement) -> Iterator[Violation]:
    starts = [
        action for action in facts.tasks.get((placement.resource, "start"), ()) if action.kind is ActionKind.RESOURCE
    ]
    nodes = {action.node for action in starts}
    if len(nodes) > 1:
        yield Violation("one-active", f"{placement.resource} starts on several nodes", tuple(a.id for a in starts))


def _ends(action: PlannedAction, resource: str | None, node: str) -> bool:
    """Whether the action proves that the resource is no longer active on the node."""
    if action.task == "stop" and action.resource == resource:
        return action.node == node
    return action.task == "stonith" and action.node == node and not action.key.endswith("-on")


def _clone_limit(facts: _Facts) -> Iterator[Violation]:
    """After the plan, no node has more instances of a clone than `clone-node-max` (1 for an anonymous one)."""
    starting = {(start.resource, start.node) for start in facts.all("start")}
    counts: Counter[tuple[str, str]] = Counter()
    started: set[tuple[str, str]] = set()
    for placement in facts.plan.placements:
        home = facts.homes.get(_base(placement.resource))
        if home is None or home.clone is None or placement.node is None or placement.next_role == "Stopped":
            continue
        if home.primitive is not primitives(home.clone)[0]:
            continue
        counts[home.clone.id, placement.node] += 1
        if (placement.resource, placement.node) in starting:
            started.add((home.clone.id, placement.node))
    limits = {top.id: _node_limit(top) for top in facts.cib.configuration.resources if isinstance(top, Clone)}
    for clone, node in sorted(started):
        if counts[clone, node] > limits[clone] and not isinstance(_clone(facts, clone).resource, Group):
            yield Violation(
                "clone-limit", f"{counts[clone, node]} instances of {clone} on {node}, {limits[clone]} may be"
            )


def _clone(facts: _Facts, name: str) -> Clone:
    return next(top for top in facts.cib.configuration.resources if isinstance(top, Clone) and top.id == name)


def _node_limit(clone: Clone) -> int:
    if any(block.rules for block in clone.meta):
        return INFINITY  # A rule decides, and rules are not judged here.
    unique = any(is_true(block.values.get("globally-unique")) for block in clone.meta)
    limits = [integer(block.values["clone-node-max"]) for block in clone.meta if "clone-node-max" in block.values]
    return max(limits, default=1) if unique else 1


def _ban(facts: _Facts) -> Iterator[Violation]:
    """No start where a location constraint without rules bans the resource by name."""
    bans = {
        (constraint.resource, constraint.node.lower())
        for constraint in facts.cib.configuration.constraints
        if isinstance(constraint, Location) and constraint.resource is not None and constraint.node is not None
        if constraint.role is None and constraint.lifetime is None and not constraint.rules
        if read(constraint.score) <= -INFINITY
    }
    for start in facts.all("start"):
        home = facts.homes.get(_base(start.resource or ""))
        if home is None or start.node is None or isinstance(home.top, Bundle):
            continue
        names = {home.primitive.id, home.top.id} if home.clone is None else {home.top.id}
        for name in sorted(names):
            if (name, start.node.lower()) in bans:
                yield Violation("ban", f"{start.resource} starts on {start.node}, where {name} is banned", (start.id,))


def _prerequisite(facts: _Facts) -> Iterator[Violation]:
    """A start ordered after another primitive's start waits for it, and does not happen when that one can't run."""
    for order in facts.cib.configuration.constraints:
        if not isinstance(order, Order) or not _is_plain_mandatory(order, facts):
            continue
        assert order.first is not None
        assert order.then is not None
        firsts = facts.tasks.get((order.first, "start"), [])
        for then in facts.tasks.get((order.then, "start"), ()):
            before = {action.id for action in facts.before(then)} if firsts else set()
            for first in firsts:
                if first.id not in before:
                    yield Violation(
                        "prerequisite", f"{order.then} does not wait for {order.first} ({order.id})", (then.id,)
                    )
            if not firsts and not _runs(facts.placements.get(order.first)):
                yield Violation("prerequisite", f"{order.then} starts without {order.first} ({order.id})", (then.id,))


def _is_plain_mandatory(order: Order, facts: _Facts) -> bool:
    if order.sets or order.first is None or order.then is None:
        return False
    if order.lifetime is not None or {order.first, order.then} - facts.homes.keys():
        return False
    if any(facts.homes[name].clone or isinstance(facts.homes[name].top, Bundle) for name in (order.first, order.then)):
        return False
    if (order.first_action or "start").lower() != "start" or (order.then_action or "start").lower() != "start":
        return False
    if boolean(order.symmetrical) is False:
        return False
    kind = (order.kind or ("Optional" if order.score is not None and read(order.score) == 0 else "Mandatory")).lower()
    return kind == "mandatory"


def _runs(placement: Placement | None) -> bool:
    return placement is not None and bool(placement.active_on)


def _together(facts: _Facts) -> Iterator[Violation]:
    """Where a primitive starts, the primitive that it must run with is placed."""
    for colocation in facts.cib.configuration.constraints:
        if not isinstance(colocation, Colocation) or colocation.sets or colocation.node_attribute is not None:
            continue
        names = (colocation.resource, colocation.with_resource)
        if colocation.role is not None or colocation.with_role is not None or colocation.lifetime is not None:
            continue
        if any(name not in facts.homes or facts.homes[name].clone or _bundled(facts, name) for name in names):
            continue
        yield from _apart(facts, colocation)


def _bundled(facts: _Facts, name: str | None) -> bool:
    return name is not None and isinstance(facts.homes[name].top, Bundle)


def _apart(facts: _Facts, colocation: Colocation) -> Iterator[Violation]:
    assert colocation.resource is not None
    assert colocation.with_resource is not None
    score = read(colocation.score)
    primary = facts.placements.get(colocation.with_resource)
    for start in facts.tasks.get((colocation.resource, "start"), ()):
        if start.kind is ActionKind.PSEUDO or primary is None:
            continue
        if score >= INFINITY and primary.node != start.node:
            where = primary.node or "nowhere"
            yield Violation(
                "together", f"{start.resource} starts on {start.node}, its primary is placed {where}", (start.id,)
            )
        if score <= -INFINITY and primary.node == start.node and primary.next_role not in ("Stopped", "Unknown"):
            yield Violation(
                "together", f"{start.resource} starts beside {primary.resource} on {start.node}", (start.id,)
            )


def _fenced_node(facts: _Facts) -> Iterator[Violation]:
    """A node that is to be fenced runs nothing any more: what would run there is only marked."""
    for action in facts.plan.actions:
        if action.kind is ActionKind.RESOURCE and action.node in facts.fenced and action.router in (None, action.node):
            yield Violation(
                "fenced-node", f"{action.key} would run on {action.node}, which is to be fenced", (action.id,)
            )


def _unavailable_node(facts: _Facts) -> Iterator[Violation]:
    """A start on a full member happens only where the member is in the partition with its controller online."""
    members = {node.name: node for node in facts.cib.configuration.nodes if node.type in (None, "member")}
    states = {state.name: state for state in facts.cib.status.nodes}
    for start in facts.all("start"):
        if start.node not in members or start.kind is ActionKind.PSEUDO:
            continue
        state = states.get(start.node)
        if state is None or not is_true(state.attributes.get("in_ccm")) or state.attributes.get("crmd") != "online":
            yield Violation(
                "unavailable-node", f"{start.resource} starts on {start.node}, which is not online", (start.id,)
            )


_RULES: tuple[Callable[[_Facts], Iterable[Violation]], ...] = (
    _one_active,
    _clone_limit,
    _ban,
    _prerequisite,
    _together,
    _fenced_node,
    _unavailable_node,
)
