"""What a change of the configuration does: the transitions with their causes, the outages, and what needs consent.

The answer is a value that `plan` prints in each of its forms. Nothing here is decided: the scheduler's plan is read.
Source: the design of the command line, "Order of the human plan", "because codes", "Consent".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.analysis.causes import cause_place, place_of
from reconciler.analysis.chain import why_idle
from reconciler.analysis.guards import Guard, guards
from reconciler.analysis.reason import Reason, blocked_by
from reconciler.analysis.reasons import reason_of
from reconciler.analysis.steady import SteadyState, settle, under
from reconciler.analysis.timing import Timing
from reconciler.cib import Cib
from reconciler.cib.departing import Departure, departure
from reconciler.cib.difference import ConfigChange, diff
from reconciler.errors import Place
from reconciler.frozen import frozen, replace
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.scheduler.cause import Why
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.plan import Change, Plan, Verb
from reconciler.scheduler.roles import Kind


@frozen
class Because:
    """One reason of a transition: a stable code, a sentence, and where the author wrote what it comes from."""

    code: str
    text: str
    place: Place | None = None


@frozen
class Consequence:
    """What happens to one resource or node; steps count from 1, and what has the same step can happen at once."""

    step: int
    verb: Verb
    resource: str
    node_from: str | None
    node_to: str | None
    role_from: str
    role_to: str
    because: tuple[Because, ...]
    blocked: bool
    duration_ms: int | None
    unfencing: bool = False
    """For a fencing: the node is switched on before what needs that; nothing ends."""

    @property
    def word(self) -> str:
        """What happens, as people are told."""
        return "unfence" if self.unfencing else self.verb.value.lower()


@frozen
class Impact:
    """How long a resource that runs is expected to be down; None when no duration of its operations was ever recorded."""

    resource: str
    node_from: str | None
    node_to: str | None
    down_ms: int | None


@frozen
class Idle:
    """A service that is wanted and does not run in the end, and why."""

    resource: str
    because: str


@frozen
class Consequences:
    """Everything that a change of the configuration does to a cluster in a known state."""

    changes: tuple[ConfigChange, ...]
    transitions: tuple[Consequence, ...]
    impacts: tuple[Impact, ...]
    guards: tuple[Guard, ...]
    settled: SteadyState
    head: Configuration
    idle: tuple[Idle, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether neither the configuration nor anything that runs changes."""
        return not self.changes and not self.transitions

    @property
    def down(self) -> tuple[str, ...]:
        """The services that are wanted, and do not run in the end."""
        return tuple([one.resource for one in self.idle])

    @property
    def plan(self) -> Plan | None:
        """The first transition, None when there is none."""
        return self.settled.plans[0] if self.settled.plans else None

    @property
    def blocked(self) -> tuple[str, ...]:
        """What stays as it is in the end because of a failure, each as a sentence."""
        final = self.settled.final
        if final is None or final.decisions is None:
            return ()
        made = final.decisions
        found = [one for one in made.resources if one.kind is Kind.PRIMITIVE and one.blocked]
        failed = [one for one in found if any(failure.resource == one.id for failure in final.failures)]
        return tuple([f"{one.id} stays as it is: {blocked_by(one, final.failures)}" for one in failed])

    def count(self, *verbs: Verb) -> int:
        """How many transitions have one of the verbs; what is blocked is counted as that."""
        done = (one for one in self.transitions if not (one.unfencing or one.blocked))
        return sum(one.verb in verbs for one in done)

    def counted_changes(self, action: str) -> int:
        """How many of the listed differences add, change (or rename) or remove something."""
        actions = ("change", "rename") if action == "change" else (action,)
        return sum(change.action in actions for change in self.changes)


