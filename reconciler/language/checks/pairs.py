"""Colocations and orders as pairs: what sets, tags, templates and groups come down to.

Source: the scheduler's specification, part 2, section 12, and part 3, section 11.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts
from reconciler.language.checks.names import constraint_address
from reconciler.model import score
from reconciler.model.constraint import Colocation, Order, ResourceSet
from reconciler.model.text import boolean


class ColocatedPair(NamedTuple):
    """The dependent is placed by where the primary is; roles are None where any role will do."""

    dependent: str
    primary: str
    score: int
    role: str | None
    with_role: str | None
    attribute: str
    constraint: str
    place: Place


class Before(NamedTuple):
    """An action of one resource comes before an action of another."""

    first: str
    first_action: str
    then: str
    then_action: str
    constraint: str
    place: Place


def colocations(facts: Facts) -> Iterator[ColocatedPair]:
    """Every pair of every colocation that always holds."""
    for constraint in facts.configuration.constraints:
        if isinstance(constraint, Colocation) and constraint.lifetime is None:
            base = constraint_address(constraint)
            place = facts.index.key(base)
            attribute = constraint.node_attribute or "#uname"
            pairs = _set_pairs(facts, constraint) if constraint.sets else _simple_pairs(facts, constraint)
            for dependent, primary, value, role, with_role in pairs:
                yield ColocatedPair(
                    dependent, primary, value, _any(role), _any(with_role), attribute, constraint.id, place
                )


Pair = tuple[str, str, int, str | None, str | None]


def _any(role: str | None) -> str | None:
    return None if role is None or role.lower() == "started" else role.lower()


def _simple_pairs(facts: Facts, constraint: Colocation) -> Iterator[Pair]:
    value = score.read(constraint.score)
    for dependent in facts.expand(constraint.resource or ""):
        for primary in facts.expand(constraint.with_resource or ""):
            yield dependent, primary, value, constraint.role, constraint.with_role


def _set_pairs(facts: Facts, constraint: Colocation) -> Iterator[Pair]:
    value = score.read(constraint.score)
    earlier: tuple[ResourceSet, list[str]] | None = None
    for one in constraint.sets:
        members = _members(facts, one)
        inner = value if one.score is None else score.read(one.score)
        for left, right in _inner(one, members, inner):
            yield left, right, inner, one.role, one.role
        if earlier is not None:
            previous, before = earlier
            for left in before[:1] if _sequential(previous) else before:
                for right in members[-1:] if _sequential(one) else members:
                    yield left, right, value, previous.role, one.role
        earlier = (one, members)


def _inner(one: ResourceSet, members: Sequence[str], value: int) -> Iterator[tuple[str, str]]:
    if value == 0 or not _sequential(one):
        return
    for index, member in enumerate(members[1:], start=1):
        if value < 0:
            yield from ((member, other) for other in members[:index])
        elif (one.ordering or "group") == "group":
            yield member, members[index - 1]
        else:
            yield members[index - 1], member


def _members(facts: Facts, one: ResourceSet) -> list[str]:
    return [name for reference in one.resources for name in facts.expand(reference)]


def _sequential(one: ResourceSet) -> bool:
    return boolean(one.sequential) is not False


def orders(facts: Facts) -> Iterator[Before]:
    """Every pair of every mandatory order that always holds."""
    for constraint in facts.configuration.constraints:
        if not isinstance(constraint, Order) or constraint.lifetime is not None:
            continue
        place = facts.index.key(constraint_address(constraint))
        if constraint.sets:
            yield from _order_sets(facts, constraint, place)
        elif is_mandatory(constraint.kind, constraint.score) and boolean(constraint.require_all) is not False:
            first = (constraint.first_action or "start").lower()
            then = (constraint.then_action or first).lower()
            for left in facts.expand(constraint.first or ""):
                for right in facts.expand(constraint.then or ""):
                    yield Before(left, first, right, then, constraint.id, place)


def is_mandatory(kind: str | None, value: str | None) -> bool:
    """Whether an order binds."""
    if kind is not None:
        return kind.lower() not in ("optional", "serialize")
    return value is None or score.read(value) != 0


def _order_sets(facts: Facts, constraint: Order, place: Place) -> Iterator[Before]:
    earlier: tuple[ResourceSet, list[str]] | None = None
    for one in constraint.sets:
        members = _members(facts, one)
        action = (one.action or constraint.first_action or "start").lower()
        kind = one.kind or constraint.kind
        binding = is_mandatory(kind, constraint.score)
        if binding and _sequential(one):
            for left, right in pairwise(members):
                yield Before(left, action, right, action, constraint.id, place)
        if earlier is not None and is_mandatory(constraint.kind, constraint.score):
            yield from _between(earlier, one, members, constraint, place)
        earlier = (one, members)


def _between(
    earlier: tuple[ResourceSet, list[str]],
    one: ResourceSet,
    members: Sequence[str],
    constraint: Order,
    place: Place,
) -> Iterator[Before]:
    """All members of a set before all of the next, through a name in between: sets may be large, and pairs would be many."""
    previous, before = earlier
    if boolean(previous.require_all) is False:
        return
    first = (previous.action or constraint.first_action or "start").lower()
    then = (one.action or constraint.first_action or "start").lower()
    middle = f"the set of {constraint.id} that begins with {members[0] if members else 'nothing'}"
    for left in before:
        yield Before(left, first, middle, then, constraint.id, place)
    for right in members:
        yield Before(middle, then, right, then, constraint.id, place)


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts with a cycle in them, each sorted, all sorted; without recursion."""
    order = _finishing_order(edges)
    reverse: dict[str, set[str]] = {}
    for left, rights in edges.items():
        for right in rights:
            reverse.setdefault(right, set()).add(left)
    seen: set[str] = set()
    found: list[list[str]] = []
    for start in reversed(order):
        if start in seen:
            continue
        part, waiting = [], [start]
        seen.add(start)
        while waiting:
            at = waiting.pop()
            part.append(at)
            for other in reverse.get(at, ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        if len(part) > 1 or start in edges.get(start, ()):
            found.append(sorted(part))
    return sorted(found)


def _finishing_order(edges: dict[str, set[str]]) -> list[str]:
    order: list[str] = []
    seen: set[str] = set()
    for root in sorted(edges):
        if root in seen:
            continue
        seen.add(root)
        waiting = [(root, iter(sorted(edges.get(root, ()))))]
        while waiting:
            at, rest = waiting[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                order.append(at)
                waiting.pop()
            else:
                seen.add(following)
                waiting.append((following, iter(sorted(edges.get(following, ())))))
    return order


def path(edges: dict[str, set[str]], start: str, end: str) -> list[str]:
    """A shortest way along edges from one to the other (of at least one step); empty when there is none."""
    came: dict[str, str] = {}
    waiting = [start]
    for at in waiting:
        for other in sorted(edges.get(at, ())):
            if other not in came:
                came[other] = at
                waiting.append(other)
        if end in came:
            break
    if end not in came:
        return []
    way = [end]
    while len(way) == 1 or way[-1] != start:
        way.append(came[way[-1]])
    return way[::-1]
