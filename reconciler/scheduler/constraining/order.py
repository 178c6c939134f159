"""From configured orders to orderings between actions: kinds, symmetry, sets, minimal clones, anti-colocations.

Source: the scheduler's specification, part 3, section 11.1 and the end of section 11.
"""

from __future__ import annotations

import enum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model import score
from reconciler.model.constraint import ResourceSet
from reconciler.model.text import boolean, integer, is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.constraining.references import constrained, expand_sets, instance_of, members
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.effects import ANTI, ANY, ASY, ORD, RF, RN, RT, SER, SHT

if TYPE_CHECKING:
    from reconciler.model.constraint import Order
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.resource import Resource

_INVERSE = {
    "start": "stop",
    "stop": "start",
    "promote": "demote",
    "demote": "promote",
    "running": "stopped",
    "stopped": "running",
    "promoted": "demoted",
    "demoted": "promoted",
}


class _Strength(enum.Enum):
    """The kind of an order."""

    MANDATORY = "Mandatory"
    OPTIONAL = "Optional"
    SERIALIZE = "Serialize"


class _Form(enum.Enum):
    """Whether an order holds only as written, or backwards too; and then, which of the two directions is meant."""

    ASYMMETRIC = 0
    FORWARD = 1
    INVERSE = 2


class _Members(NamedTuple):
    """A resource set with its references resolved."""

    id: str
    resources: list[Resource]
    action: str
    written: ResourceSet


def read_order(cluster: Cluster, constraint: Order) -> None:
    """Turn a configured order into orderings. One that names an unknown resource is ignored from there on."""
    strength = _strength(cluster, constraint, constraint.id)
    form = _form(constraint.symmetrical, None, strength)
    sets = expand_sets(cluster, constraint.sets) or _as_sets(cluster, constraint)
    if sets:
        _order_sets(cluster, constraint, sets, strength, form)
    elif constraint.first is not None and constraint.then is not None:
        _order_pair(cluster, constraint, strength, form)


def order_anti_colocation(cluster: Cluster, colocation: ColocationPair) -> None:
    """Two resources that must never share a node: each leaves its role before the other gains its own."""
    dependent = (colocation.dependent, colocation.dependent_role)
    primary = (colocation.primary, colocation.primary_role)
    for (first, first_role), (then, then_role) in ((dependent, primary), (primary, dependent)):
        for leave in _leaving(first_role):
            for gain in _gaining(then_role):
                _order_tasks(cluster, first, leave, then, gain, ANTI, colocation.cause)


def _leaving(role: Role) -> tuple[str, ...]:
    if role is Role.PROMOTED:
        return ("demote",)
    return ("stop", "promote") if role is Role.UNPROMOTED else ("stop",)


def _gaining(role: Role) -> tuple[str, ...]:
    if role is Role.PROMOTED:
        return ("promote",)
    return ("start", "demote") if role is Role.UNPROMOTED else ("start",)


def _strength(cluster: Cluster, written: Order | ResourceSet, constraint_id: str) -> _Strength:
    """The kind as written; without one, the score decides: 0 means optional."""
    if written.kind is None:
        optional = written.score is not None and score.read(written.score) == 0
        return _Strength.OPTIONAL if optional else _Strength.MANDATORY
    for strength in _Strength:
        if written.kind.lower() == strength.value.lower():
            return strength
    cluster.messages.append(
        f"Resetting 'kind' for constraint {constraint_id} to 'Mandatory' because '{written.kind}' is not valid"
    )
    return _Strength.MANDATORY


def _form(own: str | None, parents: str | None, strength: _Strength) -> _Form:
    symmetric = boolean(own)
    if symmetric is None and parents is not None:
        symmetric = is_true(parents)
    if strength is _Strength.SERIALIZE or symmetric is False:
        return _Form.ASYMMETRIC
    return _Form.FORWARD


