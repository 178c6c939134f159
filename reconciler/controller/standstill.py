"""A member among others that stood still (stopped, or its machine suspended) does not act on what it believed before.

The others may have gone on without it, and it is never told that. So after a gap it begins nothing, neither a resource nor fencing nor a
plan, before a ping that it sent since was delivered to itself in an installed view: by then it has heard everything that was before that.
Source: the design of the cluster, "Quorum" (standing still), "What CPG gives, and what not".
"""

from __future__ import annotations

from reconciler.controller.cut_off import CutOff
from reconciler.controller.events import Broadcast, Emit, SetTimer, Wish
from reconciler.controller.membership.messages import Exclude
from reconciler.controller.messages import Ping
from reconciler.controller.moment import Moment
from reconciler.controller.parts import Parts
from reconciler.controller.pulse import BEAT_MS, PULSE_TIMER

GAP_MS = 2_000
"""A member that did nothing for longer, though it looks at the clock every second, stood still."""


class Standstill:
    """Whether this node knows that it is abreast of the others."""

    def __init__(self, parts: Parts, cut_off: CutOff) -> None:
        self.parts = parts
        self._cut_off = cut_off
        self._last: Moment | None = None
        self._needed = 0
        """The number of the ping that has to come back."""

    def turn(self, now: Moment) -> list[Wish]:
        """Something happens: was there a gap before it?"""
        if self.parts.alone:
            self._last = None
            return self._go_on(now) if self.parts.unsure else []
        last = self._last
        if last is None and not self.parts.members:
            return []
        self._last = now
        if last is None:
            return [SetTimer(PULSE_TIMER, now.mono_ms + BEAT_MS)]
        gap_ms = now.since_ms(last)
        if gap_ms <= GAP_MS:
            return []
        text = (
            f"this node did nothing for {gap_ms / 1000:.1f} s; it begins nothing before it has heard what was meanwhile"
        )
        self._halt(halted=True)
        self.parts.executor.stood_still()
        self.parts.pulse.forgive(now)
        told = Emit("daemon", {"what": "stood-still", "text": text})
        return [told, *self._cut_off.stood_still(last, now), *self.asked(now)]

    def asked(self, now: Moment) -> list[Wish]:
        """In an installed view: find out whether the others still hear us, if we do not know that."""
        if not (self.parts.unsure and self.parts.replica.partition.installed):
            return []
        self._needed = self.parts.pulse.number + 1
        return self._ping(now)

    def installed(self, now: Moment, since: Moment | None = None) -> list[Wish]:
        """A view is installed, whose members have all heard what we said at `since`, if that is known."""
        if self.parts.alone:
            self._last = None
        answers = self.parts.self_resets.spoken
        self.parts.pulse.begin(self.parts.members, self.parts.replica.shared, now, since, answers=answers)
        self.parts.flow.begin(self.parts.members)
        asked = self.asked(now)
        # The DC's says what time it is, and whose watchdog is armed needs an answer soon.
        speaks = self.parts.is_dc or self.parts.self_resets.within_ms > 0
        return asked or (self._ping(now) if speaks and len(self.parts.members) > 1 else [])

    def beat(self, now: Moment) -> list[Wish]:
        """Another second is over."""
        if self.parts.alone:
            return []
        wishes: list[Wish] = [SetTimer(PULSE_TIMER, now.mono_ms + BEAT_MS)]
        if not self.parts.pulse.beat() or not self.parts.replica.partition.installed:
            return wishes
        if not self.parts.unsure and (lost := self.parts.pulse.lost(now)):
            wishes.append(Broadcast(Exclude(lost, "no sign of life, or far behind")))
        return wishes + self._ping(now)

    def heard(self, ping: Ping, now: Moment) -> list[Wish]:
        """A ping was delivered in the installed view."""
        self.parts.pulse.heard(ping, now)
        released: list[Wish] = [*self.parts.flow.confirmed(ping.node, ping.heard)]
        released += self.waited(now)
        ours = ping.node == self.parts.name
        return released + (self._go_on(now) if ours and self.parts.unsure and ping.number >= self._needed else [])

    def waited(self, now: Moment) -> list[Wish]:
        """Some time has passed: whose watchdog was waited for long enough, and that is certain?"""
        shared = self.parts.replica.shared
        return self.parts.fencer.waited(
            shared, lambda target: self.parts.pulse.heard_since(shared.votes, now, target), now
        )

    def watched(self, now: Moment) -> list[Wish]:
        """The time is over that a watchdog has: that we are still among those who have quorum is asked at once."""
        if not self.parts.replica.partition.installed:
            return []
        return self.waited(now) + (self._ping(now) if self.parts.pulse.members else [])

    def took(self, sender: str, size: int, now: Moment) -> list[Wish]:
        """So many bytes of a member were delivered: say so, when it has become much."""
        return self._ping(now) if self.parts.flow.delivered(sender, size) else []

    def _go_on(self, now: Moment) -> list[Wish]:
        self._halt(halted=False)
        wishes = self._cut_off.heard() + self.parts.executor.resume(now)
        wishes += self.parts.fencer.resume(self.parts.replica.shared, now, dc=self.parts.is_dc)
        return wishes + self.parts.coordinator.changed("this node had stood still")

    def _halt(self, *, halted: bool) -> None:
        self.parts.unsure = halted
        self.parts.executor.halted = halted
        self.parts.fencer.halted = halted

    def _ping(self, now: Moment) -> list[Wish]:
        return [Broadcast(self.parts.pulse.ping(self.parts.replica.shared, self.parts.flow.heard, now))]
