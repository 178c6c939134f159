"""A model of terms: which rule keeps every acknowledged commit, whatever breaks up when?

Three nodes with a vote each. A view forms of any two or three; it takes a term above all that its members have promised. Each member
promises it durably, adopts the history of the donor, and then all append in one order. Who does not move into the next view stays in the
old one and goes on there with what is still delivered to it: a member learns late, and the last messages of a view reach only some.
A commit is acknowledged once two nodes hold it durably; a later view that installs a history without it has lost it.

`python3 terms.py` prints what each rule comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from exploring import Explored, Step, explore

NODES = (0, 1, 2)
MAJORITY = 2


@dataclass(frozen=True)
class Rules:
    """One design, and how much may happen under it."""

    compare_by: str = "decided"
    """What histories are compared by before their length: `decided`, the term of the last installation; `promised`; or `length` alone."""
    adopt_after_all_promised: bool = True
    """Whether a member waits with adopting until every member of the view has promised durably."""
    promise_is_durable: bool = True
    """Whether a promise is on disk before it is told."""
    blank_counts: bool = False
    """Whether a member whose disk was replaced counts for quorum before an installation that is quorate without it."""
    promise_before_hello: bool = False
    """The fast path: members promise one more before they say hello, and equal ones need no second round."""
    minority_advances: bool = False
    """Whether what is delivered without quorum counts in the length by which histories are compared."""
    sizes: tuple[int, ...] = (2, 3)
    """How many members a view has."""
    views: int = 3
    commits: int = 2
    replacements: int = 0
    minorities: int = 0


class Node(NamedTuple):
    """What is on the disk of a node, and where it takes part: `view` is the number of its view, `adopted` says that it has installed it."""

    promised: int = 0
    decided: int = 0
    history: tuple[int, ...] = ()
    beside: int = 0  # Messages that were delivered without quorum, since the last installation.
    blank: bool = False
    view: int | None = None
    adopted: bool = False


class View(NamedTuple):
    """A view somebody is in: the history that it goes on from, who is known to have promised, and what was sent in it."""

    number: int
    members: tuple[int, ...]
    term: int
    history: tuple[int, ...]
    promised: frozenset[int]
    log: tuple[int, ...] = ()


class State(NamedTuple):
    nodes: tuple[Node, Node, Node] = (Node(), Node(), Node())
    views: tuple[View, ...] = ()
    formed: int = 0
    sent: int = 0
    replaced: int = 0
    alone: int = 0
    acknowledged: frozenset[tuple[int, int]] = frozenset()  # Each commit with the term in which it was.
    lost: frozenset[int] = frozenset()  # By the installation that led here.


def search(rules: Rules) -> Explored[State]:
    """All that can happen under the rules."""
    return explore(State(), lambda state: _steps(rules, state), _fault)


def _fault(state: State) -> str | None:
    if state.lost:
        return f"an acknowledged commit is lost: {set(state.lost)}"
    for one, other in combinations(state.nodes, 2):
        if one.decided == other.decided and not (one.blank or other.blank):
            shorter, longer = sorted((one.history, other.history), key=len)
            if longer[: len(shorter)] != shorter:
                return f"two histories of term {one.decided}: {one.history} and {other.history}"
    if any(node.decided > node.promised for node in state.nodes):
        return "a node has decided in a term that it has not promised"
    return None


def _steps(rules: Rules, state: State) -> Iterator[Step[State]]:
    for size in rules.sizes:
        for members in combinations(NODES, size):
            yield from _form(rules, state, members)
    for number in NODES:
        yield from _advance(rules, state, number)
        yield from _replace_disk(rules, state, number)
        yield from _be_alone(rules, state, number)
    for view in state.views:
        yield from _send(rules, state, view)


def _form(rules: Rules, state: State, members: tuple[int, ...]) -> Iterator[Step[State]]:
    """The members leave where they were, and have told each other what they hold.

    All nodes are alike at first, so the first view needs no choice among views of one size.
    """
    if state.formed == rules.views or (not state.formed and members not in ((0, 1), (0, 1, 2))):
        return
    if sum(rules.blank_counts or not state.nodes[one].blank for one in members) < MAJORITY:
        return
    nodes = list(state.nodes)
    for one in members:
        promised = nodes[one].promised + rules.promise_before_hello
        nodes[one] = nodes[one]._replace(view=state.formed, adopted=False, promised=promised)
    donor = nodes[max(members, key=lambda one: (_rank(rules, nodes[one]), -one))]
    highest = max(nodes[one].promised for one in members)
    if rules.promise_before_hello and all(_same(nodes[one], donor) for one in members):
        view = View(state.formed, members, highest, donor.history, frozenset(members))
    else:
        view = View(state.formed, members, 1 + highest, donor.history, frozenset())
    text = f"view of {members}: term {view.term}, history {view.history}"
    yield text, _tidy(rules, state._replace(nodes=_three(nodes), views=(*state.views, view), formed=state.formed + 1))


def _rank(rules: Rules, node: Node) -> tuple[int, int]:
    length = len(node.history) + (node.beside if rules.minority_advances else 0)
    match rules.compare_by:
        case "decided":
            return node.decided, length
        case "promised":
            return node.promised, length
    return 0, length


def _same(node: Node, donor: Node) -> bool:
    """Whether a member says what the donor says: nothing has to travel, and no other term."""
    return (node.promised, node.decided, node.history, node.blank) == (
        donor.promised,
        donor.decided,
        donor.history,
        donor.blank,
    )


def _advance(rules: Rules, state: State, number: int) -> Iterator[Step[State]]:
    """A member of a view promises, adopts, or makes the next delivery durable."""
    node = state.nodes[number]
    view = next((view for view in state.views if view.number == node.view), None)
    if view is None:
        return
    if number not in view.promised:
        told = state._replace(views=_swap(state.views, view, view._replace(promised=view.promised | {number})))
        yield f"{number} promises {view.term}", _with(told, number, node._replace(promised=view.term))
        if not rules.promise_is_durable:
            yield f"{number} says that it promises {view.term}, and forgets it", told
    may_adopt = len(view.promised) == len(view.members) if rules.adopt_after_all_promised else number in view.promised
    if may_adopt and not node.adopted:
        promised = max(node.promised, view.term)
        adopted = Node(promised, view.term, view.history, view=node.view, adopted=True)
        known = {*view.history, *view.log}
        lost = frozenset(one for one, term in state.acknowledged if term < view.term and one not in known)
        yield f"{number} adopts {view.history}", _with(state, number, adopted)._replace(lost=lost)
    place = len(node.history) - len(view.history)
    if node.adopted and place < len(view.log):
        commit = view.log[place]
        yield f"{number} holds commit {commit}", _hold(state, number, commit)


def _hold(state: State, number: int, commit: int) -> State:
    node = state.nodes[number]
    after = _with(state, number, node._replace(history=(*node.history, commit)))
    if sum(commit in one.history for one in after.nodes) >= MAJORITY:
        return after._replace(acknowledged=after.acknowledged | {(commit, node.decided)})
    return after


def _send(rules: Rules, state: State, view: View) -> Iterator[Step[State]]:
    if state.sent == rules.commits or not any(node.adopted and node.view == view.number for node in state.nodes):
        return
    after = view._replace(log=(*view.log, state.sent))
    text = f"commit {state.sent} is sent in view {view.members}"
    yield text, state._replace(views=_swap(state.views, view, after), sent=state.sent + 1)


def _replace_disk(rules: Rules, state: State, number: int) -> Iterator[Step[State]]:
    if state.replaced < rules.replacements:
        after = _tidy(rules, _with(state, number, Node(blank=True)))
        yield f"the disk of {number} is replaced", after._replace(replaced=state.replaced + 1)


def _be_alone(rules: Rules, state: State, number: int) -> Iterator[Step[State]]:
    """A member is cut off, and what concerns itself alone goes on without quorum."""
    node = state.nodes[number]
    if state.alone < rules.minorities and node.decided:
        after = node._replace(view=None, adopted=False, beside=node.beside + 1)
        yield (
            f"{number} is alone, and something happens to it",
            _tidy(rules, _with(state, number, after))._replace(alone=state.alone + 1),
        )


def _with(state: State, number: int, node: Node) -> State:
    nodes = list(state.nodes)
    nodes[number] = node
    return state._replace(nodes=_three(nodes), lost=frozenset())


def _three(nodes: list[Node]) -> tuple[Node, Node, Node]:
    one, two, three = nodes
    return one, two, three


def _swap(views: tuple[View, ...], old: View, new: View) -> tuple[View, ...]:
    return tuple(new if view is old else view for view in views)


def _tidy(rules: Rules, state: State) -> State:
    """A view that nobody is in is over, and so is one that nobody can install any more.

    What who stays there could still do is promise; that is the same as if it had done so before the others left.
    """
    there = {(node.view, number) for number, node in enumerate(state.nodes)}
    kept = [view for view in state.views if any((view.number, one) in there for one in view.members)]
    if rules.adopt_after_all_promised:
        kept = [
            view for view in kept if all(one in view.promised or (view.number, one) in there for one in view.members)
        ]
    numbers = {view.number for view in kept}
    nodes = [node if node.view in numbers or node.view is None else node._replace(view=None) for node in state.nodes]
    return state._replace(nodes=_three(nodes), views=tuple(kept), lost=frozenset())


SOUND: dict[str, Rules] = {
    "the rule of the design": Rules(commits=1),
    "with two commits": Rules(views=2),
    "with a disk that is replaced": Rules(views=2, commits=1, replacements=1),
    "with the fast path": Rules(commits=1, promise_before_hello=True),
    "with a minority that goes on": Rules(views=2, commits=1, minorities=1),
}
"""What must lose nothing."""

BROKEN: dict[str, Rules] = {
    "histories are compared by the promise": Rules(commits=1, compare_by="promised"),
    "a history is adopted before all have promised": Rules(commits=1, sizes=(2,), adopt_after_all_promised=False),
    "a promise is told before it is durable": Rules(commits=1, sizes=(2,), promise_is_durable=False),
    "a blank member counts for quorum": Rules(views=2, commits=1, replacements=1, blank_counts=True),
    "what happens without quorum counts in the history": Rules(
        views=2, commits=1, minorities=1, minority_advances=True
    ),
}
"""What must be found out."""

LARGER: dict[str, Rules] = {
    "three views, two commits": Rules(),
    "four views": Rules(views=4, commits=1),
    "a disk that is replaced, three views": Rules(commits=1, replacements=1),
    "the fast path, two commits": Rules(promise_before_hello=True),
    "a minority that goes on, three views": Rules(commits=1, minorities=1),
    "the fast path, a replaced disk and a minority": Rules(
        commits=1, promise_before_hello=True, replacements=1, minorities=1
    ),
}
"""Sound ones in a scope that takes minutes."""


def main() -> None:
    for name, rules in (SOUND | BROKEN | LARGER).items():
        print(f"{name}: {search(rules)}")


if __name__ == "__main__":
    main()
