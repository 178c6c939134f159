"""Why a resource is, or is not, where it is: the chain of reasons, the scores term by term, and what would change the answer.

Everything is read from the decisions of a plan. Edits are found from the reasons, and each is tried: only those after which
the scheduler answers otherwise are offered.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reconciler.analysis.causes import words
from reconciler.analysis.chain import DecidedState, Link, chain, held_stop, without_name
from reconciler.analysis.edits import Edit, both
from reconciler.analysis.placement_reasons import lacks, node_obstacle, obstacle, runs
from reconciler.analysis.remedies import remedies
from reconciler.cib import Cib
from reconciler.cib.departing import names_departing
from reconciler.errors import Place, ReconcilerError
from reconciler.frozen import frozen
from reconciler.language.text.nearest import nearest
from reconciler.model.date import Instant
from reconciler.model.operation import OperationStatus
from reconciler.model.score import INFINITY
from reconciler.model.status import HistoryEntry
from reconciler.model.text import integer
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions
from reconciler.scheduler.roles import Role

MOST_TRIES = 24
"""How many edits are tried at most."""


class UnknownResource(ReconcilerError):
    """There is no such resource, or node, to explain."""

    code = "unknown-resource"


@frozen
class Term:
    """What one cause contributes to a node's score; `replaced` means that it set the score."""

    score: int
    text: str
    place: Place | None
    replaced: bool = False


@frozen
class NodeScore:
    """How a node stands for the resource: its score (None: no candidate), what keeps it from being used, and the terms."""

    node: str
    score: int | None
    obstacle: str | None
    terms: tuple[Term, ...]
    lacks: str | None = None


@frozen
class Explanation:
    """The answer for one primitive instance."""

    resource: str
    headline: str
    chain: tuple[Link, ...]
    nodes: tuple[NodeScore, ...]
    edits: tuple[Edit, ...]


def explain(cib: Cib, now: Instant, name: str, on: str | None = None) -> tuple[Explanation, ...]:
    """An answer for each primitive that the name stands for, in order; `on` asks about one node.

    Raises `UnknownResource` when there is no such resource or node.
    """
    state = DecidedState.of(cib, now)
    found = _named(state.made, name)
    if not found:
        raise UnknownResource(
            f"there is no resource {name!r}{_near(name, [one.config_id for one in state.made.resources])}"
        )
    node = None if on is None else state.made.node(on)
    if on is not None and node is None:
        raise UnknownResource(f"there is no node {on!r}{_near(on, [one.name for one in state.made.nodes])}")
    return tuple(_answer(state, leaf, node) for leaf in found)


