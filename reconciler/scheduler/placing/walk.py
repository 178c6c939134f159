"""Walks along colocations, on which the preferences of one resource after the other are mixed into a table.

Source: the scheduler's specification, part 2, sections 3.3 and 14.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY, add
from reconciler.scheduler.placing.candidates import any_usable
from reconciler.scheduler.placing.influence import has_influence
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.node import AttributeValues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.resource import Resource
    from reconciler.scheduler.working.table import NodeTable

UNUSABLE = -100 * INFINITY
"""Marks a node whose score would have become negative where only gains may be mixed in."""

BY_NAME = "#uname"
"""The node attribute that tells nodes apart where a constraint names none."""

_SINGLE = struct.Struct("<f")


def attribute_values(cluster: Cluster, name: str) -> AttributeValues:
    """The attribute's values. Nodes without it are alike: missing equals missing."""
    known = cluster.attribute_values.get(name)
    if known is None:
        texts = [node.attributes.get(name) for node in cluster.nodes_by_index]
        known = AttributeValues([None if text is None else text.lower() for text in texts])
        cluster.attribute_values[name] = known
    return known


def factor(colocation: ColocationPair) -> float:
    """How much of a preference a constraint hands on: its score as a part of infinity."""
    score = colocation.score
    return _single(score / INFINITY) if -INFINITY < score < INFINITY else math.copysign(1.0, score)


class TooLongError(Exception):
    """A walk takes more steps than there are colocations to take: it comes by the same ones again and again."""


class Walk:
    """One walk along colocations, with what stays the same on the way.

    A table is copied only for a change, unless `counting`: where table order decides, each copy counts. `way` are the ids of the
    resources that are being mixed in further up: none is mixed into itself. `left` is how many steps the walk may still take.
    """

    __slots__ = ("cluster", "counting", "forward", "left", "positive_only", "way")

    def __init__(self, cluster: Cluster, *, forward: bool = False, positive_only: bool = False) -> None:
        self.cluster = cluster
        self.forward = forward
        self.positive_only = positive_only
        self.counting = cluster.options.placement_strategy != "default"
        self.way: set[int] = set()
        self.left = 32 + len(cluster.colocations)

    def step(self) -> None:
        """Count a step from one resource to the next. **Raises** `TooLongError` when it is one too many."""
        self.left -= 1
        if self.left < 0:
            raise TooLongError

    def mix(self, resource: Resource, table: NodeTable, attribute: str, factor: float, droppable: bool) -> NodeTable:
        """Mix the resource in; the answer is `table` itself when nothing is to be changed."""
        group = resource.kind is Kind.GROUP
        if id(resource) in self.way or resource.placed.left_out or (group and not resource.children):
            return table
        self.way.add(id(resource))
        if group:
            first, start = resource.children[0], table.copy() if self.counting else table
            work = self.mix(first, start, attribute, factor, droppable)
        else:
            work = self._with_scores(resource, table, attribute, factor)
        if any_usable(self.cluster, work):
            work = self.walk_on(resource, work, factor)
        elif droppable:
            self.way.discard(id(resource))
            return table
        if self.positive_only:
            _settle_marks(work)
        self.way.discard(id(resource))
        return work

    def collect(self, resource: Resource) -> NodeTable | None:
        """Mix the resource into nothing."""
        group = resource.kind is Kind.GROUP
        if resource.placed.left_out or (group and not resource.children):
            return None
        self.way.add(id(resource))
        work = self.collect(resource.children[-1]) if group else resource.placed.table.copy()
        if work is not None and any_usable(self.cluster, work):
            work = self.walk_on(resource, work, 1.0)
        self.way.discard(id(resource))
        return work

    def walk_on(self, resource: Resource, work: NodeTable, above: float) -> NodeTable:
        """Mix in what comes next after the resource. Of the factor so far only the sign is handed on."""
        ahead = self.next(resource)
        if not ahead:
            return work
        sign = 1 if above >= 0 else -1
        for other, colocation in ahead:
            self.step()
            work = self.mix(other, work, colocation.node_attribute or BY_NAME, sign * factor(colocation), True)
        return work

    def next(self, resource: Resource) -> list[tuple[Resource, ColocationPair]]:
        """What is mixed in after the resource, and for the sake of which constraint."""
        if self.forward:
            return [(one.primary, one) for one in resource.placed.colocations]
        last = resource.children[-1] if resource.kind is Kind.GROUP else resource
        return [(one.dependent, one) for one in last.placed.followers if has_influence(one, one.primary)]

    def _with_scores(self, resource: Resource, table: NodeTable, attribute: str, factor: float) -> NodeTable:
        """The table with, on each node, the part `factor` of the best score that the resource has on available nodes like it."""
        own, available = resource.placed.table.scores, self.cluster.available
        known = attribute_values(self.cluster, attribute)
        alike = None if known.distinct else best_scores(own, available, known.values)
        changed: dict[int, int] = {}
        for index, score in table.scores.items():
            if alike is None:
                best = own.get(index, -INFINITY) if available[index] else -INFINITY
            else:
                best = alike.get(known.values[index], -INFINITY)
            if best == 0 or score == UNUSABLE or (best < 0 and factor < 0):
                continue
            total = add(scale(factor, best), score)
            if total >= 0 or score < 0 or not self.positive_only:
                changed[index] = total
            elif score > 0:
                changed[index] = UNUSABLE
        if not changed and not self.counting:
            return table
        work = table.copy()
        work.scores.update(changed)
        return work


def _settle_marks(table: NodeTable) -> None:
    """What was marked unusable is worth 1. Only tables made on this walk have marks."""
    if UNUSABLE in table.scores.values():
        table.scores.update({index: 1 for index, score in table.scores.items() if score == UNUSABLE})


def best_scores(
    scores: Mapping[int, int], available: Sequence[bool], values: Sequence[str | None]
) -> dict[str | None, int]:
    """The best score on available nodes for each value of an attribute."""
    best: dict[str | None, int] = {}
    for index, score in scores.items():
        if available[index]:
            value = values[index]
            best[value] = max(score, best.get(value, -INFINITY))
    return best


def scale(factor: float, score: int) -> int:
    """The part of a score, computed in single precision and rounded half away from zero.

    What would vanish becomes 1 with the factor's sign, even where the preference itself is negative.
    """
    if score == 0:
        return 0
    if factor == 1.0:
        return score
    product = _single(factor * score)
    part = int(product + 0.5) if product >= 0 else -int(0.5 - product)
    if part == 0:
        return 1 if factor > 0 else -1
    return part


def _single(number: float) -> float:
    """The nearest number in single precision."""
    rounded: float = _SINGLE.unpack(_SINGLE.pack(number))[0]
    return rounded
