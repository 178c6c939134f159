"""The cluster's wall clock: the DC's, learned from its pings, and never backwards.

What members record of each other is compared by it (last-rc-change, failure times, expiries, date rules), so their own clocks may differ.
Source: the design of the cluster, "Clocks".
"""

from __future__ import annotations

from reconciler.controller.moment import Moment

_JITTER_MS = 10_000


class ClusterClock:
    """The cluster's time as one member knows it; `known_ms` is the latest that its state names."""

    def __init__(self, known_ms: int) -> None:
        self._base: tuple[int, int | None] = known_ms, None
        """The cluster's time, and the monotonic one when it was that; None before anything happened in this run."""
        self._last_ms = 0

    def heard(self, at_ms: int, now: Moment) -> None:
        """The DC, another member, said what time it is. What it says is never earlier, but for what messages take on their way.

        Much earlier is the time of others only for who had gone on without them, or not met them yet.
        """
        self._base = at_ms, now.mono_ms
        if at_ms < self._last_ms - _JITTER_MS:
            self._last_ms = at_ms

    def at(self, now: Moment, *, dc: bool) -> Moment:
        """A moment with the cluster's time in place of this machine's, and UTC as its zone: another DC must not read dates otherwise.

        The DC's own clock makes it, and when that is behind what was told before, it goes on at half the speed until they meet.
        """
        base_ms, since_ms = self._base
        if since_ms is None:
            self._base = max(base_ms, now.wall_ms), now.mono_ms
            return self._told(now, max(base_ms, now.wall_ms))
        passed_ms = now.mono_ms - since_ms
        if not dc:
            return self._told(now, base_ms + passed_ms)
        if now.wall_ms >= base_ms + passed_ms // 2:
            self._base = now.wall_ms, now.mono_ms
            return self._told(now, now.wall_ms)
        return self._told(now, base_ms + passed_ms // 2)

    def _told(self, now: Moment, at_ms: int) -> Moment:
        self._last_ms = max(self._last_ms, at_ms)
        return Moment(self._last_ms, now.mono_ms, 0, now.boot_ms)