def consequences(
    base: Cib, head: Configuration, now: Instant, written: Configuration | None = None, *, sanitized: bool = False
) -> Consequences:
    """What becomes of the cluster in state `base` when `head` becomes its configuration.

    `written` is the configuration of the base as its author wrote it, where the base also has what was found (members). `sanitized`:
    private parameters may be masked, as in the CIB of a support report, and a change of those alone doesn't count.
    """
    written = base.configuration if written is None else written
    changes = diff(written, head)
    cib = under(base, head)
    settled = settle(cib, now, decisions=True, sanitized=sanitized)
    reasons = _Reasons(written, head, changes, departure(base.configuration, head, base.status))
    transitions: list[Consequence] = []
    impacts: list[Impact] = []
    lines: list[Change] = []
    step = 0
    seen: set[tuple[Change, ...]] = set()
    for plan in settled.plans:
        if plan.changes in seen:
            break  # A circle: what follows is more of the same.
        seen.add(plan.changes)
        lines += plan.changes
        timing = Timing(plan, cib.status)
        found = [_transition(change, timing, reasons.of(change, plan), step) for change in plan.changes]
        transitions += sorted(found, key=lambda transition: (transition.step, transition.resource))
        impacts += [impact for change in plan.changes if (impact := _impact(change, timing)) is not None]
        step = max((transition.step for transition in transitions), default=step)
    return Consequences(
        changes,
        tuple(transitions),
        tuple(_in_the_end(impact, lines) for impact in impacts),
        guards(replace(base, configuration=written), head, lines),
        settled,
        head,
        () if settled.final is None else tuple(_idle(settled.final, settled.cib, now)),
    )


def _idle(final: Plan, cib: Cib, now: Instant) -> Iterator[Idle]:
    """What does not run at rest though its target role allows it, each name once; of a clone only if no instance does."""
    made = final.decisions
    assert made is not None
    usable = {node.name for node in made.nodes if node.online and not node.unclean}
    told: set[str] = set()
    for top in made.tops:
        leaves = [one for one in made.leaves(top) if one.kind is Kind.PRIMITIVE and not (one.internal or one.orphan)]
        active = {one.config_id for one in leaves if not usable.isdisjoint(one.active_on)}
        for leaf in leaves:
            if not (leaf.config_id in active or leaf.config_id in told or _is_disabled(leaf)):
                told.add(leaf.config_id)
                yield Idle(leaf.config_id, why_idle(final, cib, now, leaf))


def _is_disabled(leaf: Decision) -> bool:
    cause = leaf.next_role_cause
    return cause is not None and cause.why in (Why.TARGET_ROLE, Why.STOP_ALL)


def _transition(change: Change, timing: Timing, because: tuple[Because, ...], earlier_steps: int) -> Consequence:
    return Consequence(
        step=earlier_steps + timing.step(change),
        verb=change.verb,
        resource=change.subject,
        node_from=change.from_node,
        node_to=_goes_to(change),
        role_from=change.from_role,
        role_to=change.to_role,
        because=because,
        blocked=change.blocked,
        duration_ms=timing.duration_ms(change),
        unfencing=change.verb is Verb.FENCE and change.detail == "on",
    )


def _goes_to(change: Change) -> str | None:
    """Where it is afterwards; the summary names one node only for what recovers where it is."""
    return change.from_node if change.verb is Verb.RECOVER and change.to_node is None else change.to_node


_INTERRUPTING = frozenset({Verb.STOP, Verb.MOVE, Verb.RESTART, Verb.RECOVER, Verb.DEMOTE, Verb.RE_PROMOTE})


def _impact(change: Change, timing: Timing) -> Impact | None:
    if change.verb not in _INTERRUPTING:
        return None
    return Impact(change.subject, change.from_node, _goes_to(change), timing.down_ms(change))


def _in_the_end(impact: Impact, lines: list[Change]) -> Impact:
    """With the node where a later line starts again what this one stops."""
    starts = (one for one in lines if one.verb is Verb.START and one.subject == impact.resource and not one.blocked)
    again = next(starts, None) if impact.node_to is None else None
    return impact if again is None else replace(impact, node_to=again.to_node)


