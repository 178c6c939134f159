"""A model of counting on watchdogs: which rules keep a node from being taken for reset while it is not, however time and views go?

Three nodes with a vote each, in ticks of time: a target that may run something, and two others. Everybody is in one view at a time; two
are a majority. The target's fabric, or all of it, may stand still. What it sends in a view is answered by those in the same one, and it
feeds its device as long as somebody has answered something that it sent no longer than `FRESH` ago. An executor waits `WAIT` from an
order, and then until the other one has heard it since. Views are installed by each member on its own, so one may be left behind.

`python3 watchdogs.py` prints what each rule comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exploring import Explored, Step, explore

FRESH = 1
"""How long the target feeds its device after it has sent what was answered last."""
TIMEOUT = 1
"""How long after that the device fires."""
TARGET, EXECUTOR, OTHER = 0, 1, 2


@dataclass(frozen=True)
class Rules:
    """One design, and how much may happen under it."""

    answers_feed: bool = True
    """Whether what feeds is that somebody has answered; else that the target believes to be in a view."""
    heard_at_the_end: bool = True
    """Whether the executor has to be heard once its time is over."""
    void_in_the_next_view: bool = True
    """Whether an order is void in a view that comes after; else it is waited on."""
    wait: int = FRESH + TIMEOUT + 1
    """How long the executor waits."""
    views: int = 4
    ticks: int = 7


class State(NamedTuple):
    """`at` is the view that each is in, by its number; `members` who was announced in each view."""

    tick: int = 0
    at: tuple[int, int, int] = (0, 0, 0)
    members: tuple[frozenset[int], ...] = (frozenset({TARGET, EXECUTOR, OTHER}),)
    answered: int = 0  # When the target sent what was answered last.
    fed: int = 0
    alive: bool = True
    due: int | None = None  # When the executor's wait is over.
    heard: int = 0  # When the executor sent what the other one has heard last.
    down: bool = False


def search(rules: Rules) -> Explored[State]:
    """All that can happen under the rules."""
    return explore(State(), lambda state: _steps(rules, state), _fault)


def _fault(state: State) -> str | None:
    return "the target counts as reset, and lives" if state.down and state.alive else None


def _steps(rules: Rules, state: State) -> Iterator[Step[State]]:
    if state.down:
        return
    if state.tick < rules.ticks:
        yield "time passes", _pass(rules, state)
    if len(state.members) < rules.views:
        for members in ({EXECUTOR, OTHER}, {TARGET, OTHER}, {TARGET, EXECUTOR, OTHER}):
            yield from _announce(rules, state, frozenset(members))
    yield from _hear(state)
    yield from _wait(rules, state)


def _pass(rules: Rules, state: State) -> State:
    """A tick: the target feeds its device if it may, and that fires if it was not fed for too long."""
    if not state.alive:
        return state._replace(tick=state.tick + 1)
    tick, view = state.tick + 1, state.members[state.at[TARGET]]
    fresh = tick - state.answered <= FRESH if rules.answers_feed else True
    if len(view) > 1 and fresh:
        return state._replace(tick=tick, fed=tick)
    return state._replace(tick=tick, alive=tick - state.fed <= TIMEOUT)


def _announce(rules: Rules, state: State, members: frozenset[int]) -> Iterator[Step[State]]:
    """A majority goes into another view: all of those who are alive, though who is left behind is told of nothing.

    Who is in it has been heard by all of it, and what was waited for before is void, unless the rule is broken.
    """
    if TARGET in members and not state.alive:
        return
    number = len(state.members)
    moved = tuple(number if node in members else view for node, view in enumerate(state.at))
    after = state._replace(at=(moved[0], moved[1], moved[2]), members=(*state.members, members))
    if TARGET in members:
        after = after._replace(answered=state.tick)
    if EXECUTOR in members:
        after = after._replace(heard=state.tick, due=None if rules.void_in_the_next_view else state.due)
    yield f"{sorted(members)} are in a view", after


def _hear(state: State) -> Iterator[Step[State]]:
    """Who is in one view hears what is sent there, at once or (where nothing is heard) never."""
    target, executor, other = state.at
    if state.alive and target in (executor, other) and state.answered < state.tick:
        yield "the target is answered", state._replace(answered=state.tick)
    if executor == other and state.heard < state.tick:
        yield "the executor is heard", state._replace(heard=state.tick)


def _wait(rules: Rules, state: State) -> Iterator[Step[State]]:
    """The executor hears an order in a view without the target, and tells the end once it is certain."""
    view = state.members[state.at[EXECUTOR]]
    if state.due is None and TARGET not in view and state.at[EXECUTOR] == state.at[OTHER]:
        yield "it is ordered to wait", state._replace(due=state.tick + rules.wait)
    if state.due is not None and state.tick >= state.due and (state.heard >= state.due or not rules.heard_at_the_end):
        yield "the target counts as reset", state._replace(down=True)


SOUND: dict[str, Rules] = {"the rule of the design": Rules(), "one view more": Rules(views=5, ticks=6)}
"""What must keep every rule."""

BROKEN: dict[str, Rules] = {
    "fed for its own belief": Rules(answers_feed=False),
    "the executor is not heard at the end": Rules(heard_at_the_end=False),
    "a wait goes on in the next view": Rules(void_in_the_next_view=False),
    "waited for less than it takes": Rules(wait=FRESH + TIMEOUT - 1),
}
"""What must be found out."""


def main() -> None:
    for name, rules in (SOUND | BROKEN).items():
        print(f"{name}: {search(rules)}")


if __name__ == "__main__":
    main()
