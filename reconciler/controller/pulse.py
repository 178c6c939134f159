"""The pulse of a member among others: it says every few seconds how far it has come, and hears who no longer does, or holds another state.

What is compared is the hash over everything delivered, at the place of the one order that a ping names.
Source: the design of the cluster, "A node is a state machine" (chain hash), "Membership" (slow members).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.controller.messages import Ping
from reconciler.controller.moment import Moment
from reconciler.controller.shared import Shared

PULSE_TIMER = "pulse"
BEAT_MS = 1_000
"""How often a member among others looks at the clock."""
_PING_BEATS = 5
MISSED_MS = 15_000
"""After three pings of five seconds that did not come, a member is as if lost."""
BEHIND_MS = 10_000
"""Who has heard nothing newer than what we heard so long ago is as if lost, too."""
_MOST_PLACES = 1024
_MOST_SENT = 256

Place = tuple[int, int, int]
"""A place in the one order: term, messages in it, messages besides."""


class Pulse:
    """What one member knows of the others' pulse in the view at hand, and its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = 0
        """Of our last ping."""
        self.members: tuple[str, ...] = ()
        """Those of the installed view, when there are others."""
        self._beats = 0
        self._waits = 0
        self._heard_ms: dict[str, int] = {}
        self._places: dict[Place, tuple[str, str, int]] = {}
        self._alike: dict[str, bool] = {}
        self._behind: set[str] = set()
        self._answering = False
        """Whether members say which pings they have heard."""
        self._sent: dict[int, Moment] = {}
        """By its number, when we sent a ping of the view at hand."""
        self._numbers: dict[str, int] = {}
        """By member the last ping that was delivered here."""
        self._answered: dict[str, Moment] = {}
        """By member when we sent the last of what it has heard, as far as we know."""

    def begin(
        self,
        members: Collection[str],
        shared: Shared,
        now: Moment,
        since: Moment | None = None,
        *,
        answers: bool = True,
    ) -> None:
        """A view of these members is installed, who have all heard something that we sent at `since`, if that is known.

        `answers`: they say which pings they have heard.
        """
        self.members = tuple(members) if len(members) > 1 else ()
        self._answering = answers
        self._sent.clear()
        self._numbers.clear()
        self._answered = {one: at for one, at in self._answered.items() if one in members}
        if since is not None:
            self._answered |= dict.fromkeys(members, since)
        self._places.clear()
        self._alike.clear()
        self._waits = 0
        self.forgive(now)
        if self.members:
            self.note(shared, now)

    def end(self) -> None:
        """There is no installed view."""
        self.members = ()

    def leave(self) -> None:
        """We are no member any more: whoever heard us before may have gone on without us."""
        self.end()
        self._answered.clear()

    def forgive(self, now: Moment) -> None:
        """Count from now what others owe us: we ourselves stood still."""
        self._heard_ms = dict.fromkeys(self.members, now.mono_ms)
        self._behind.clear()

    def note(self, shared: Shared, now: Moment) -> None:
        """Something was delivered: remember what we held at this place of the order."""
        self._places[_place(shared)] = shared.chain, str(shared.cib.version), now.mono_ms
        if len(self._places) > _MOST_PLACES:
            del self._places[next(iter(self._places))]

    def beat(self) -> bool:
        """Another second is over; whether it is time for a ping."""
        self._beats += 1
        return bool(self.members) and self._beats % _PING_BEATS == 0

    def ping(self, shared: Shared, heard: Mapping[str, int], now: Moment) -> Ping:
        """Our next ping. `heard` says how many bytes of each member we have heard in this view."""
        self.number += 1
        self._sent[self.number] = now
        if len(self._sent) > _MOST_SENT:
            del self._sent[next(iter(self._sent))]
        term, seq, beside = _place(shared)
        return Ping(
            self.name,
            self.number,
            term,
            seq,
            beside,
            shared.chain,
            str(shared.cib.version),
            dict(heard),
            now.wall_ms,
            dict(self._numbers) if self._answering else {},
        )

    def heard(self, ping: Ping, now: Moment) -> None:
        """A member's ping was delivered."""
        if ping.node not in self.members:
            return
        self._heard_ms[ping.node] = now.mono_ms
        self._note_answer(ping)
        known = self._places.get((ping.term, ping.seq, ping.beside))
        if known is None:
            return
        chain, version, at_ms = known
        self._alike[ping.node] = (chain, version) == (ping.chain, ping.version)
        if at_ms + BEHIND_MS < now.mono_ms and self._has_newer(at_ms):
            self._behind.add(ping.node)
        else:
            self._behind.discard(ping.node)

    def _note_answer(self, ping: Ping) -> None:
        """A member has heard of us what it says; where members don't say so, all have what comes back to ourselves."""
        self._numbers[ping.node] = ping.number
        if self._answering:
            if (sent := self._sent.get(ping.answers.get(self.name, 0))) is not None:
                self._answered[ping.node] = sent
        elif ping.node == self.name and (sent := self._sent.get(ping.number)) is not None:
            self._answered = dict.fromkeys(self.members, sent)

    def heard_since(self, votes: Mapping[str, int], now: Moment, without: str = "") -> Moment | None:
        """The last moment since which most of the votes, not counting one node's, have heard us in the view at hand; None: none is known.

        We ourselves hear us now.
        """
        missing = sum(votes.values()) // 2 + 1 - votes.get(self.name, 0)
        if missing <= 0:
            return now
        others = {one: at for one, at in self._answered.items() if one not in (self.name, without)}
        for one, at in sorted(others.items(), key=lambda pair: pair[1].mono_ms, reverse=True):
            missing -= votes.get(one, 0)
            if missing <= 0:
                return at
        return None

    def _has_newer(self, at_ms: int) -> bool:
        """Whether we have heard something since, by a good while: who says that it has not is behind."""
        newest = next(reversed(self._places.values()))
        return newest[2] > at_ms

    def lost(self, now: Moment) -> tuple[str, ...]:
        """Who is as if lost, if it is on us to say so: the first of the others does, and if nothing comes of that the next one, too."""
        lost = {one for one, at_ms in self._heard_ms.items() if at_ms + MISSED_MS < now.mono_ms} | self._behind
        lost.discard(self.name)
        if not lost:
            self._waits = 0
            return ()
        self._waits += 1
        speakers = sorted(set(self.members) - lost)[: self._waits]
        return tuple(sorted(lost)) if self.name in speakers else ()

    def strays(self, dc: str | None) -> bool:
        """Whether it is we who hold another state than most; of two halves the DC's is right."""
        differing = sorted(one for one, alike in self._alike.items() if not alike and one != self.name)
        agreeing = {self.name, *(one for one, alike in self._alike.items() if alike)}
        if not differing or len(differing) < len(agreeing):
            return False
        return len(differing) > len(agreeing) or dc in differing


def _place(shared: Shared) -> Place:
    return shared.term, shared.seq, shared.beside
