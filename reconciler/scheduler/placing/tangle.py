"""Mixing preferences where walks along colocations meet again and again, in a time that the number of walks doesn't decide.

What a walk adds depends on the way only by a sign. So what comes after a resource is worked out once for each sign: for every node, what
becomes of its score. That holds as long as no preference is dropped on the way, which is certain where one available node never goes
below zero; elsewhere the walk is taken one step further, and a table that comes to the same place again is not walked with twice. The
scores are those of the plain walk.
Circles of colocations, which validation refuses, are walked plainly. For them, and for what else may take too long, there is an end to the
steps of a run; what is not mixed in then is said.
Source: the scheduler's specification, part 2, section 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY, add
from reconciler.scheduler.placing.additions import NOTHING, Additions, addition
from reconciler.scheduler.placing.walk import BY_NAME, UNUSABLE, Walk, attribute_values, best_scores, factor, scale
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.table import NodeTable

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

MOST_STEPS = 1_000_000
"""How many steps all such walks of a run may take: some ten seconds, and more than any sensible configuration needs."""

Place = tuple[int, int]
"""Where a walk is: the id of the resource whose neighbours come next, and the sign with which it got there."""


class Tangle(Walk):
    """A walk that doesn't go twice where it was."""

    __slots__ = ("_after", "_circular", "_copies", "_known", "_rows", "_shares")

    def __init__(self, cluster: Cluster, *, forward: bool = False, positive_only: bool = False) -> None:
        super().__init__(cluster, forward=forward, positive_only=positive_only)
        self._rows: dict[Place, list[Additions | None]] = {}
        self._copies: dict[int, int] = {}
        self._circular: dict[int, bool] = {}
        self._shares: dict[tuple[int, str, float], list[int]] = {}
        self._after: dict[tuple[Place, int, int], tuple[int, bool]] = {}
        self._known: dict[tuple[Place, tuple[tuple[int, int], ...]], tuple[dict[int, int] | None, int]] = {}

    def step(self) -> None:
        """Count a step, of those that all walks of a run have together."""
        self.cluster.tangled_steps += 1

    def mix(self, resource: Resource, table: NodeTable, attribute: str, factor: float, droppable: bool) -> NodeTable:
        """Mix the resource in, as long as there are steps left."""
        if self.cluster.tangled_steps > MOST_STEPS:
            _say_so(self.cluster)
            return table
        return super().mix(resource, table, attribute, factor, droppable)

    def walk_on(self, resource: Resource, work: NodeTable, above: float) -> NodeTable:
        """Mix in what comes next after the resource: at once where that can be, else step by step."""
        if self._leads_into_circle(resource):
            return super().walk_on(resource, work, above)
        place = (id(resource), 1 if above >= 0 else -1)
        done = self._at_once(resource, place, work)
        return self._once(resource, place, work, above) if done is None else done

    def _once(self, resource: Resource, place: Place, work: NodeTable, above: float) -> NodeTable:
        """The plain walk, with the same table not twice from the same place."""
        key = (place, tuple(work.scores.items()))
        known = self._known.get(key)
        if known is None:
            after = super().walk_on(resource, work, above)
            copies = _times(after) - _times(work)
            self._known[key] = (None if after is work else after.scores.copy(), copies)
            return after
        scores, copies = known
        return work if scores is None else _made(work, scores, copies)

    def _at_once(self, resource: Resource, place: Place, work: NodeTable) -> NodeTable | None:
        """The table after the whole rest of the walk; None when a preference may have to be dropped on the way."""
        if not self.next(resource):
            return work
        available = self.cluster.available
        scores: dict[int, int] = {}
        lasting = False
        for index, score in work.scores.items():
            scores[index], lasts = self._becomes(resource, place, index, score)
            lasting = lasting or (lasts and available[index])
        if not lasting:
            return None
        if not self.counting and scores == work.scores:
            return work
        return _made(work, scores, self._copies_after(resource) if self.counting else 0)

    # Of one node

    def _becomes(self, resource: Resource, place: Place, index: int, score: int) -> tuple[int, bool]:
        """What the rest of the walk makes of a node's score, and whether it is never below zero on the way."""
        row = self._row(resource, place)[index]
        if row is not None and score != UNUSABLE:
            return row.of(score), score >= row.alive
        return self._followed(resource, place, index, score)

    def _followed(self, resource: Resource, place: Place, index: int, score: int) -> tuple[int, bool]:
        """The same where only gains are mixed in and something would be lost: by this very score."""
        key = (place, index, score)
        known = self._after.get(key)
        if known is None:
            self.step()
            lasts = True
            for other, colocation in self.next(resource):
                attribute, share = colocation.node_attribute or BY_NAME, place[1] * factor(colocation)
                score, lasted = self._mixed(other, attribute, share, index, score)
                lasts = lasts and lasted
            known = self._after[key] = (score, lasts)
        return known

    def _mixed(self, resource: Resource, attribute: str, share: float, index: int, score: int) -> tuple[int, bool]:
        """What becomes of a node's score when the resource is mixed in, with all that comes after it."""
        place = (id(resource), 1 if share >= 0 else -1)
        if self._is_passed_over(resource):
            return score, True
        if resource.kind is Kind.GROUP:
            score, lasts = self._mixed(resource.children[0], attribute, share, index, score)
        else:
            score, lasts = self._added(resource, attribute, share, index, score), True
        lasts = lasts and score >= 0
        score, lasted = self._becomes(resource, place, index, score)
        return (1 if score == UNUSABLE else score), lasts and lasted

    def _added(self, resource: Resource, attribute: str, share: float, index: int, score: int) -> int:
        """The node's score with the resource's own."""
        more = self._share(resource, attribute, share)[index]
        if more == 0 or score == UNUSABLE:
            return score
        total = add(more, score)
        if total >= 0 or score < 0:
            return total
        return UNUSABLE if score > 0 else score

    # Of all nodes, whatever their scores are

    def _row(self, resource: Resource, place: Place) -> list[Additions | None]:
        """By node index, what the rest of the walk does to any score; None where that isn't a row of additions."""
        known = self._rows.get(place)
        if known is None:
            known = [NOTHING] * len(self.cluster.nodes_by_index)
            for other, colocation in self.next(resource):
                share = place[1] * factor(colocation)
                known = _joined(known, self._row_with(other, colocation.node_attribute or BY_NAME, share))
            self._rows[place] = known
        return known

    def _row_with(self, resource: Resource, attribute: str, share: float) -> list[Additions | None]:
        """The same with the resource itself first, after which is asked whether a node is left."""
        row: list[Additions | None]
        if self._is_passed_over(resource):
            return [NOTHING] * len(self.cluster.nodes_by_index)
        if resource.kind is Kind.GROUP:
            row = self._row_with(resource.children[0], attribute, share)
        else:
            more = self._share(resource, attribute, share)
            row = [None if self.positive_only and score < 0 else addition(score) for score in more]
        asked = [None if one is None else one.asked() for one in row]
        return _joined(asked, self._row(resource, (id(resource), 1 if share >= 0 else -1)))

    def _share(self, resource: Resource, attribute: str, share: float) -> list[int]:
        """By node index, what the resource adds to a node's score."""
        key = (id(resource), attribute, share)
        known = self._shares.get(key)
        if known is None:
            best = self._best(resource, attribute)
            known = self._shares[key] = [0 if score < 0 and share < 0 else scale(share, score) for score in best]
        return known

    def _best(self, resource: Resource, attribute: str) -> list[int]:
        """By node index, the best score that the resource has on available nodes like this one."""
        own, available = resource.placed.table.scores, self.cluster.available
        values = attribute_values(self.cluster, attribute)
        if values.distinct:
            return [own.get(index, -INFINITY) if usable else -INFINITY for index, usable in enumerate(available)]
        alike = best_scores(own, available, values.values)
        return [alike.get(value, -INFINITY) for value in values.values]

    # Which ways there are

    def _is_passed_over(self, resource: Resource) -> bool:
        return resource.placed.left_out or (resource.kind is Kind.GROUP and not resource.children)

    def _successors(self, resource: Resource) -> list[Resource]:
        if self._is_passed_over(resource):
            return []
        inside = resource.children[:1] if resource.kind is Kind.GROUP else []
        return inside + [other for other, _ in self.next(resource)]

    def _leads_into_circle(self, resource: Resource) -> bool:
        """Whether a walk from here may come back to a resource that it came by: then the way there decides what is skipped."""
        circular = self._circular
        if id(resource) in circular:
            return circular[id(resource)]
        circular[id(resource)] = True  # As long as it is being asked: whoever comes back here closes a circle.
        found = [self._leads_into_circle(other) for other in self._successors(resource)]
        circular[id(resource)] = any(found)
        return circular[id(resource)]

    def _copies_after(self, resource: Resource) -> int:
        """How often the rest of a walk on which nothing is dropped copies the table."""
        known = self._copies.get(id(resource))
        if known is None:
            known = self._copies[id(resource)] = sum(self._copies_with(other) for other, _ in self.next(resource))
        return known

    def _copies_with(self, resource: Resource) -> int:
        if self._is_passed_over(resource):
            return 0
        if resource.kind is not Kind.GROUP:
            return 1 + self._copies_after(resource)
        return 1 + self._copies_with(resource.children[0]) + self._copies_after(resource)


def _joined(first: list[Additions | None], then: list[Additions | None]) -> list[Additions | None]:
    return [None if one is None or other is None else one.then(other) for one, other in zip(first, then, strict=True)]


def _times(table: NodeTable) -> int:
    return sum(times for _, times in table.copies)


def _made(work: NodeTable, scores: dict[int, int], copies: int) -> NodeTable:
    """A table like `work` with these scores, copied so many times on the way."""
    made = work.copy()
    made.scores = scores.copy()
    size = len(scores)
    made.copies = work.copies
    if copies:
        before = work.copies[-1][1] if work.copies and work.copies[-1][0] == size else 0
        kept = work.copies[:-1] if before else work.copies
        made.copies = (*kept, (size, before + copies))
    return made


def _say_so(cluster: Cluster) -> None:
    text = "colocations are too entangled: some preferences of dependents are not counted"
    if text not in cluster.messages:
        cluster.messages.append(text)
