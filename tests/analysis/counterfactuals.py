"""A cited cause is taken away and the scheduler asked again: the line of the plan has to be another one.

python tests/analysis/counterfactuals.py [EVERY | NAME… | seeds FIRST END]

Rates over every so manyth published case, over the named ones, or over clusters of our own making.
"""

from __future__ import annotations

import functools
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from oracle.clusters import NOW_S, Cluster
from oracle.moments import happen
from published_cases import catalogue, xml_of

from reconciler.analysis import edits
from reconciler.analysis.edits import Edit
from reconciler.analysis.reason import Reason
from reconciler.analysis.reasons import reason_of
from reconciler.analysis.steady import settle
from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.writing.cib import write_cib
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Constraint, Location, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Bundle, Resource
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.digest import digest, digested_texts
from reconciler.scheduler.plan import Change, Plan, Verb


class Trial(NamedTuple):
    """A line of a plan with its reason, and whether that is so.

    `holds`: without what the reason names the line is another one. `enough`: the line stays, for another reason, and would not stay
    without both, but does with either: what was named is enough, and so is that. None when there is nothing to take away.
    """

    case: str
    change: Change
    reason: Reason
    holds: bool | None
    enough: bool = False


def trials(case: str, cib: Cib, now: Instant) -> Iterator[Trial]:
    """A trial for each line of the plan."""
    plan = schedule(cib, now, decisions=True)
    for change in plan.changes:
        reason = reason_of(change, plan)
        edit = without(reason, plan, change)
        if edit is None:
            yield Trial(case, change, reason, None)
            continue
        other = schedule(edit.apply(cib), now, decisions=True)
        holds = change not in other.changes
        yield Trial(case, change, reason, holds, not holds and _is_enough(edit, change, other, cib, now))


def _is_enough(edit: Edit, change: Change, other: Plan, cib: Cib, now: Instant, depth: int = 3) -> bool:
    """Whether the line stays for reasons that are gone with another edit, without which the first one's reason still does."""
    second = without(reason_of(change, other), other, change)
    if second is None:
        return False
    without_both = schedule(second.apply(other.cib), now, decisions=True)
    if change in without_both.changes:
        return depth > 0 and _is_enough(edits.both(edit, second), change, without_both, cib, now, depth - 1)
    return change in schedule(second.apply(cib), now).changes


def without(reason: Reason, plan: Plan, change: Change, depth: int = 0) -> Edit | None:
    """The edit that takes away all that a reason names, and what brought about the line that it follows; None for nothing."""
    causes, found = list(reason.causes), []
    if reason.follows and depth < 5:
        for other in plan.changes:
            if other.subject == reason.follows and other != change:
                followed = without(reason_of(other, plan), plan, other, depth + 1)
                if followed is not None:
                    found, causes = [followed], list(reason.also)
                    break
    found += [edit for cause in causes if (edit := gone(cause, plan, change)) is not None]
    return None if not found else functools.reduce(edits.both, found)


def gone(cause: Cause, plan: Plan, change: Change) -> Edit | None:
    """The edit that takes one cause away."""
    match cause.why:
        case Why.LOCATION | Why.DISCOVERY:
            return edits.remove_constraint(cause.subject)
        case Why.COLOCATION | Why.ORDER:
            return _independent(plan.cib.configuration, cause.subject)
        case Why.TICKET:
            return edits.grant_ticket(cause.detail)
        case Why.TARGET_ROLE:
            return edits.set_meta(cause.subject.partition(":")[0], "target-role", "Started")
        case Why.MIGRATION_THRESHOLD | Why.FAILURE:
            entries = {failed.resource for failed in plan.failures if failed.entry.id == cause.subject}
            if cause.why is Why.FAILURE and not entries and cause.subject.count("_") > 1:
                return edits.both(_never_done(cause), _never_failed({change.subject}, plan))
            return _never_failed({change.subject, cause.subject, cause.subject.rpartition("_")[0]} | entries, plan)
        case Why.STOP_ALL:
            return edits.set_option("stop-all-resources", "false")
        case Why.QUORUM:
            return edits.regain_quorum()
        case Why.NODE_STATE:
            node = None if plan.decisions is None else plan.decisions.node(cause.subject)
            if node is None or (node.remote and _healthy(cause).apply(plan.cib) == plan.cib):
                return None  # What becomes of a remote node hangs on its connection.
            return _healthy(cause)
        case _:
            return _gone_from_settings(cause, plan, change)


