"""Colocations that can't hold: loops, and pairs that must be together and must be apart."""

from __future__ import annotations

from reconciler.language.facts import Facts, Item
from reconciler.language.pairs import Together, colocations, cycles, path
from reconciler.model import score
from reconciler.model.resource import Group


def check_colocations(facts: Facts) -> None:
    """Report loops and contradictions among colocations, and those that do nothing."""
    pairs = [pair for pair in colocations(facts) if pair.dependent in facts.items and pair.primary in facts.items]
    for pair in pairs:
        if pair.score == 0:
            hint = "give a score, or `score: require`"
            facts.warning(
                "no-effect", pair.place, f"{pair.constraint}: a colocation with the score 0 does nothing", hint
            )
        elif pair.dependent == pair.primary:
            facts.error(
                "colocation-loop", pair.place, f"{pair.constraint}: '{pair.dependent}' is colocated with itself"
            )
    _check_loops(facts, [pair for pair in pairs if pair.score > 0 and pair.dependent != pair.primary])
    _check_contradictions(facts, pairs)


def together_edges(facts: Facts, pairs: list[Together]) -> dict[str, set[str]]:
    """From each resource to those on whose node it must run: by mandatory colocation, and inside groups."""
    edges: dict[str, set[str]] = {}
    for pair in pairs:
        if pair.score >= score.INFINITY and pair.role is None and pair.with_role is None and pair.attribute == "#uname":
            edges.setdefault(pair.dependent, set()).add(pair.primary)
    for item in facts.items.values():
        if isinstance(item.resource, Group) and not item.repeated:
            for child in item.children:
                edges.setdefault(child.id, set()).add(item.id)
                edges.setdefault(item.id, set()).add(child.id)
    return edges


def _check_loops(facts: Facts, pairs: list[Together]) -> None:
    edges: dict[str, set[str]] = {}
    for pair in pairs:
        edges.setdefault(pair.dependent, set()).add(pair.primary)
    for loop in cycles(edges):
        inside = [pair for pair in pairs if pair.dependent in loop and pair.primary in loop]
        last = max(inside, key=lambda pair: (pair.place, pair.constraint))
        way = path(edges, last.primary, last.dependent) if last.primary != last.dependent else [last.primary]
        chain = " with ".join([last.dependent, *way])
        text = f"{last.constraint}: colocations form a loop: {chain}"
        facts.error("colocation-loop", last.place, text, "the dependent follows the primary: drop one of them")


def _check_contradictions(facts: Facts, pairs: list[Together]) -> None:
    edges = together_edges(facts, pairs)
    reach = {name: _reach(facts, edges, name) for name in sorted(edges)}
    for pair in pairs:
        if pair.score > -score.INFINITY or pair.dependent == pair.primary:
            continue
        name = _who_needs_both(facts, reach, edges, pair)
        if name is not None:
            where = _explained(edges, name, pair)
            text = f"{pair.constraint}: '{pair.dependent}' may never run with '{pair.primary}', but {where}"
            facts.error("colocation-contradiction", pair.place, text, "drop one of these colocations")


def _who_needs_both(facts: Facts, reach: dict[str, set[str]], edges: dict[str, set[str]], pair: Together) -> str | None:
    """A resource that must run where both of a separated pair run; None when there is none."""
    if pair.role is not None or pair.with_role is not None:
        return pair.dependent if _same_roles(facts, pair) else None
    first = [
        name
        for name in (pair.dependent, pair.primary)
        if {pair.dependent, pair.primary} <= reach.get(name, set()) | {name}
    ]
    if first:
        return first[0]
    return next((name for name in sorted(reach) if {pair.dependent, pair.primary} <= reach[name]), None)


def _same_roles(facts: Facts, pair: Together) -> bool:
    """Whether another constraint requires what this one forbids, for the very same roles."""
    return any(
        other.score >= score.INFINITY
        and {(other.dependent, other.role), (other.primary, other.with_role)}
        == {(pair.dependent, pair.role), (pair.primary, pair.with_role)}
        and other.attribute in ("#uname", pair.attribute)
        for other in colocations(facts)
    )


def _reach(facts: Facts, edges: dict[str, set[str]], start: str) -> set[str]:
    """On whose nodes a resource must run; not through clones, whose instances are elsewhere too."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        at = waiting.pop()
        item: Item | None = facts.items.get(at)
        if item is None or (at != start and item.repeated):
            continue
        for other in edges.get(at, ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _explained(edges: dict[str, set[str]], name: str, pair: Together) -> str:
    ways = [path(edges, name, other) for other in (pair.dependent, pair.primary) if other != name]
    shown = [" with ".join(way) for way in ways if way]
    return f"it must: {' and '.join(shown)}" if shown else "another constraint says that it must"
