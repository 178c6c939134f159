"""The orders in which departing resources stop: those that they had, and one between each and what is the same under a new name.

Between two that depart, an order holds as it did, and so does the order of a group. What departs stops before what it depended on, if that
stops as well, whether it stays or goes. What stays but depended on what departs is not stopped for that: the new configuration says that it
does without. Only if it stops anyway, it does so first (an `Optional` order), where that contradicts no order of the new configuration.
An addition that is a removed resource under another name is started only once that has stopped: both never run at once. Until then nobody
looks for it, either: what is found would be the old one, taken for the new, and its stop for a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

from reconciler.cib.parting import Parting, fresh
from reconciler.cib.precedence import Precedence
from reconciler.cib.twins import twins
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Constraint, Location, Order, ResourceSet
from reconciler.model.resource import Bundle, Clone, Group, Resource, primitives
from reconciler.model.text import boolean

_BUILDING = (None, "start", "promote")


def orders_of(parting: Parting, nodes: Iterable[str]) -> tuple[Constraint, ...]:
    """The constraints of what departs, each under a name that nothing else has. `nodes` are all that there are."""
    made = _read(parting)
    unseen = made.part_twins(nodes)
    made.put_off()
    return (*made.orders, *unseen)


def left_of(constraints: Iterable[Constraint], gone: frozenset[str]) -> tuple[Constraint, ...]:
    """The constraints that are left once these have departed."""
    constraints = tuple(constraints)
    orders = [one for one in constraints if isinstance(one, Order) and gone.isdisjoint(mentioned(one))]
    waiting = {order.then for order in orders if order.first_action == "stop"}
    return (*orders, *(one for one in constraints if isinstance(one, Location) and one.resource in waiting))


def undermined(parting: Parting) -> tuple[tuple[str, str], ...]:
    """Each that departs with what stays and was ordered after it."""
    return tuple((first, then) for first, then, _ in _read(parting).later)


def _read(parting: Parting) -> _Orders:
    """The orders that there were."""
    made = _Orders(parting)
    for constraint in parting.old.constraints:
        if isinstance(constraint, Order):
            made.read(constraint)
    for resource in parting.old.resources:
        made.read_group(resource)
    return made


def mentioned(constraint: Constraint) -> frozenset[str]:
    """The resources that an order is about."""
    if not isinstance(constraint, Order):
        return frozenset()
    inside = {name for one in constraint.sets for name in one.resources}
    return frozenset(inside | {name for name in (constraint.first, constraint.then) if name is not None})


class _Orders:
    """Orders as they are found; those that bind what stays come last, as they must fit all others."""

    def __init__(self, parting: Parting) -> None:
        self.parting = parting
        self.orders: list[Order] = []
        self._names = set(parting.names)
        self._pairs: set[tuple[str, str, str | None, str | None]] = set()
        self.later: list[tuple[str, str, Order]] = []
        self._resources = _by_name(parting.old.resources)
        self._new = _handles(parting.new)
        self._tags = _sets_of_names(parting.old)

    def read(self, order: Order) -> None:
        """An order of the old configuration."""
        if not any(self._departs(name) for name in mentioned(order)):
            return
        if all(name in self.parting.handles for name in mentioned(order)):
            self._keep(order)
        elif _is_symmetrical(order):
            for first, then, made in _pairs(order):
                self._pair(first, then, made)

    def read_group(self, resource: Resource) -> None:
        """A group of which a part departs: its members had an order, too. Where all of it departs, it still is a group."""
        match resource:
            case Group(id, members) | Clone(_, Group(id, members)) if id not in self.parting.handles:
                pass
            case _:
                return
        group = resource.resource if isinstance(resource, Clone) else resource
        if not isinstance(group, Group) or not _is_ordered(group):
            return
        for one, other in combinations([member.id for member in members], 2):
            if one in self.parting.handles or other in self.parting.handles:
                self._pair(one, other, Order(f"{id}-order"))

    def part_twins(self, nodes: Iterable[str]) -> tuple[Location, ...]:
        """What is the same under a new name starts once the old one has stopped, and is looked for on no node before."""
        found = tuple(twins(self.parting))
        for old, new in found:
            handle = self.parting.handles[old]
            self._add(
                Order(
                    f"{handle}-before-{new}",
                    first=handle,
                    then=new,
                    first_action="stop",
                    then_action="start",
                    symmetrical="false",
                )
            )
        pairs = product(dict.fromkeys(new for _, new in found), sorted(nodes))
        return tuple(
            Location(
                self._fresh(f"{new}-unseen-on-{node}"), resource=new, node=node, score="0", resource_discovery="never"
            )
            for new, node in pairs
        )

    def put_off(self) -> None:
        """What stays and depended on what departs stops first if it stops, unless the new configuration has it the other way round."""
        if not self.later:
            return
        precedence = Precedence((*self.parting.new.resources, *self.parting.resources))
        for constraint in (*self.parting.new.constraints, *self.orders):
            if isinstance(constraint, Order):
                precedence.add(constraint)
        for first, then, order in self.later:
            if not precedence.leads(then, first):
                self._add(replace(order, first=first, then=then, kind="Optional", score=None))

    def _keep(self, order: Order) -> None:
        """An order of which all departs: it holds as it was, under the names of what departs."""
        handles = self.parting.handles
        first = None if order.first is None else handles[order.first]
        then = None if order.then is None else handles[order.then]
        sets = tuple(
            replace(one, id=None, resources=tuple(dict.fromkeys(handles[name] for name in one.resources)))
            for one in order.sets
        )
        if first is None or first != then:
            self._add(replace(order, first=first, then=then, sets=sets))

    def _pair(self, first: str, then: str, order: Order) -> None:
        """Of two of which at least one departs, the one comes after the other."""
        for one, other in product(self._found(first), self._found(then)):
            if one == other or (one, other, order.first_action, order.then_action) in self._pairs:
                continue
            gone, also_gone = one in self._going, other in self._going
            self._pairs.add((one, other, order.first_action, order.then_action))
            if also_gone:
                self._add(replace(order, first=one, then=other))
            elif gone and order.first_action in _BUILDING and order.then_action in _BUILDING:
                self.later.append((one, other, order))

    @property
    def _going(self) -> frozenset[str]:
        return frozenset(self.parting.handles.values())

    def _add(self, order: Order) -> None:
        self.orders.append(replace(order, id=self._fresh(order.id)))

    def _fresh(self, name: str) -> str:
        free = fresh(name, self._names)
        self._names.add(free)
        return free

    def _departs(self, name: str) -> bool:
        return any(one in self._going for one in self._found(name))

    def _found(self, name: str) -> tuple[str, ...]:
        """By which names what the old configuration called so is found now: what departs of it, and what stays."""
        found: list[str] = []
        for one in self._tags.get(name, (name,)):
            if one in self.parting.handles:
                found.append(self.parting.handles[one])
            elif one in self._resources:
                found += self._parts(one)
        return tuple(dict.fromkeys(found))

    def _parts(self, name: str) -> Iterator[str]:
        inside = [one.id for one in primitives(self._resources[name])]
        yield from (self.parting.handles[one] for one in inside if one in self.parting.handles)
        if name in self._new:
            yield self._new[name]
        else:
            yield from (self._new[one] for one in inside if one in self._new)


def _pairs(order: Order) -> Iterator[tuple[str, str, Order]]:
    """An order of two, or of sets, as orders of two."""
    plain = replace(order, sets=())
    if order.first is not None and order.then is not None:
        yield order.first, order.then, plain
    for one in order.sets:
        if boolean(one.sequential) is not False:
            yield from ((a, b, _with(plain, one, one)) for a, b in combinations(one.resources, 2))
    for one, other in combinations(order.sets, 2):
        yield from ((a, b, _with(plain, one, other)) for a, b in product(one.resources, other.resources))


def _with(order: Order, first: ResourceSet, then: ResourceSet) -> Order:
    return replace(order, first_action=first.action, then_action=then.action)


def _is_symmetrical(order: Order) -> bool:
    return boolean(order.symmetrical) is not False and (order.kind or "").lower() != "serialize"


def _is_ordered(group: Group) -> bool:
    return all(boolean(block.values.get("ordered")) is not False for block in group.meta)


def _by_name(resources: Iterable[Resource]) -> Mapping[str, Resource]:
    """All resources by name, those within others too."""
    found: dict[str, Resource] = {}
    for resource in resources:
        found[resource.id] = resource
        if isinstance(resource, Clone):
            found[resource.resource.id] = resource.resource
        found |= {one.id: one for one in primitives(resource)}
    return found


def _handles(configuration: Configuration) -> Mapping[str, str]:
    """By which name a constraint means a resource: of what is in a clone or a bundle, all of that."""
    found: dict[str, str] = {}
    for resource in configuration.resources:
        outer = isinstance(resource, Clone | Bundle)
        for name in _by_name((resource,)):
            found[name] = resource.id if outer else name
    return found


def _sets_of_names(configuration: Configuration) -> Mapping[str, tuple[str, ...]]:
    """What tags and templates stand for in constraints."""
    found = {tag.id: tag.references for tag in configuration.tags}
    for resource in configuration.resources:
        for one in primitives(resource):
            if one.template is not None:
                found[one.template] = (*found.get(one.template, ()), one.id)
    return found
