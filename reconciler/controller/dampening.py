"""Attribute dampening: values that agents set with a delay are held, and count together once no further change came for that long.

When a switch fails, the nodes see it one after the other; were each value to count at once, resources would move to nodes that are about to
see it, too. A held value is delivered to all, so it survives a change of the DC. The DC's clock runs: each change begins the delay anew, as
Pacemaker's does, but ten times the delay after the first one all count in any case. A value without a delay counts at once.
Source: attrd_updater(8), "--delay"; the design of the cluster, "Orders and results".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.cib.observations import AttributeSet, Observation
from reconciler.controller.events import Broadcast, SetTimer, Wish
from reconciler.controller.held import Held
from reconciler.controller.messages import Observe
from reconciler.controller.moment import Moment

DAMPEN_TIMER = "dampen "
"""How the names of the timers begin at which held values count."""
_LONGEST = 10
"""How many delays a value is held at most."""


class Dampening:
    """The DC's clocks of the attributes whose values are held."""

    def __init__(self) -> None:
        self._first_ms: dict[str, int] = {}

    def installed(self, held: Mapping[str, Held], now: Moment, *, dc: bool) -> list[Wish]:
        """A view was installed: a new DC begins the delays anew."""
        self._first_ms.clear()
        return [self._arm(name, one, now) for name, one in sorted(held.items())] if dc else []

    def observed(self, held: Mapping[str, Held], observations: Sequence[Observation], now: Moment) -> list[Wish]:
        """As the DC: values were held, or some count by now."""
        names = sorted({seen.name for seen in observations if isinstance(seen, AttributeSet)})
        for name in names:
            if name not in held:
                self._first_ms.pop(name, None)
        return [self._arm(name, held[name], now) for name in names if name in held]

    def due(self, timer: str, held: Mapping[str, Held], members: Collection[str], now: Moment) -> list[Wish]:
        """As the DC: the delay of an attribute is over, and all its held values count."""
        name = timer.removeprefix(DAMPEN_TIMER)
        self._first_ms.pop(name, None)
        if name not in held:
            return []
        values = sorted((node, value) for node, value in held[name].values.items() if node in members)
        seen = tuple(AttributeSet(node, name, value) for node, value in values)
        return [Broadcast(Observe(seen, f"{name} has its new values", now.wall_ms))] if seen else []

    def _arm(self, name: str, held: Held, now: Moment) -> SetTimer:
        first_ms = self._first_ms.setdefault(name, now.mono_ms)
        at_ms = min(now.mono_ms + held.delay_ms, first_ms + _LONGEST * held.delay_ms)
        return SetTimer(DAMPEN_TIMER + name, at_ms)
