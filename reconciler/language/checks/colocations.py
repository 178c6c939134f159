"""Colocations that can't hold: loops, and pairs that must be together and must be apart."""

from __future__ import annotations

from reconciler.language.checks.facts import Facts
from reconciler.language.checks.pairs import ColocatedPair, colocations, cycles, path
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


def together_edges(facts: Facts, pairs: list[ColocatedPair]) -> dict[str, set[str]]:
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


def _check_loops(facts: Facts, pairs: list[ColocatedPair]) -> None:
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


def _check_contradictions(facts: Facts, pairs: list[ColocatedPair]) -> None:
    apart = [pair for pair in pairs if pair.score <= -score.INFINITY and pair.dependent != pair.primary]
    if not apart:
        return
    edges = together_edges(facts, pairs)
    followers = _Followers(facts, edges)
    required = {_roles_of(pair) for pair in pairs if pair.score >= score.INFINITY and pair.attribute == "#uname"}
    for pair in apart:
        if pair.role is not None or pair.with_role is not None:
            name = pair.dependent if _roles_of(pair) in required else None
        else:
            name = followers.common(pair.dependent, pair.primary)
        if name is not None:
            where = _explained(edges, name, pair)
            text = f"{pair.constraint}: '{pair.dependent}' may never run with '{pair.primary}', but {where}"
            facts.error("colocation-contradiction", pair.place, text, "drop one of these colocations")


def _roles_of(pair: ColocatedPair) -> frozenset[tuple[str, str | None]]:
    return frozenset({(pair.dependent, pair.role), (pair.primary, pair.with_role)})


class _Followers:
    """Which resources must run where a given one runs; not by way of clones, whose instances are elsewhere too."""

    def __init__(self, facts: Facts, edges: dict[str, set[str]]) -> None:
        self.facts = facts
        self.known: dict[str, set[str]] = {}
        self.reverse: dict[str, set[str]] = {}
        for left, rights in edges.items():
            for right in rights:
                self.reverse.setdefault(right, set()).add(left)

    def common(self, one: str, other: str) -> str | None:
        """A resource that must run with both (it may be one of them); None when there is none."""
        both = self._of(one) & self._of(other)
        return next((name for name in (one, other) if name in both), min(both, default=None))

    def _of(self, name: str) -> set[str]:
        if name not in self.known:
            found = {name}
            waiting = [name]
            while waiting:
                at = waiting.pop()
                for other in self.reverse.get(at, ()):
                    if other not in found:
                        found.add(other)
                        if not self.facts.items[other].repeated:
                            waiting.append(other)
            self.known[name] = found
        return self.known[name]


def _explained(edges: dict[str, set[str]], name: str, pair: ColocatedPair) -> str:
    ways = [path(edges, name, other) for other in (pair.dependent, pair.primary) if other != name]
    shown = [" with ".join(way) for way in ways if way]
    return f"it must: {' and '.join(shown)}" if shown else "another constraint says that it must"