def _gone_from_settings(cause: Cause, plan: Plan, change: Change) -> Edit | None:
    """The same for what is a setting of the resource or of its collective, or is remembered of it."""
    match cause.why:
        case Why.ROLE:
            return functools.reduce(
                edits.both, [edits.set_meta(one, "target-role", "Stopped") for one in _owners(plan, change)]
            )
        case Why.STICKINESS:
            return edits.set_meta(_root(plan, change), "resource-stickiness", "1")
        case Why.GROUP:
            group = cause.subject.partition(":")[0]
            return edits.both(edits.set_meta(group, "ordered", "false"), edits.set_meta(group, "collocated", "false"))
        case Why.ORPHAN:
            return edits.set_option("stop-orphan-resources", "false")
        case Why.UTILIZATION:
            return _room_for_all(change, plan)
        case Why.NODE_HEALTH:
            return edits.set_option("node-health-strategy", "none")
        case Why.CLONE_LIMIT if isinstance(_configured(cause.subject, plan), Bundle):
            return _as_many_as_fit(cause.subject, plan)
        case Why.CLONE_LIMIT:
            more = edits.set_meta(_root(plan, change), "clone-max", "50")
            return edits.both(more, edits.set_meta(_root(plan, change), "clone-node-max", "50"))
        case Why.PROMOTION_SCORE if cause.subject == change.subject and change.verb is Verb.DEMOTE:
            return _promoted_here(change, plan)
        case Why.BASE_SCORE if cause.subject == "symmetric-cluster":
            return edits.set_option("symmetric-cluster", "true")
        case Why.PROMOTION_SCORE:
            return _never_promoted(cause.subject, plan)
        case Why.MULTIPLE_ACTIVE:
            return _active_once(cause.subject, plan)
        case Why.DEFINITION_CHANGE:
            return _as_recorded(change.subject, plan)
        case _:
            return None


def _never_failed(names: set[str], plan: Plan) -> Edit:
    """Take all failures of the resources away: also those that only then are the last result."""

    def apply(cib: Cib) -> Cib:
        mended = _without_failures(names, plan).apply(cib)
        for _ in range(3):
            further = _without_failures(names, schedule(mended, plan.now, decisions=True)).apply(mended)
            if further == mended:
                break
            mended = further
        return mended

    return Edit("it never failed", 1, apply)


def _never_done(cause: Cause) -> Edit:
    """Take an entry of a history away."""

    def forgotten(state: NodeState) -> NodeState:
        history = tuple(
            replace(one, entries=tuple(entry for entry in one.entries if entry.id != cause.subject))
            for one in state.history
        )
        return replace(state, history=history) if state.name == cause.detail.partition(",")[0] else state

    def apply(cib: Cib) -> Cib:
        return replace(cib, status=replace(cib.status, nodes=tuple(map(forgotten, cib.status.nodes))))

    return Edit("it was never done", 1, apply)


