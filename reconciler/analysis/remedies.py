"""Edits that may let a resource run, found from the reasons why it does not. They are proposals: whoever asks tries them."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.analysis import edits
from reconciler.analysis.edits import Edit
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Order
from reconciler.model.score import INFINITY
from reconciler.model.text import integer
from reconciler.model.watchdogs import why_uncountable
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions, Hindrance, NeededTicket
from reconciler.scheduler.plan import FailedAction
from reconciler.scheduler.roles import Role

DEEPEST = 4
"""How many resources are followed from one to the next."""


def remedies(
    configuration: Configuration,
    made: Decisions,
    failures: tuple[FailedAction, ...],
    leaf: Decision,
    on: DecidedNode | None = None,
) -> list[Edit]:
    """Edits that may let the primitive run (on the node, if one is given), each once, nearest reasons first."""
    found: dict[str, Edit] = {}
    for edit in _Search(configuration, made, failures).of(leaf, on, frozenset()):
        found.setdefault(edit.text, edit)
    return list(found.values())


class _Search:
    """Goes from a resource to what keeps it from running, and from there to other resources."""

    def __init__(self, configuration: Configuration, made: Decisions, failures: tuple[FailedAction, ...]) -> None:
        self._configuration = configuration
        self._made = made
        self._failures = failures

    def of(self, leaf: Decision, on: DecidedNode | None, seen: frozenset[str]) -> Iterator[Edit]:
        if leaf.id in seen or len(seen) >= DEEPEST:
            return
        seen |= {leaf.id}
        yield from self._of_options()
        yield from self._of_resource(leaf)
        yield from self._of_promotion(leaf)
        for node in (on,) if on is not None else self._made.nodes:
            yield from self._of_node(leaf, node, seen)
        if on is not None and leaf.node is not None and leaf.node != on.name:
            yield from self._of_scores(leaf, leaf.node, on)
        for action in leaf.impossible:
            for hindrance in action.hindrances:
                if hindrance.resource != leaf.number:
                    yield from self._of_order(hindrance, seen)
                elif hindrance.task == "stop":
                    yield from self._of_blocked(leaf)

    def _of_blocked(self, leaf: Decision) -> Iterator[Edit]:
        """What runs with it, has to stop before it, and failed to."""
        for other in self._made.leaves(self._made.root(leaf)):
            if other is not leaf and other.blocked:
                yield edits.forget(other.history_name or other.config_id)

    def _of_options(self) -> Iterator[Edit]:
        made = self._made
        if made.stop_all_resources:
            yield edits.set_option("stop-all-resources", "false", weight=1)
        if made.maintenance_mode:
            yield edits.set_option("maintenance-mode", "false", weight=1)
        if not made.quorate:
            yield edits.regain_quorum()
        if made.fencing_enabled and not made.fence_device:
            if why_uncountable(self._configuration) is None:
                yield edits.set_option("have-watchdog", "true", weight=3)
            yield edits.set_option("stonith-enabled", "false", weight=5)

    def _of_resource(self, leaf: Decision) -> Iterator[Edit]:
        """What the resource itself, or what it belongs to, says about whether it runs."""
        owner: Decision | None = leaf
        while owner is not None:
            if (owner.target_role or "").lower() in ("stopped", "unpromoted", "slave"):
                yield edits.set_meta(owner.config_id, "target-role", "Started")
            if not owner.managed and not self._made.maintenance_mode:
                yield edits.set_meta(owner.config_id, "is-managed", "true")
            if owner.maintenance:
                yield edits.set_meta(owner.config_id, "maintenance", "false")
            for needed in owner.tickets:
                if not needed.usable:
                    yield edits.grant_ticket(needed.ticket, in_standby=needed.granted)
            owner = self._made.owner(owner)
        if leaf.failed or leaf.blocked or any(failed.resource == leaf.id for failed in self._failures):
            yield edits.forget(leaf.history_name or leaf.config_id)

    def _of_promotion(self, leaf: Decision) -> Iterator[Edit]:
        """What forbids the promoted role where the instance is."""
        for term in leaf.promotion_terms:
            if term.score <= -INFINITY and term.cause.why is Why.LOCATION:
                yield edits.remove_constraint(term.cause.subject)

    def _of_node(self, leaf: Decision, node: DecidedNode, seen: frozenset[str]) -> Iterator[Edit]:
        """What forbids the node, or keeps it from being used."""
        if node.standby and not node.pending:
            yield edits.clear_node_attribute(node.name, "standby", f"take {node.name} out of standby")
        if node.maintenance:
            yield edits.clear_node_attribute(node.name, "maintenance", f"take {node.name} out of maintenance")
        if not node.online and not node.remote:
            yield edits.bring_online(node.name)
        if node.name not in leaf.scores:
            yield edits.prefer(self._made.root(leaf).config_id, node.name, 0)
        for term in leaf.contributions[node.name]:
            if term.score <= -INFINITY:
                yield from self._of_ban(leaf, node, term.cause, seen)

    def _of_ban(self, leaf: Decision, node: DecidedNode, cause: Cause, seen: frozenset[str]) -> Iterator[Edit]:
        match cause.why:
            case Why.LOCATION | Why.DISCOVERY:
                yield edits.remove_constraint(cause.subject)
            case Why.MIGRATION_THRESHOLD | Why.FAILURE:
                yield edits.forget(leaf.history_name or leaf.config_id)
            case Why.TICKET:
                held = [one for one in self._tickets(leaf) if one.ticket == cause.detail]
                yield edits.grant_ticket(cause.detail, in_standby=any(one.granted for one in held))
            case Why.CLONE_LIMIT:
                yield from self._of_clone_limit(leaf, cause)
            case Why.UTILIZATION:
                needs = {name: integer(value) for name, value in leaf.utilization.items()}
                yield edits.raise_capacity(
                    node.name, {name: need + integer(node.capacity.get(name)) for name, need in needs.items()}
                )
            case Why.COLOCATION | Why.GROUP | Why.CONTAINER:
                yield from self._of_colocation(leaf, cause, seen)

    def _tickets(self, leaf: Decision) -> tuple[NeededTicket, ...]:
        return (*leaf.tickets, *self._made.root(leaf).tickets)

    def _of_clone_limit(self, leaf: Decision, cause: Cause) -> Iterator[Edit]:
        root = self._made.root(leaf)
        if root.limits is None:
            return
        if cause.detail == "clone-max":
            yield edits.set_meta(root.config_id, "clone-max", str(root.limits.clone_max + 1))
        if cause.detail == "clone-node-max" and root.unique:
            yield edits.set_meta(root.config_id, "clone-node-max", str(root.limits.clone_node_max + 1))

    def _of_colocation(self, leaf: Decision, cause: Cause, seen: frozenset[str]) -> Iterator[Edit]:
        for constraint in self._configuration.constraints:
            if isinstance(constraint, Colocation) and constraint.id == cause.subject:
                yield edits.make_optional(constraint)
                yield edits.remove_constraint(constraint.id)
        for subject, primary in (*leaf.colocations, *self._made.root(leaf).colocations):
            if subject == cause.subject:
                for other in self._made.leaves(self._made.resources[primary])[:2]:
                    if other is not leaf and (other.node is None or other.next_role is Role.STOPPED):
                        yield from self.of(other, None, seen)

    def _of_order(self, hindrance: Hindrance, seen: frozenset[str]) -> Iterator[Edit]:
        cause = hindrance.cause
        for other in self._made.leaves(self._made.resources[hindrance.resource])[:2]:
            yield from self.of(other, None, seen)
        for constraint in self._configuration.constraints:
            if cause is not None and isinstance(constraint, Order) and constraint.id == cause.subject:
                yield edits.make_optional(constraint)

    def _of_scores(self, leaf: Decision, place: str, on: DecidedNode) -> Iterator[Edit]:
        """A preference that outweighs what speaks for the node it is on."""
        best, score = leaf.scores.get(place), leaf.scores.get(on.name)
        if best is not None and score is not None and score >= 0:
            yield edits.prefer(self._made.root(leaf).config_id, on.name, max(min(best - score + 1, INFINITY), 1))
