"""Every interleaving of a small scope: a search through all states that steps can lead to.

It goes breadth first, so that the first fault that it finds has the shortest story.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")

Step = tuple[str, S]
"""What happens, in words, and the state after it."""


@dataclass(frozen=True)
class Explored(Generic[S]):
    """What a search found: how many states there are, and if one is wrong, why, and how it comes to be."""

    states: int
    fault: str | None = None
    story: tuple[str, ...] = ()
    last: S | None = None

    def __str__(self) -> str:
        if self.fault is None:
            return f"{self.states:,} states, none wrong"
        return "\n  ".join([f"{self.fault} (found after {self.states:,} states):", *self.story])


class TooManyStatesError(Exception):
    """The scope is larger than was allowed: nothing can be said about it."""


def explore(
    initial: S,
    steps: Callable[[S], Iterable[Step[S]]],
    fault: Callable[[S], str | None],
    most_states: int = 2_000_000,
    key: Callable[[S], Hashable] = lambda state: state,  # type: ignore[assignment,return-value]
) -> Explored[S]:
    """Go through all states; those with the same key are the same one. The first wrong one ends the search.

    Raises TooManyStatesError rather than stop in the middle.
    """
    before: dict[Hashable, tuple[Hashable, str] | None] = {key(initial): None}
    waiting = deque([(key(initial), initial)])
    while waiting:
        here, state = waiting.popleft()
        if (found := fault(state)) is not None:
            return Explored(len(before), found, _story(before, here), state)
        for what, after in steps(state):
            if (there := key(after)) not in before:
                before[there] = (here, what)
                waiting.append((there, after))
        if len(before) > most_states:
            raise TooManyStatesError(f"more than {most_states:,} states")
    return Explored(len(before))


def _story(before: dict[Hashable, tuple[Hashable, str] | None], here: Hashable) -> tuple[str, ...]:
    told: list[str] = []
    while (link := before[here]) is not None:
        here, what = link
        told.append(what)
    return tuple(reversed(told))