def _effects(strength: _Strength, form: _Form, first_task: str) -> int:
    """The table of kinds and symmetry (section 11.1)."""
    match strength, form:
        case _Strength.SERIALIZE, _:
            return ORD | SER
        case _Strength.OPTIONAL, _:
            return ORD
        case _, _Form.ASYMMETRIC:
            return ORD | ASY
        case _, _Form.INVERSE:
            return ORD | RF
    return ORD | RT | (RN if first_task in ("start", "promote") else 0)


def _order_tasks(
    cluster: Cluster, first: Resource, first_task: str, then: Resource, then_task: str, effects: int, cause: Cause
) -> None:
    first_side = (first, action_key(first.id, first_task))
    order(cluster, first_side, (then, action_key(then.id, then_task)), effects, cause)


# One resource before another


def _order_pair(cluster: Cluster, constraint: Order, strength: _Strength, form: _Form) -> None:
    first = _instance(constrained(cluster, constraint.first or ""), constraint.first_instance)
    then = _instance(constrained(cluster, constraint.then or ""), constraint.then_instance)
    if first is None or then is None:
        return
    cause = Cause(Why.ORDER, constraint.id)
    first_task = constraint.first_action or "start"
    then_task = constraint.then_action or first_task
    restarts = strength is _Strength.OPTIONAL and then.configured.meta.get("restart-type", "").lower() == "restart"
    effects = _effects(strength, form, first_task) | (RT if restarts else 0)
    needed = _needed_instances(first, constraint)
    if needed > 0:
        gate = _gate(cluster, f"clone-one-or-more:{constraint.id}", cause)
        gate.needed_count = needed
        _through(cluster, gate, (first.children, first_task), ([then], then_task), effects)
    else:
        _order_tasks(cluster, first, first_task, then, then_task, effects, cause)
    if form is _Form.FORWARD and first_task in _INVERSE and then_task in _INVERSE:
        effects = _effects(strength, _Form.INVERSE, then_task) | (RF if restarts else 0)
        _order_tasks(cluster, then, _INVERSE[then_task], first, _INVERSE[first_task], effects, cause)


def _needed_instances(first: Resource, constraint: Order) -> int:
    """How many instances of a clone satisfy the order; 0 when it is to be ordered as a whole."""
    if first.clone is None:
        return 0
    if (configured := first.configured.meta.get("clone-min")) is not None:
        return max(0, integer(configured))
    return 1 if boolean(constraint.require_all) is False else 0


def _gate(cluster: Cluster, name: str, cause: Cause) -> Action:
    """The pseudo action that is reached when enough of those ordered before it are."""
    gate = request(cluster, None, name, name, None, optional=True, cause=cause)
    gate.pseudo = True
    gate.runnable = True
    gate.requires_any = True
    return gate


def _through(
    cluster: Cluster, gate: Action, first: tuple[list[Resource], str], then: tuple[list[Resource], str], effects: int
) -> None:
    """Order resources before a gate and the gate before resources."""
    cause = gate.cause or Cause(Why.ORDER)
    for resource in first[0]:
        order(cluster, (resource, action_key(resource.id, first[1])), gate, ANY | SHT, cause)
    for resource in then[0]:
        order(cluster, gate, (resource, action_key(resource.id, then[1])), effects | RN, cause)


# Sets of resources


def _order_sets(
    cluster: Cluster, constraint: Order, sets: tuple[ResourceSet, ...], strength: _Strength, form: _Form
) -> None:
    """Order the members of each set among themselves, then each set after the one before."""
    previous: _Members | None = None
    for number, written in enumerate(sets, start=1):
        current = _members(cluster, written, f"{constraint.id}-set-{number}")
        if current is None:
            return
        _order_within(cluster, constraint, current, strength)
        if previous is not None:
            _order_between(cluster, constraint, previous, current, strength, form)
            if form is _Form.FORWARD:
                _order_between(cluster, constraint, current, previous, strength, _Form.INVERSE)
        previous = current


