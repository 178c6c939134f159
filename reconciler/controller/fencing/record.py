"""What the members share about the fencing of each target: it survives every change of the DC."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from reconciler.controller.fencing.topology import FenceStep
from reconciler.frozen import field, frozen

MOST_HISTORY = 200
LONGEST_REASON = 500


class FenceCause(enum.Enum):
    """Why a target is to be fenced."""

    LOST = "lost"
    """It left otherwise than cleanly: when it is back before it was fenced, its own report says what runs."""
    FAILED = "failed"
    """Something on it went wrong that only its end mends: being there is no cure."""
    ASKED = "asked"
    """An operator wants it."""
    UNFENCE = "unfence"
    """It is to be given its way to the resources (the action `on`) before anything runs on it."""


@frozen
class FenceProgress:
    """How far the tries have come: which level, which of its steps, how often that was tried, and how often all levels failed."""

    level: int = 0
    step: int = 0
    tries: int = 0
    rounds: int = 0


@frozen
class Wanted:
    """The target is to be fenced in the life that `boot` names; `why` of an operator's demand is who it is."""

    target: str
    boot: str
    cause: FenceCause
    action: str
    why: str
    since_ms: int
    place: FenceProgress = FenceProgress()
    not_before_ms: int = 0

    @property
    def reason(self) -> str:
        """Why it is to be fenced, for people."""
        return f"{self.why} asked for it" if self.cause is FenceCause.ASKED else self.why


@frozen
class FenceOrder:
    """One call of a fence agent: step `place.step` of `steps`. It is told by (term, target, number), and counts only for this boot.

    `last_level` says that after this level all have been tried; `tries` how often a step of it is tried. The executor waits for
    `delay_ms` and at most to `delay_most_ms` before it calls; then the agent has `timeout_ms`.
    """

    term: int
    target: str
    number: int
    boot: str
    place: FenceProgress
    steps: tuple[FenceStep, ...]
    tries: int
    last_level: bool
    executor: str
    incarnation: str
    timeout_ms: int
    delay_ms: int = 0
    delay_most_ms: int = 0

    @property
    def step(self) -> FenceStep:
        """What is to be done."""
        return self.steps[self.place.step]

    @property
    def id(self) -> tuple[int, str, int]:
        """What no other order shares."""
        return self.term, self.target, self.number


@frozen
class Ordered:
    """An order is given; whether the agent was called, its executor knows."""

    wanted: Wanted
    order: FenceOrder


@frozen
class Down:
    """The target is down: fenced by `by`, or confirmed by an operator. `boot` is the life that ended."""

    target: str
    boot: str
    by: str
    at_ms: int


Record = Wanted | Ordered | Down


@frozen
class HistoryLine:
    """One try that ended, a confirmation, or a return."""

    target: str
    what: str
    device: str
    by: str
    at_ms: int
    succeeded: bool
    why: str = ""


@frozen
class Fencing:
    """The records by target (none: it is clean), and what was done, newest last.

    `numbers` counts the orders that were ever given for a target, so that no two have the same id, whatever became of it in between.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    history: tuple[HistoryLine, ...] = ()

    @property
    def fenced(self) -> dict[str, str]:
        """By target that is down: the life in which it may not come back."""
        return {name: record.boot for name, record in sorted(self.records.items()) if isinstance(record, Down)}

    def is_down(self, target: str) -> bool:
        """Whether nothing of the target runs, because it was fenced or an operator said so."""
        return isinstance(self.records.get(target), Down)

    def is_to_be_unfenced(self, target: str) -> bool:
        """Whether the target is to be given its way to the resources."""
        record = self.records.get(target)
        return isinstance(record, Wanted) and record.cause is FenceCause.UNFENCE

    def is_being_unfenced(self, target: str) -> bool:
        """Whether the target is to be given its way, or that is under way."""
        record = self.records.get(target)
        wanted = record.wanted if isinstance(record, Ordered) else record
        return isinstance(wanted, Wanted) and wanted.cause is FenceCause.UNFENCE

    def is_open(self, target: str) -> bool:
        """Whether the target is still to be fenced."""
        return isinstance(self.records.get(target), Wanted | Ordered)