def _near(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near is not None else ""


def _named(made: Decisions, name: str) -> list[Decision]:
    tops = [top for top in made.tops if name in (top.id, top.config_id)]
    if tops:
        return [leaf for top in tops for leaf in made.leaves(top) if not leaf.internal]
    inner = [
        one for one in made.resources if one.owner is not None and name in (one.id, one.config_id, one.history_name)
    ]
    return [leaf for one in inner for leaf in made.leaves(one)]


def _answer(state: DecidedState, leaf: Decision, on: DecidedNode | None) -> Explanation:
    links = tuple(chain(state, leaf, on, frozenset()))
    wanted = _Wanted(leaf.id, leaf.config_id, on.name if on is not None else None)
    edits: tuple[Edit, ...] = ()
    if not wanted.fulfilled(state.made):
        edits = tuple(_working_edits(state, leaf, on, wanted))
    elif (left := _leaving(state.made, leaf)) is not None:
        stays = _Wanted(leaf.id, leaf.config_id, left.name)
        edits = tuple(_working_edits(state, leaf, left, stays))
    elif on is None and _lacks_promotion(state.made, leaf):
        edits = tuple(_working_edits(state, leaf, None, _Wanted(leaf.id, leaf.config_id, leaf.node, promoted=True)))
    return Explanation(
        leaf.id,
        _headline(leaf, on, _starting(state.cib, leaf), held=held_stop(state, leaf) is not None),
        links,
        _scores(state, leaf),
        edits,
    )


def _leaving(made: Decisions, leaf: Decision) -> DecidedNode | None:
    """The node that a running resource is to leave for another one."""
    if not leaf.active_on or leaf.node is None or leaf.node in leaf.active_on:
        return None
    return made.node(leaf.active_on[0])


def _lacks_promotion(made: Decisions, leaf: Decision) -> bool:
    """Whether an instance is to be demoted, or could be promoted where none is."""
    limits = made.root(leaf).limits
    if limits is None or not limits.promotable or not limits.promoted_max or leaf.next_role is Role.PROMOTED:
        return False
    others = (one for one in made.leaves(made.root(leaf)) if one.config_id == leaf.config_id)
    return leaf.role is Role.PROMOTED or not any(one.next_role is Role.PROMOTED for one in others)


@frozen
class _Wanted:
    """What an edit has to bring about: the resource runs (on the node, if one was asked about), and is promoted if that was asked."""

    resource: str
    config_id: str
    node: str | None
    promoted: bool = False

    def fulfilled(self, made: Decisions) -> bool:
        found = [leaf for leaf in _named(made, self.config_id) if leaf.id == self.resource or self.node is not None]
        return any(self._is_met(leaf) for leaf in found)

    def _is_met(self, leaf: Decision) -> bool:
        in_role = leaf.next_role is Role.PROMOTED or not self.promoted
        return runs(leaf) and in_role and self.node in (None, leaf.node)


def _headline(leaf: Decision, on: DecidedNode | None, starting: str | None, *, held: bool) -> str:
    if starting is not None:
        return f"{leaf.id} is being started on {starting}"
    now = _now(leaf)
    if not leaf.managed:
        return f"{leaf.id} {now} and stays so: nothing may be done to it"
    if held:
        return f"{leaf.id} {now} and stays so: it can't be stopped"
    if not runs(leaf):
        return f"{leaf.id} {now} and {'stays stopped' if not leaf.active_on else 'will be stopped'}"
    if leaf.active_on == (leaf.node,):
        then = f"{_change(leaf)} there"
    else:
        then = f"is to be promoted on {leaf.node}" if leaf.next_role is Role.PROMOTED else f"is to run on {leaf.node}"
    return f"{leaf.id} {now}, and {then}" + (f", not on {on.name}" if on is not None and on.name != leaf.node else "")


def _starting(cib: Cib, leaf: Decision) -> str | None:
    """The node on which its start has begun and has not ended."""
    names = {leaf.id, leaf.config_id, leaf.history_name}
    for state in cib.status.nodes:
        for history in state.history:
            pending = (one for one in history.entries if one.result.task == "start" and _is_pending(one))
            if history.id in names and any(pending):
                return state.name
    return None


def _is_pending(entry: HistoryEntry) -> bool:
    return integer(entry.attributes.get("op-status"), 0) == OperationStatus.PENDING


def _now(leaf: Decision) -> str:
    where = ", ".join(leaf.active_on)
    if not where:
        return "is stopped"
    return f"is promoted on {where}" if leaf.role is Role.PROMOTED else f"runs on {where}"


def _change(leaf: Decision) -> str:
    """What happens to a primitive that stays on its node."""
    if leaf.starts:
        return "will be restarted"
    if leaf.next_role is Role.PROMOTED and leaf.role is not Role.PROMOTED:
        return "will be promoted"
    return "will be demoted" if leaf.role is Role.PROMOTED and leaf.next_role is not Role.PROMOTED else "stays"


def _scores(state: DecidedState, leaf: Decision) -> tuple[NodeScore, ...]:
    found = []
    unusable = {node.name for node in state.made.nodes if node_obstacle(node) is not None}
    for node in state.made.nodes:
        terms = tuple(
            Term(term.score, words(term.cause), state.place(term.cause), term.replaced)
            for term in leaf.contributions[node.name]
            if term.score or term.replaced
        )
        lacking = lacks(leaf, node) if leaf.node is not None and node.name != leaf.node else None
        found.append(NodeScore(node.name, leaf.scores.get(node.name), _keeps(leaf, node), terms, lacking))
    return tuple(
        sorted(found, key=lambda one: (one.node in unusable, -(one.score if one.score is not None else -INFINITY - 1)))
    )


def _keeps(leaf: Decision, node: DecidedNode) -> str | None:
    """What keeps a node from running it; None for the node that it has, and for those that are only less good."""
    if (state := node_obstacle(node)) is not None:
        return state
    if (node.name == leaf.node and leaf.managed) or leaf.scores.get(node.name, 0) >= 0:
        return None
    return without_name(obstacle(leaf, node).text, node)


def _working_edits(state: DecidedState, leaf: Decision, on: DecidedNode | None, wanted: _Wanted) -> Iterator[Edit]:
    """Edits after which the scheduler answers as wanted, the smallest first; pairs only where no single one is enough."""
    if leaf.config_id in names_departing(state.cib.configuration):
        return  # It is to be configured again, which no small edit does.
    proposed = remedies(state.cib.configuration, state.made, state.failures, leaf, on)
    candidates = sorted(proposed, key=lambda edit: edit.weight)
    tried = 0
    found = False
    for edit in candidates[:MOST_TRIES]:
        tried += 1
        if _works(state, edit, wanted):
            found = True
            yield edit
    if found:
        return
    for first, second in itertools.combinations(candidates[:MOST_TRIES], 2):
        if tried >= 3 * MOST_TRIES:
            return
        tried += 1
        pair = both(first, second)
        if _works(state, pair, wanted):
            yield pair
            return


def _works(state: DecidedState, edit: Edit, wanted: _Wanted) -> bool:
    return wanted.fulfilled(DecidedState.of(edit.apply(state.cib), state.now).made)