def _without_failures(names: set[str], plan: Plan) -> Edit:
    """Take the failed results and the fail counts of the resources away, and of what they belong to with them."""
    assert plan.decisions is not None
    made = plan.decisions
    names = {name.partition(":")[0] for name in names}
    known = [one for one in made.resources if names & {one.id, one.config_id, one.id.partition(":")[0]}]
    related = {leaf.id for one in known for leaf in made.leaves(one)}
    failed = {(one.node, one.entry.id) for one in plan.failures if one.resource in related}
    counted = {f"{one.config_id}" for one in made.resources if one.id in related} | names

    def mended(state: NodeState) -> NodeState:
        history = tuple(
            replace(one, entries=tuple(entry for entry in one.entries if (state.name, entry.id) not in failed))
            for one in state.history
        )
        transient = tuple(
            replace(block, values={key: text for key, text in block.values.items() if not _counts(key, counted)})
            for block in state.transient
        )
        return replace(state, history=history, transient=transient)

    def apply(cib: Cib) -> Cib:
        return replace(cib, status=replace(cib.status, nodes=tuple(map(mended, cib.status.nodes))))

    return Edit("it never failed", 1, apply)


def _counts(attribute: str, names: set[str]) -> bool:
    resource = attribute.removeprefix("fail-count-").removeprefix("last-failure-").partition("#")[0].partition(":")[0]
    return attribute.startswith(("fail-count-", "last-failure-")) and resource in names


def _root(plan: Plan, change: Change) -> str:
    assert plan.decisions is not None
    leaf = next(one for one in plan.decisions.resources if one.id == change.subject)
    return plan.decisions.root(leaf).config_id


def _needs(plan: Plan) -> set[str]:
    assert plan.decisions is not None
    return {name for one in plan.decisions.resources for name in one.utilization}


def _owners(plan: Plan, change: Change) -> list[str]:
    """The resource and all that it belongs to, or the resource that is the guest node which it connects to."""
    assert plan.decisions is not None
    one = next((one for one in plan.decisions.resources if one.id == change.subject), None)
    found = []
    while one is not None:
        found.append(one.config_id)
        one = plan.decisions.owner(one)
    for resource in plan.cib.configuration.resources:
        for part in (resource, *getattr(resource, "members", ())):
            names = [block.values.get("remote-node") for block in part.meta]
            found += [part.id] if change.subject in names else []
    return found


def _never_promoted(instance: str, plan: Plan) -> Edit:
    """Forbid that the instance's node has the promoted role."""
    assert plan.decisions is not None
    leaf = next(one for one in plan.decisions.resources if one.id == instance)
    root = plan.decisions.root(leaf).config_id
    ban = Location("never-promoted", root, node=leaf.node, score="-INFINITY", role="Promoted")

    def apply(cib: Cib) -> Cib:
        constraints = (*cib.configuration.constraints, ban)
        return replace(cib, configuration=replace(cib.configuration, constraints=constraints))

    return Edit("no promotion there", 1, apply)


def _room_for_all(change: Change, plan: Plan) -> Edit:
    """Raise the capacity of the node that the line is about, or of all."""
    assert plan.decisions is not None
    nodes = [change.from_node] if change.from_node else [node.name for node in plan.decisions.nodes]
    return functools.reduce(
        edits.both, [edits.raise_capacity(node, dict.fromkeys(_needs(plan), 100_000)) for node in nodes]
    )


def _configured(id: str, plan: Plan) -> Resource | None:
    return next((one for one in plan.cib.configuration.resources if one.id == id), None)


def _as_many_as_fit(id: str, plan: Plan) -> Edit:
    """Ask for no more replicas of a bundle than have a place."""
    assert plan.decisions is not None
    containers = re.compile(re.escape(id) + r"-(docker|podman|rkt)-\d+\Z")
    placed = [one for one in plan.decisions.resources if containers.match(one.id) and one.node is not None]

    def changed(one: Resource) -> Resource:
        if one.id != id or not isinstance(one, Bundle):
            return one
        return replace(one, container_attributes={**one.container_attributes, "replicas": str(max(len(placed), 1))})

    def apply(cib: Cib) -> Cib:
        resources = tuple(map(changed, cib.configuration.resources))
        return replace(cib, configuration=replace(cib.configuration, resources=resources))

    return Edit("as many replicas as fit", 1, apply)


