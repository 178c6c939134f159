"""What comes before what by the orders of a configuration, asked of before an order is added that might close a circle.

It errs towards a connection: an order that holds in one direction only counts in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from reconciler.model.constraint import Order
from reconciler.model.resource import Bundle, Clone, Group, Resource, primitives
from reconciler.model.text import boolean

_Point = tuple[str, str]
"""The beginning (`in`) or the end (`out`) of a resource's start."""


class Precedence:
    """A graph of beginnings and ends: what a resource holds begins after it and ends before it."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._next: dict[_Point, list[_Point]] = {}
        self._inside: dict[str, tuple[str, ...]] = {}
        self._sets = 0
        for resource in resources:
            self._read(resource)

    def add(self, order: Order) -> None:
        """An order of two, or of sets."""
        both = boolean(order.symmetrical) is False or (order.kind or "").lower() == "serialize"
        if order.first is not None and order.then is not None:
            self._lead(order.first, order.then, both=both)
        ends = [self._add_set(one.resources, sequential=boolean(one.sequential) is not False) for one in order.sets]
        for one, other in pairwise(ends):
            self._lead(one, other, both=both)

    def leads(self, first: str, then: str) -> bool:
        """Whether anything of the one comes before anything of the other."""
        wanted = {(end, name) for name in self._all(then) for end in ("in", "out")}
        waiting = [(end, name) for name in self._all(first) for end in ("in", "out")]
        seen = set(waiting)
        while waiting:
            point = waiting.pop()
            if point in wanted:
                return True
            more = [one for one in self._next.get(point, ()) if one not in seen]
            seen.update(more)
            waiting += more
        return False

    def _all(self, name: str) -> tuple[str, ...]:
        return self._inside.get(name, (name,))

    def _add_set(self, names: Iterable[str], *, sequential: bool) -> str:
        """A set is a resource of its own that holds its members."""
        self._sets += 1
        name = f"\N{SYMBOL FOR SUBSTITUTE}set {self._sets}"
        self._hold(name, tuple(names), in_order=sequential)
        return name

    def _lead(self, first: str, then: str, *, both: bool = False) -> None:
        self._next.setdefault(("out", first), []).append(("in", then))
        if both:
            self._next.setdefault(("out", then), []).append(("in", first))

    def _read(self, resource: Resource) -> None:
        match resource:
            case Group(id, members):
                self._hold(id, tuple(one.id for one in members), in_order=True)
            case Clone(id, held):
                self._read(held)
                self._hold(id, (held.id,), in_order=False)
            case Bundle(id):
                self._hold(id, tuple(one.id for one in primitives(resource)), in_order=False)
            case _:
                self._hold(resource.id, (), in_order=False)
        for one in primitives(resource):
            self._hold(one.id, (), in_order=False)

    def _hold(self, name: str, inside: tuple[str, ...], *, in_order: bool) -> None:
        deeper = [one for held in inside for one in self._inside.get(held, ())]
        self._inside[name] = (name, *inside, *deeper)
        edges = self._next.setdefault(("in", name), [])
        edges += [("in", one) for one in inside] + [("out", name)]
        for one in inside:
            self._next.setdefault(("out", one), []).append(("out", name))
        if in_order:
            for one, other in pairwise(inside):
                self._lead(one, other)
