"""The node table of a resource: which nodes are candidates, and with which score.

Every resource has its own, at every level. A node missing from the table is no candidate.
Source: the scheduler's specification, part 2, sections 1.1, 4 and appendix A.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.score import add

ALWAYS, NEVER, EXCLUSIVE = 0, 1, 2
"""Discovery modes, in the order in which the greater one wins."""


class NodeTable:
    """Scores by node index; the order of insertion is kept, because a few outcomes depend on it.

    `modes` holds only the entries whose discovery mode is not `ALWAYS`. `copies` tells how often the table was copied on its way here
    when it had so many entries: pairs of (entries, times), which the order of a hash table depends on.
    """

    __slots__ = ("copies", "modes", "scores")

    def __init__(self) -> None:
        self.scores: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        self.copies: tuple[tuple[int, int], ...] = ()

    def __contains__(self, index: int) -> bool:
        return index in self.scores

    def __iter__(self) -> Iterator[int]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def copy(self) -> NodeTable:
        """A table of its own with the same entries."""
        other = NodeTable()
        other.scores = self.scores.copy()
        if self.modes:
            other.modes = self.modes.copy()
        size = len(self.scores)
        if self.copies and self.copies[-1][0] == size:
            other.copies = (*self.copies[:-1], (size, self.copies[-1][1] + 1))
        else:
            other.copies = (*self.copies, (size, 1))
        return other

    def get(self, index: int) -> int | None:
        """The node's score, None when it is no candidate."""
        return self.scores.get(index)

    def add(self, index: int, score: int, initial: int = 0) -> None:
        """Add to the node's score; a missing entry is made first, with `initial` (usually the node's base score)."""
        scores = self.scores
        scores[index] = add(scores.get(index, initial), score)

    def set(self, index: int, score: int) -> None:
        """Replace the node's score, making the entry when it is missing."""
        self.scores[index] = score

    def raise_mode(self, index: int, mode: int) -> None:
        """Keep the greatest discovery mode seen for the node."""
        if mode > self.modes.get(index, ALWAYS):
            self.modes[index] = mode

    def mode(self, index: int) -> int:
        """The node's discovery mode."""
        return self.modes.get(index, ALWAYS)
