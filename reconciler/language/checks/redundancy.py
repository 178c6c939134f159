"""Constraints that say again what another one says."""

from __future__ import annotations

from reconciler.frozen import replace
from reconciler.language.checks.facts import Facts
from reconciler.language.checks.names import constraint_address
from reconciler.model import score
from reconciler.model.constraint import Colocation, Constraint, Location, Order


def check_redundant(facts: Facts) -> None:
    """Report constraints with the same content, and finite or optional ones beside a binding one over the same pair."""
    seen: dict[str, Constraint] = {}
    binding = {key: one for one in facts.configuration.constraints if (key := _binding(one)) is not None}
    in_order = sorted(
        facts.configuration.constraints, key=lambda one: (facts.index.key(constraint_address(one)), one.id)
    )
    for constraint in in_order:
        place = facts.index.key(constraint_address(constraint))
        content = repr(replace(constraint, id=""))
        first = seen.setdefault(content, constraint)
        if first is not constraint:
            facts.warning(
                "redundant-constraint", place, f"{constraint.id} says the same as {first.id}", "drop one of the two"
            )
            continue
        pair = _weak(constraint)
        stronger = None if pair is None else binding.get(pair)
        if stronger is not None:
            text = f"{constraint.id}: {stronger.id} already binds these two, so this one has no effect"
            facts.warning("shadowed-constraint", place, text, "drop one of the two")


def _pair(constraint: Constraint) -> tuple[object, ...] | None:
    match constraint:
        case Colocation() if not constraint.sets and constraint.lifetime is None:
            roles = (constraint.role, constraint.with_role, constraint.node_attribute)
            return "colocation", constraint.resource, constraint.with_resource, *roles
        case Order() if not constraint.sets and constraint.lifetime is None:
            actions = (constraint.first_action, constraint.then_action, constraint.symmetrical, constraint.require_all)
            return "order", constraint.first, constraint.then, *actions
    return None


def _binding(constraint: Constraint) -> tuple[object, ...] | None:
    """The pair of a constraint that binds; None for others."""
    if isinstance(constraint, Colocation) and abs(score.read(constraint.score)) < score.INFINITY:
        return None
    if isinstance(constraint, Order) and (
        (constraint.kind or "Mandatory").lower() != "mandatory" or constraint.score is not None
    ):
        return None
    return _pair(constraint)


def _weak(constraint: Constraint) -> tuple[object, ...] | None:
    """The pair of a constraint that does not bind; None for others."""
    if isinstance(constraint, Location):
        return None
    if isinstance(constraint, Colocation) and 0 < abs(score.read(constraint.score)) < score.INFINITY:
        return _pair(constraint)
    if isinstance(constraint, Order) and (constraint.kind or "").lower() == "optional":
        return _pair(constraint)
    return None
