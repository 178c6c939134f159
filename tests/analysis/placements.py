"""What is said of where a resource is, and of where it is not, is taken away and the scheduler asked again: it has to be otherwise.

python tests/analysis/placements.py [EVERY | seeds FIRST END]

Three sayings of `why` are tried for each primitive: what decided for its node (chosen), what keeps it from another one (kept away), and
how much another one lacks (lacks).
"""

from __future__ import annotations

import functools
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from counterfactuals import gone
from oracle.clusters import NOW_S, Cluster
from published_cases import catalogue, xml_of

from reconciler.analysis import edits
from reconciler.analysis.placement_reasons import chosen, lacks, node_obstacle, obstacle, runs
from reconciler.cib import Cib
from reconciler.interop.reading.cib import read_cib
from reconciler.model.date import Instant
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions
from reconciler.scheduler.plan import Change, Verb
from reconciler.scheduler.roles import Kind


class Saying(NamedTuple):
    """One saying about a resource and a node; `holds` is None when there is nothing to take away."""

    case: str
    kind: str
    why: str
    resource: str
    node: str
    text: str
    holds: bool | None


class _Asked:
    """A cluster, and what the scheduler says of it after edits; each edit is tried once."""

    def __init__(self, case: str, cib: Cib, now: Instant) -> None:
        self.case, self.cib, self.now = case, cib, now
        self.plan = schedule(cib, now, decisions=True)
        self._tried: dict[object, Decisions] = {}

    @property
    def made(self) -> Decisions:
        assert self.plan.decisions is not None
        return self.plan.decisions

    def without(self, causes: tuple[Cause, ...], leaf: Decision, node: str) -> Decisions | None:
        """What is decided without the causes; None when none of them can be taken away."""
        line = Change(Verb.MOVE, leaf.id, node, leaf.node, "Started", "Started", None, False, None)
        found = [edit for cause in causes if (edit := self._gone(cause, leaf, line)) is not None]
        if not found:
            return None
        key = (causes, leaf.config_id if any(_is_own(cause) for cause in causes) else "", node)
        if key not in self._tried:
            self._tried[key] = self.after(functools.reduce(edits.both, found))
        return self._tried[key]

    def _gone(self, cause: Cause, leaf: Decision, line: Change) -> edits.Edit | None:
        if cause.why is not Why.STICKINESS:
            return gone(cause, self.plan, line)
        names = {leaf.config_id, self.made.root(leaf).config_id, cause.subject.partition(":")[0]}
        return functools.reduce(edits.both, [edits.set_meta(one, "resource-stickiness", "0") for one in sorted(names)])

    def has_more_reasons(self, causes: tuple[Cause, ...], made: Decisions, leaf: Decision, node: str) -> bool:
        """Whether the node is kept away for reasons of which each is another one, and no more once all are gone."""
        for _ in range(4):
            there, again = made.node(node), next((one for one in _same(made, leaf) if node in one.scores), None)
            if there is None or again is None:
                return False
            more = tuple(cause for cause in obstacle(again, there).causes if cause not in causes)
            causes = (*causes, *more)
            if not more or (found := self.without(causes, leaf, node)) is None:
                return False
            if _could_be_there(found, leaf, node):
                return True
            made = found
        return False

    def after(self, edit: edits.Edit) -> Decisions:
        made = schedule(edit.apply(self.cib), self.now, decisions=True).decisions
        assert made is not None
        return made


def _is_own(cause: Cause) -> bool:
    return cause.why not in (Why.LOCATION, Why.COLOCATION, Why.NODE_STATE, Why.TICKET)


def sayings(case: str, cib: Cib, now: Instant) -> Iterator[Saying]:
    """All about the primitives of a cluster that may run."""
    asked = _Asked(case, cib, now)
    for leaf in asked.made.resources:
        if leaf.kind is not Kind.PRIMITIVE or leaf.internal or leaf.orphan or not leaf.managed or leaf.blocked:
            continue
        if leaf.node is None or not runs(leaf):
            continue
        yield from _chosen(asked, leaf)
        for node in asked.made.nodes:
            if node.name in leaf.scores and not _is_there(asked.made, leaf, node.name):
                yield from _absent(asked, leaf, node)


