"""What becomes of an event that could not be handled, for a fault of this program: the rule of what is given up, and what goes on.

All that a failed step wished for is lost, and what it changed may be there by half.

1. A message of the group, a view, or the disk's answer to one: this member may hold another state than the others by now. It gives its
   place up and joins anew, with what they hold; a node alone agrees on its view anew (`Entering.unhandled`). Who did so within the last
   minute goes on. What the state has of the message that the journal has not is written down as a new generation.
2. Whatever was lost, care for what runs goes on (`Executor.mend`): agents that were to be called are called, an agent's end counts by its
   code, what recurs is due again.
3. A timer comes again, and so does the decision of the DC, after a pause: what is tried again and again for nothing is told each time.
4. What sources, operators, packs and judges brought is lost: sources say again what they have, a proposal without an answer ends by its
   deadline, an operator sees that nothing came of it.

Each fault is told as an event, in the log, and as a warning in the status.
"""

from __future__ import annotations

from reconciler.controller.coordinator import RETRY
from reconciler.controller.cut_off import CutOff
from reconciler.controller.entering import Entering
from reconciler.controller.events import (
    Delivered,
    Durable,
    Event,
    Finished,
    NotDurable,
    NotWritten,
    Quiet,
    SetTimer,
    TimerFired,
    Unhandled,
    ViewChanged,
    Wish,
)
from reconciler.controller.moment import Moment
from reconciler.controller.parts import Parts
from reconciler.frozen import replace

_OF_THE_GROUP = (Delivered, ViewChanged, NotWritten, Durable, NotDurable)
"""Events with which a message of the group, or a view, takes effect."""
_AGAIN_MS = 5_000


class Faults:
    """Carries on after a step that failed."""

    def __init__(self, parts: Parts, entering: Entering, cut_off: CutOff) -> None:
        self.parts = parts
        self._entering = entering
        self._cut_off = cut_off

    def met(self, fault: Unhandled) -> list[Wish]:
        """An event could not be handled."""
        event, now = fault.event, fault.now
        wishes = self._of_the_group(fault) if isinstance(event, _OF_THE_GROUP) else []
        return wishes + self._carry_on(event, now) + self._again(event, now)

    def _of_the_group(self, fault: Unhandled) -> list[Wish]:
        kept = [] if self.parts.keeper.holding else self.parts.generation()
        return kept + self._entering.unhandled(fault.reason, fault.now)

    def _carry_on(self, event: Event, now: Moment) -> list[Wish]:
        executor = self.parts.executor
        if not isinstance(event, Finished):
            return executor.mend(now)
        reason = "a fault of the program: what else the agent said is lost"
        plain = replace(event.result, output="", attributes={}, exit_reason=event.result.exit_reason or reason)
        wishes = executor.mend(now, (event.token, plain))
        self.parts.outbox.told(wishes)
        return wishes + self._cut_off.ended(now) + self._entering.join_if_ready()

    def _again(self, event: Event, now: Moment) -> list[Wish]:
        """What time brings comes once more; of timers that nobody waits for any more nothing follows."""
        match event:
            case TimerFired(_, name):
                return [SetTimer(name, now.mono_ms + _AGAIN_MS)]
            case Quiet():
                return [SetTimer(RETRY, now.mono_ms + _AGAIN_MS)]
            case _:
                return []
