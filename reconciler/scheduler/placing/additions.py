"""What a row of additions does to a score, whatever the score is: worked out once, for as many rows as come to the same."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.model.score import INFINITY

UNCHECKED = -2 * INFINITY
"""Below every score: nothing was asked on the way."""

LOST = 3 * INFINITY
"""Above every score: no score lasts."""


class Additions(NamedTuple):
    """What a row of additions does to a score: minus infinity up to `low`, infinity from `high` on, between them `shift` more.

    Infinities absorb, and each addition keeps the order of scores, so this is all that a row of them can do. A score of at least `alive`
    was at least zero whenever that was asked.
    """

    shift: int
    low: int
    high: int
    alive: int

    def of(self, score: int) -> int:
        """The score afterwards."""
        if score <= self.low:
            return -INFINITY
        return INFINITY if score >= self.high else score + self.shift

    def reaching(self, wanted: int) -> int:
        """The least score that becomes at least `wanted`; `LOST` when none does."""
        if wanted <= -INFINITY:
            return UNCHECKED
        if wanted > INFINITY or self.low >= INFINITY:
            return LOST
        return min(self.high, max(wanted - self.shift, self.low + 1))

    def then(self, other: Additions) -> Additions:
        """First this, then the other."""
        alive = max(self.alive, self.reaching(other.alive))
        if other.low >= INFINITY or self.low >= INFINITY:
            return Additions(0, INFINITY, LOST, alive)
        low = max(self.low, min(other.low - self.shift, self.high - 1))
        high = min(self.high, max(other.high - self.shift, self.low + 1))
        return Additions(self.shift + other.shift, low, high, alive)

    def asked(self) -> Additions:
        """The same, with the question whether the score is at least zero."""
        return self._replace(alive=max(self.alive, self.reaching(0)))


NOTHING = Additions(0, -INFINITY, INFINITY, UNCHECKED)


def addition(score: int) -> Additions:
    """The effect of adding a score, as `model.score.add` does."""
    if score <= -INFINITY:
        return Additions(0, INFINITY, LOST, UNCHECKED)
    if score >= INFINITY:
        return Additions(0, -INFINITY, 1 - INFINITY, UNCHECKED)
    return Additions(score, max(-INFINITY, -INFINITY - score), min(INFINITY, INFINITY - score), UNCHECKED)