def _chosen(asked: _Asked, leaf: Decision) -> Iterator[Saying]:
    reason = chosen(leaf, asked.made)
    if reason is None or "no other node can run it" in reason.text:
        return  # Why not is told, and tried, of each of them.
    why = "no cause" if reason.cause is None else reason.cause.why.value
    other = asked.without(reason.causes, leaf, leaf.node or "")
    holds = None if other is None else not _is_best(other, leaf)
    yield Saying(asked.case, "chosen", why, leaf.id, leaf.node or "", reason.text, holds)


def _absent(asked: _Asked, leaf: Decision, node: DecidedNode) -> Iterator[Saying]:
    if node_obstacle(node) is not None or leaf.scores[node.name] < 0:
        reason = obstacle(leaf, node)
        why = "no cause" if reason.cause is None else reason.cause.why.value
        other = asked.without(reason.causes, leaf, node.name)
        holds = None if other is None else _could_be_there(other, leaf, node.name)
        if other is not None and not holds:
            holds, why = asked.has_more_reasons(reason.causes, other, leaf, node.name), f"{why} and more"
        yield Saying(asked.case, "kept away", why, leaf.id, node.name, reason.text, holds)
    elif (told := lacks(leaf, node)) is not None and (number := re.match(r"it lacks (\d+) to", told)) is not None:
        root = asked.made.root(leaf)
        if root is leaf:
            other = asked.after(edits.prefer(leaf.config_id, node.name, int(number[1])))
            yield Saying(asked.case, "lacks", "score", leaf.id, node.name, told, _is_there(other, leaf, node.name))


def _same(made: Decisions, leaf: Decision) -> list[Decision]:
    """The resource, or the instances of its clone: their numbers may change."""
    return [one for one in made.resources if one.config_id == leaf.config_id and one.kind is Kind.PRIMITIVE]


def _is_there(made: Decisions, leaf: Decision, node: str) -> bool:
    return any(one.node == node for one in _same(made, leaf))


def _is_best(made: Decisions, leaf: Decision) -> bool:
    """Whether the resource is on its node, and every other one that could run it is worse."""
    for one in _same(made, leaf):
        if one.node == leaf.node and one.node is not None:
            usable = [node.name for node in made.nodes if node.name != one.node and node_obstacle(node) is None]
            return all(one.scores.get(name, -1) < max(one.scores.get(one.node, 0), 0) for name in usable)
    return False


def _could_be_there(made: Decisions, leaf: Decision, node: str) -> bool:
    found = made.node(node)
    if found is None or node_obstacle(found) is not None:
        return False
    return _is_there(made, leaf, node) or any(one.scores.get(node, -1) >= 0 for one in _same(made, leaf))


def published(every: int = 1) -> Iterator[Saying]:
    """Of every so manyth published case."""
    for case in catalogue()[::every]:
        cib = read_cib(xml_of(case["name"]).read_bytes())
        yield from sayings(case["name"], cib, Instant(cib.execution_date or 1_600_000_000))


def generated(seeds: Iterable[int]) -> Iterator[Saying]:
    """Of clusters of our own making."""
    for seed in seeds:
        yield from sayings(f"seed {seed}", read_cib(ElementTree.tostring(Cluster(seed).root)), Instant(NOW_S))


def rates(found: Iterable[Saying]) -> tuple[dict[tuple[str, str], Counter[str]], list[Saying]]:
    """By kind and cause: how many there are, are judged, and hold; and those that do not."""
    table: dict[tuple[str, str], Counter[str]] = {}
    failing = []
    for one in found:
        for key in ((one.kind, one.why), (one.kind, "")):
            row = table.setdefault(key, Counter())
            row["said"] += 1
            row["judged"] += one.holds is not None
            row["hold"] += one.holds is True
        failing += [one] if one.holds is False else []
    return table, failing


def main(words: list[str]) -> None:
    """Print the rates."""
    if words[:1] == ["seeds"]:
        table, failing = rates(generated(range(int(words[1]), int(words[2]))))
    else:
        table, failing = rates(published(int(words[0]) if words else 1))
    for one in failing:
        print(f"does not hold: {one.case}: {one.kind} {one.resource} {one.node}: {one.text}")
    for (kind, why), row in sorted(table.items()):
        print(f"{kind:10} {why:20} {row['said']:6} said, {row['judged']} judged, {row['hold']} hold")


if __name__ == "__main__":
    main(sys.argv[1:])