def _promoted_here(change: Change, plan: Plan) -> Edit:
    """Prefer that the instance stays promoted."""
    wish = Location("promoted", _root(plan, change), node=change.from_node, score="500", role="Promoted")

    def apply(cib: Cib) -> Cib:
        constraints = (*cib.configuration.constraints, wish)
        return replace(cib, configuration=replace(cib.configuration, constraints=constraints))

    return Edit("it is to be promoted there", 1, apply)


def _active_once(resource: str, plan: Plan) -> Edit:
    """Have the other nodes forget that it runs there."""
    assert plan.decisions is not None
    leaf = next(one for one in plan.decisions.resources if one.id == resource)
    kept = leaf.node if leaf.node in leaf.active_on else leaf.active_on[0]
    names = {leaf.id, leaf.config_id, leaf.history_name}

    def forgotten(state: NodeState) -> NodeState:
        if state.name not in leaf.active_on or state.name == kept:
            return state
        return replace(state, history=tuple(one for one in state.history if one.id not in names))

    def apply(cib: Cib) -> Cib:
        return replace(cib, status=replace(cib.status, nodes=tuple(map(forgotten, cib.status.nodes))))

    return Edit("it is active on one node", 1, apply)


def _as_recorded(resource: str, plan: Plan) -> Edit:
    """Have the histories of the resource tell the agent and the parameters that it has now."""
    assert plan.decisions is not None
    leaf = next(one for one in plan.decisions.resources if one.id == resource)
    names = {leaf.id, leaf.config_id, leaf.history_name}
    start = next(
        (one for one in plan.actions if one.resource == resource and one.task in ("start", "reload-agent")), None
    )
    if start is None or start.agent is None:
        return Edit("nothing", 1, lambda cib: cib)
    texts = digested_texts(start.attributes) if start.digested is None else dict(start.digested)
    agent = {"class": start.agent.standard, "provider": start.agent.provider or "", "type": start.agent.type}

    def entry(one: HistoryEntry) -> HistoryEntry:
        timed = {}
        if one.attributes.get("interval", "0") != "0":
            monitor = next(
                (o for o in plan.actions if o.resource == resource and o.task == "monitor" and o.interval_ms), None
            )
            timed = digested_texts(monitor.attributes) if monitor is not None else {}
        kept = {key: text for key, text in one.attributes.items() if key != "op-restart-digest"}
        return replace(one, attributes={**kept, "op-digest": digest(timed or texts)})

    def told(history: ResourceHistory) -> ResourceHistory:
        if history.id not in names:
            return history
        attributes = {**history.attributes, **{key: text for key, text in agent.items() if text}}
        return replace(history, attributes=attributes, entries=tuple(map(entry, history.entries)))

    def apply(cib: Cib) -> Cib:
        states = tuple(replace(state, history=tuple(map(told, state.history))) for state in cib.status.nodes)
        return replace(cib, status=replace(cib.status, nodes=states))

    return Edit("the definition is the recorded one", 1, apply)


def _independent(configuration: Configuration, id: str) -> Edit:
    """Take away a constraint together with the others between the same two: each of them may be enough."""
    pairs = {one.id: _pair(one) for one in configuration.constraints}
    same = [other for other, pair in pairs.items() if other == id or (pair and pair == pairs.get(id))]
    edit = edits.remove_constraint(id)
    for other in same:
        edit = edits.both(edit, edits.remove_constraint(other))
    return edit


def _pair(constraint: Constraint) -> frozenset[str | None]:
    if isinstance(constraint, Order):
        return frozenset({constraint.first, constraint.then} - {None})
    return (
        frozenset({constraint.resource, constraint.with_resource} - {None})
        if isinstance(constraint, Colocation)
        else frozenset()
    )