def _members(cluster: Cluster, written: ResourceSet, default_id: str) -> _Members | None:
    """The set with its references resolved, called `default_id` if its author gave it no id; None if a reference is unknown."""
    resources = []
    for name in written.resources:
        resource = constrained(cluster, name)
        if resource is None:
            return None
        resources.append(resource)
    return _Members(written.id or default_id, resources, written.action or "start", written)


def _order_within(cluster: Cluster, constraint: Order, within: _Members, parents: _Strength) -> None:
    written, resources, action = within.written, within.resources, within.action
    if len(resources) < 2:
        return
    cause = Cause(Why.ORDER, constraint.id, within.id)
    told = written.kind is not None or written.score is not None
    own = _strength(cluster, written, constraint.id) if told else parents
    form = _form(written.extra.get("symmetrical"), constraint.symmetrical, own)
    strength = parents if written.kind is None else own  # A set's score decides on its symmetry only.
    sequential = written.sequential is None or is_true(written.sequential)
    effects = _effects(strength, form, action)
    if strength is _Strength.SERIALIZE:
        for position, first in enumerate(resources):
            for then in resources[position + 1 :]:
                _order_tasks(cluster, first, action, then, action, effects, cause)
    elif sequential:
        for first, then in pairwise(resources):
            _order_tasks(cluster, first, action, then, action, effects, cause)
    inverse = _INVERSE.get(action)
    if form is _Form.FORWARD and sequential and inverse is not None:
        effects = _effects(strength, _Form.INVERSE, inverse)
        for then, first in pairwise(resources):
            _order_tasks(cluster, first, inverse, then, inverse, effects, cause)


def _order_between(
    cluster: Cluster, constraint: Order, first: _Members, then: _Members, strength: _Strength, form: _Form
) -> None:
    """Order one set before another. In the inverse pass the caller exchanged the sets; here the actions are inverted."""
    inverse = form is _Form.INVERSE
    first_task = _INVERSE.get(first.action) if inverse else first.action
    then_task = _INVERSE.get(then.action) if inverse else then.action
    if first_task is None or then_task is None:
        return
    cause = Cause(Why.ORDER, constraint.id)
    effects = _effects(strength, form, then_task)
    any_will_do = boolean(first.written.require_all) is False and first_task not in ("stop", "demote")
    if any_will_do:
        gate = _gate(cluster, f"one-or-more:{first.id}", cause)
        _through(cluster, gate, (first.resources, first_task), (then.resources, then_task), effects)
        return
    for one in _connecting(first, last=not inverse):
        for other in _connecting(then, last=inverse):
            _order_tasks(cluster, one, first_task, other, then_task, effects, cause)


def _connecting(side: _Members, *, last: bool) -> list[Resource]:
    """The members that are ordered relative to another set: all, but for a set that says it is sequential."""
    if not is_true(side.written.sequential):
        return side.resources
    return side.resources[-1:] if last else side.resources[:1]


# References


def _instance(resource: Resource | None, number: str | None) -> Resource | None:
    """The resource itself or, with a (deprecated) instance number, that instance of the clone."""
    return resource if resource is None or number is None else instance_of(resource, number)


def _as_sets(cluster: Cluster, constraint: Order) -> tuple[ResourceSet, ...]:
    """A pair that names a tag or template, as two sets; empty when both sides are resources or one is unknown."""
    sets = []
    expanded = False
    for name, action in (
        (constraint.first, constraint.first_action),
        (constraint.then, constraint.then_action),
    ):
        if name is None:
            return ()
        if inside := members(cluster, name):
            sets.append(ResourceSet(inside, sequential="false", action=action, id=name))
            expanded = True
        elif constrained(cluster, name) is not None:
            sets.append(ResourceSet((name,), action=action, id=name))
        else:
            return ()
    return tuple(sets) if expanded else ()
