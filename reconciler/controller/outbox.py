"""What a node has told, or has to tell, and what nobody has heard yet: it is told again in each view until it is delivered.

A message may be lost with its view, or be heard by its sender alone; what only this node knows must not be lost with it.
Source: the design of the cluster, "Orders and results".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.cib.observations import AttributeSet
from reconciler.controller.events import Broadcast, Wish
from reconciler.controller.fencing.messages import FenceConfirmed
from reconciler.controller.messages import (
    Cleanup,
    Message,
    NodeForgotten,
    Observe,
    Propose,
    Refresh,
    Reported,
    Shutdown,
    Underway,
)
from reconciler.controller.moment import Moment

KEPT = (Propose, Cleanup, Refresh, Shutdown, FenceConfirmed, NodeForgotten)
"""What sources and operators want: sent again in each view until it was delivered. Results and attributes have a way of their own; the
rest is void with its view."""
# Whoever asks a node without quorum for something again and again must not fill its memory: the oldest is given up.
_MOST_WAITING = 256


class Outbox:
    """Results and attributes until they are delivered, and what sources and operators want."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.results: list[Reported] = []
        """Oldest first."""
        self._attributes: dict[str, str | None] = {}
        self._delays_ms: dict[str, int] = {}
        self._waiting: list[Message] = []

    def wait(self, message: Message) -> None:
        """Tell this in each view that is installed, until it was delivered."""
        if message not in self._waiting:
            self._waiting = [*self._waiting, message][-_MOST_WAITING:]

    def delivered(self, message: Message) -> None:
        """Something of ours was delivered that was told until then."""
        if message in self._waiting:
            self._waiting.remove(message)

    def told(self, wishes: Iterable[Wish]) -> None:
        """Of what was just told, keep the results."""
        messages = (wish.message for wish in wishes if isinstance(wish, Broadcast))
        self.results += [message for message in messages if isinstance(message, Reported)]

    def untold(self) -> tuple[Underway, ...]:
        """The orders whose results nobody has heard: to the others they are under way until then, though no agent is called any more."""
        return tuple(Underway(one.term, one.transition, one.action, one.resource, one.task, 0) for one in self.results)

    def heard(self, message: Reported | Observe) -> None:
        """Something was delivered: what of it was ours need not be told again."""
        if isinstance(message, Reported):
            if message.node == self.name and message in self.results:
                self.results.remove(message)
            return
        for seen in message.observations:
            if isinstance(seen, AttributeSet) and seen.node == self.name:
                self._forget(seen)

    def set_attributes(
        self,
        wanted: Mapping[str, str | None],
        known: Mapping[str, str | None],
        now: Moment,
        delays_ms: Mapping[str, int] | None = None,
    ) -> list[Wish]:
        """Tell what is news of an agent's attributes, compared with what was last told; `known` is what was delivered.

        `delays_ms` says how long those are held that come with a delay.
        """
        believed: dict[str, str | None] = {**known, **self._attributes}
        news = {name: value for name, value in wanted.items() if believed.get(name) != value}
        self._attributes |= news
        self._delays_ms |= {name: (delays_ms or {}).get(name, 0) for name in news}
        return self._tell(news, now)

    def again(self, now: Moment) -> list[Wish]:
        """A view was installed: tell everything that nobody has heard yet."""
        wishes: list[Wish] = [Broadcast(message) for message in self.results]
        return wishes + self._tell(self._attributes, now) + [Broadcast(message) for message in self._waiting]

    def _forget(self, seen: AttributeSet) -> None:
        """An attribute was delivered; if it was set anew meanwhile, that has still to be."""
        if seen.name in self._attributes and self._attributes[seen.name] == seen.value:
            del self._attributes[seen.name]
            self._delays_ms.pop(seen.name, None)

    def _tell(self, attributes: Mapping[str, str | None], now: Moment) -> list[Wish]:
        """A message for those that count at once, and one for each delay."""
        told: dict[int, list[AttributeSet]] = {}
        for name, value in sorted(attributes.items()):
            told.setdefault(self._delays_ms.get(name, 0), []).append(AttributeSet(self.name, name, value))
        return [
            Broadcast(Observe(tuple(seen), _why(seen), now.wall_ms, dampen_ms=delay_ms))
            for delay_ms, seen in sorted(told.items())
        ]


def _why(seen: Iterable[AttributeSet]) -> str:
    """For whose sake what goes on is decided anew: names that agents may not use are the daemon's."""
    own = all(one.name.startswith("#") for one in seen)
    return "the daemon told something of its node" if own else "an agent set node attributes"
