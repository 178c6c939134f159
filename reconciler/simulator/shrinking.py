"""A failure made small: faults are left out as long as the same rule breaks, until each one that is left is needed."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.frozen import replace
from reconciler.simulator.faults import Fault
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import Scenario, Verdict


def shrink(verdict: Verdict, most_lives: int = 300, live: Callable[[Scenario], Verdict] | None = None) -> Verdict:
    """A life with the fewest faults that breaks the same rule; whole runs of faults are left out first, then single ones.

    `most_lives` bounds how many are tried. `live` is how a scenario is lived through.
    """
    run = live or (lambda scenario: Life(scenario).live())
    best, tried = verdict, 0
    width = max(1, len(best.scenario.faults) // 2)
    while tried < most_lives:
        smaller = None
        for start in range(0, len(best.scenario.faults), width):
            tried += 1
            found = run(replace(best.scenario, faults=_without(best.scenario.faults, start, width)))
            if _same(found, best):
                smaller = found
                break
            if tried >= most_lives:
                break
        if smaller is not None:
            best = smaller
        elif width == 1:
            break
        else:
            width = max(1, width // 2)
    return best


def _without(faults: tuple[Fault, ...], start: int, width: int) -> tuple[Fault, ...]:
    return faults[:start] + faults[start + width :]


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether both break the same rule, whatever names and numbers are in it."""
    return one.broken is not None and _rule(one) == _rule(other)


def _rule(verdict: Verdict) -> str:
    words = (verdict.broken or "").split(":")[0].split()
    return " ".join(word for word in words if not any(letter.isdigit() for letter in word) and len(word) > 1)