_CODES: Mapping[Why, str] = {
    Why.LOCATION: "score_higher",
    Why.BASE_SCORE: "score_higher",
    Why.NODE_HEALTH: "node_health",
    Why.STICKINESS: "stickiness",
    Why.COLOCATION: "constraint_colocation",
    Why.GROUP: "constraint_colocation",
    Why.CONTAINER: "constraint_colocation",
    Why.REMOTE: "constraint_order",
    Why.TICKET: "ticket_lost",
    Why.SHUTDOWN_LOCK: "banned",
    Why.MIGRATION_THRESHOLD: "migration_threshold",
    Why.FAILURE: "failure",
    Why.DISCOVERY: "banned",
    Why.PROMOTION_SCORE: "score_higher",
    Why.CLONE_LIMIT: "capacity",
    Why.UTILIZATION: "capacity",
    Why.TARGET_ROLE: "target_role",
    Why.MULTIPLE_ACTIVE: "failure",
    Why.ORPHAN: "removed_resource",
    Why.UNMANAGED: "blocked_unmanaged",
    Why.MAINTENANCE: "maintenance_ended",
    Why.NODE_STATE: "node_lost",
    Why.QUORUM: "no_quorum",
    Why.STOP_ALL: "config_changed",
    Why.NO_FENCE_DEVICE: "fencing_required",
    Why.DEFINITION_CHANGE: "params_not_reloadable",
    Why.ORDER: "constraint_order",
    Why.IMPLICIT: "constraint_order",
    Why.FENCING: "fencing_required",
    Why.PROBE: "rebalance",
    Why.MIGRATION: "score_higher",
    Why.ROLE: "target_role",
    Why.RECURRING: "config_changed",
}


_PLACING = frozenset({Verb.MOVE, Verb.MIGRATE, Verb.STOP})
"""What has a reason of its own, beside what the author may have changed in the resource."""


class _Reasons:
    """Turns the scheduler's causes into reasons with codes and places; knows what the change itself touched."""

    def __init__(
        self, base: Configuration, head: Configuration, changes: tuple[ConfigChange, ...], leaving: Departure
    ) -> None:
        self._base = base
        self._head = head
        self._added = _whole(changes, "add") | {new for _, new in leaving.twins}
        self._removed = _whole(changes, "remove") | leaving.names
        self._twins = dict(leaving.twins)
        self._touched: dict[str, list[ConfigChange]] = {}
        for change in changes:
            if change.address != change.object and change.object[0] in _RESOURCES:
                self._touched.setdefault(change.object[-1], []).append(change)

    def of(self, change: Change, plan: Plan) -> tuple[Because, ...]:
        """The reasons of one line of the summary: what the author changed first, then what the scheduler says."""
        name = change.subject.partition(":")[0]
        found: list[Because] = []
        reason = self._because(change, reason_of(change, plan))
        if change.verb is Verb.FENCE:
            return (Because("fencing_required", reason.text, reason.place),)
        if name in self._added:
            found.append(Because("new_resource", "it is new", place_of(self._head, name)))
        elif name in self._removed:
            found.append(Because("removed_resource", self._removal(name), place_of(self._base, name)))
        elif change.verb in _PLACING:
            found.append(reason)
        told = {because.place for because in found}
        found += [_touched(one, change.verb) for one in self._touched.get(name, ()) if one.place not in told]
        if not found:
            found.append(reason)
        if change.blocked:
            found.append(reason)
        return tuple(dict.fromkeys(found))

    def _removal(self, name: str) -> str:
        twin = self._twins.get(name)
        return "it was removed" if twin is None else f"it was removed; {twin} is the same under another name"

    def _because(self, change: Change, reason: Reason) -> Because:
        if reason.cause is None:
            code = "failure" if change.verb in (Verb.RECOVER, Verb.MOVE, Verb.STOP) else "score_higher"
            return Because(code, reason.text)
        return Because(_CODES[reason.cause.why], reason.text, cause_place(self._head, reason.cause))


_RESOURCES = frozenset({"primitives", "templates", "groups", "clones", "bundles"})


def _whole(changes: tuple[ConfigChange, ...], action: str) -> set[str]:
    """The names of the objects that are added or removed."""
    return {change.object[-1] for change in changes if change.action == action and change.address == change.object}


def _touched(change: ConfigChange, verb: Verb) -> Because:
    below = change.address[len(change.object) :]
    what = ".".join(below)
    if below[0] == "params":
        code = "params_reloadable" if verb is Verb.RELOAD else "params_not_reloadable"
    elif change.address[-1] == "target-role":
        code = "target_role"
    else:
        code = "config_changed"
    return Because(code, f"{what} changed", change.place)
