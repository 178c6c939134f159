"""Orders that wait for each other."""

from __future__ import annotations

from itertools import pairwise

from reconciler.language.checks.facts import Facts
from reconciler.language.checks.names import constraint_address
from reconciler.language.checks.pairs import Before, cycles, orders, path
from reconciler.model.constraint import Order
from reconciler.model.resource import Bundle, Clone, Group
from reconciler.model.text import boolean

_OPPOSITE = {"start": "stop", "promote": "demote"}


def check_orders(facts: Facts) -> None:
    """Report loops of mandatory orders, also through groups and sets, and orders that contradict themselves."""
    pairs = list(orders(facts))
    for pair in pairs:
        if pair.first == pair.then and pair.first_action == pair.then_action:
            facts.error("order-loop", pair.place, f"{pair.constraint}: '{pair.first}' is ordered after itself")
    _check_loops(facts, [pair for pair in pairs if (pair.first, pair.first_action) != (pair.then, pair.then_action)])
    for constraint in facts.configuration.constraints:
        if isinstance(constraint, Order):
            _check_actions(facts, constraint)


def _check_loops(facts: Facts, pairs: list[Before]) -> None:
    edges: dict[str, set[str]] = {}
    owners: dict[tuple[str, str], Before] = {}
    for pair in pairs:
        for left in _ends(facts, pair.first, pair.first_action, last=True):
            for right in _ends(facts, pair.then, pair.then_action, last=False):
                edges.setdefault(left, set()).add(right)
                owners.setdefault((left, right), pair)
    _add_groups(facts, edges)
    _add_promotions(facts, edges)
    for loop in cycles(edges):
        inside = [(left, right) for left, right in owners if left in loop and right in loop]
        if not inside:
            continue
        left, right = max(inside, key=lambda edge: (owners[edge].place, owners[edge].constraint, edge))
        last = owners[left, right]
        way = path(edges, right, left) if right != left else [right]
        text = f"{last.constraint}: orders form a loop: {' -> '.join([left, *way])}"
        facts.error("order-loop", last.place, text, "drop one of these orders, or make it Optional")


def _ends(facts: Facts, name: str, action: str, *, last: bool) -> list[str]:
    """The actions that stand for an action of a resource: the last or the first of a group, all of what a clone holds."""
    item = facts.items.get(name)
    if item is None:
        return [f"{action} {name}"]
    resource = item.resource
    if isinstance(resource, Clone | Bundle) and item.children:
        return _ends(facts, item.children[0].id, action, last=last)
    if isinstance(resource, Group) and item.children:
        forwards = action not in ("stop", "demote")
        return _ends(facts, item.children[-1 if last == forwards else 0].id, action, last=last)
    return [f"{action} {name}"]


def _add_groups(facts: Facts, edges: dict[str, set[str]]) -> None:
    """Members of a group start in order and stop in reverse."""
    for item in facts.items.values():
        if isinstance(item.resource, Group) and facts.meta(item, "ordered") != "false":
            for left, right in pairwise(item.children):
                edges.setdefault(f"start {left.id}", set()).add(f"start {right.id}")
                edges.setdefault(f"stop {right.id}", set()).add(f"stop {left.id}")


def _add_promotions(facts: Facts, edges: dict[str, set[str]]) -> None:
    """What is promoted was started before."""
    for node in [*edges, *(other for others in list(edges.values()) for other in others)]:
        action, _, name = node.partition(" ")
        if action == "promote":
            edges.setdefault(f"start {name}", set()).add(node)
        elif action == "demote":
            edges.setdefault(node, set()).add(f"stop {name}")


def _check_actions(facts: Facts, constraint: Order) -> None:
    base = constraint_address(constraint)
    for name, action, key in (
        (constraint.first, constraint.first_action, "first-action"),
        (constraint.then, constraint.then_action or constraint.first_action, "then-action"),
    ):
        item = facts.items.get(name or "")
        if action in ("promote", "demote") and item is not None and not _promotable(facts, name or ""):
            place = facts.index.value((*base, key), (*base, "first-action"))
            facts.error(
                "order-action",
                place,
                f"{constraint.id}: '{name}' can't be promoted or demoted",
                "only promotable clones can",
            )
    if boolean(constraint.symmetrical) is True and (constraint.kind or "").lower() == "serialize":
        place = facts.index.value((*base, "symmetrical"))
        facts.warning("no-effect", place, f"{constraint.id}: an order of kind Serialize is never symmetrical")


def _promotable(facts: Facts, name: str) -> bool:
    item = facts.items[name].top
    resource = item.resource
    if isinstance(resource, Bundle):
        return resource.container_attributes.get("promoted-max", "0") != "0"
    if not isinstance(resource, Clone):
        return False
    return resource.legacy_promotable or any(
        block.values.get("promotable", "").lower() not in ("", "false") for block in resource.meta
    )