def _healthy(cause: Cause) -> Edit:
    node, state = cause.subject, cause.detail
    if "standby" in state:
        return edits.clear_node_attribute(node, "standby", "")
    if "maintenance" in state:
        return edits.clear_node_attribute(node, "maintenance", "")
    if "shutting down" in state:
        return edits.clear_node_attribute(node, "shutdown", "")
    return edits.bring_online(node)


def published(every: int = 1, names: Sequence[str] | None = None) -> Iterator[Trial]:
    """The trials of every so manyth published case, or of the named ones."""
    for case in catalogue()[::every]:
        if names and case["name"] not in names:
            continue
        cib = read_cib(xml_of(case["name"]).read_bytes())
        now = Instant(cib.execution_date or 1_600_000_000)
        yield from trials(case["name"], cib, now)


def generated(seeds: Iterable[int]) -> Iterator[Trial]:
    """The trials of clusters of our own making, when they have started, and after each of two things that happen to them."""
    for seed in seeds:
        cluster = Cluster(seed)
        cib = read_cib(ElementTree.tostring(cluster.root))
        for step in range(3):
            yield from trials(f"seed {seed}.{step}", cib, Instant(NOW_S))
            cib = settle(cib, Instant(NOW_S), rounds=2).cib
            root = ElementTree.fromstring(write_cib(cib))
            happen(cluster, root, NOW_S)
            cib = read_cib(ElementTree.tostring(root))


class Rates:
    """How many lines of each kind have a reason, something to take away, and one without which they are others."""

    def __init__(self, found: Iterable[Trial]) -> None:
        self.lines: Counter[tuple[str, str]] = Counter()
        self.judged: Counter[tuple[str, str]] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self.enough: Counter[tuple[str, str]] = Counter()
        self.failing: list[Trial] = []
        for trial in found:
            why = "no cause" if trial.reason.cause is None else trial.reason.cause.why.value
            key = (trial.change.verb.value, why)
            self.lines[key] += 1
            if trial.holds is not None:
                self.judged[key] += 1
                self.held[key] += trial.holds
                self.enough[key] += trial.enough
                self.failing += [] if trial.holds or trial.enough else [trial]

    @property
    def rate(self) -> float:
        """The share of lines without whose reason they are others."""
        return self.held.total() / self.judged.total()

    @property
    def proven(self) -> float:
        """The share of lines whose reason brings them about, alone or beside another one."""
        return (self.held.total() + self.enough.total()) / self.judged.total()

    def __str__(self) -> str:
        rows = [self._row(verb, why, [(verb, why)]) for verb, why in sorted(self.lines)]
        rows += [
            self._row(verb, "", [key for key in self.lines if key[0] == verb])
            for verb in sorted({v for v, _ in self.lines})
        ]
        rows.append(self._row("all", "", list(self.lines)))
        return "\n".join(
            [
                *rows,
                f"{self.rate:.2%} are others without what is named, {self.proven:.2%} with those that have a second reason",
            ]
        )

    def _row(self, verb: str, why: str, keys: Sequence[tuple[str, str]]) -> str:
        lines, judged, held, enough = (
            sum(table[key] for key in keys) for table in (self.lines, self.judged, self.held, self.enough)
        )
        return f"{verb:12} {why:20} {lines:5} lines, {judged} judged: {held} hold, {enough} have another reason beside"


def main(words: list[str]) -> None:
    """Print the rates."""
    if words[:1] == ["seeds"]:
        rates = Rates(generated(range(int(words[1]), int(words[2]))))
        _print(rates)
        return
    every = int(words[0]) if len(words) == 1 and words[0].isdecimal() else 1
    _print(Rates(published(every, words if words and every == 1 else None)))


def _print(rates: Rates) -> None:
    for trial in rates.failing:
        print(f"does not hold: {trial.case}: {trial.change.verb.value} {trial.change.subject}: {trial.reason.text}")
    print(rates)


if __name__ == "__main__":
    main(sys.argv[1:])
