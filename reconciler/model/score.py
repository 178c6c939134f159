"""Scores: integers between minus and plus a million, where a million means infinity.

Source: Pacemaker Explained, "Scores".
"""

from __future__ import annotations

from reconciler.model.text import integer

INFINITY = 1_000_000
"""The score that nothing finite outweighs; its negative bans."""

_WORDS = {"INFINITY": INFINITY, "+INFINITY": INFINITY, "-INFINITY": -INFINITY}


def add(left: int, right: int) -> int:
    """Add two scores: minus infinity wins over everything, then infinity, then the sum is clipped."""
    if left <= -INFINITY or right <= -INFINITY:
        return -INFINITY
    if left >= INFINITY or right >= INFINITY:
        return INFINITY
    total = left + right
    return -INFINITY if total < -INFINITY else min(total, INFINITY)


def read(text: str | None, colours: tuple[int, int, int] = (0, 0, 0)) -> int:
    """The score that a text stands for; `colours` are the values of red, yellow and green.

    The words for infinity are case-sensitive and the colours are not; anything else is read as an integer whose
    trailing characters don't count, clipped; a missing or unreadable text is 0.
    """
    if text is None:
        return 0
    if (known := _WORDS.get(text)) is not None:
        return known
    match text.lower():
        case "red":
            return colours[0]
        case "yellow":
            return colours[1]
        case "green":
            return colours[2]
    return max(-INFINITY, min(INFINITY, integer(text, 0)))


def show(score: int) -> str:
    """A score as people read it: `INFINITY`, `-INFINITY` or the number."""
    if score >= INFINITY:
        return "INFINITY"
    return "-INFINITY" if score <= -INFINITY else str(score)
