"""What a node has told, or has to tell, and what nobody has heard yet: it is told again in each view until it is delivered.

A message may be lost with its view, or be heard by its sender alone; what only this node knows must not be lost with it.
Source: the design of the cluster, "Orders and results".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.cib.observations import AttributeSet
from reconciler.controller.events import Broadcast, Wish
from reconciler.controller.fencing.messages import FenceConfirmed
from reconciler.controller.messages import Cleanup, Message, Observe, Propose, Refresh, Reported, Shutdown
from reconciler.controller.moment import Moment

KEPT = (Propose, Cleanup, Refresh, Shutdown, FenceConfirmed)
"""What sources and operators want: sent again in each view until it was delivered. Results and attributes have a way of their own; the
rest is void with its view."""
_MOST_WAITING = 256


class Outbox:
    """Results and attributes until they are delivered, and what sources and operators want."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.results: list[Reported] = []
        """Oldest first."""
        self._attributes: dict[str, str | None] = {}
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

    def heard(self, message: Reported | Observe) -> None:
        """Something was delivered: what of it was ours need not be told again."""
        if isinstance(message, Reported):
            if message.node == self.name and message in self.results:
                self.results.remove(message)
            return
        for seen in message.observations:
            if isinstance(seen, AttributeSet) and seen.node == self.name:
                self._forget(seen)

    def set_attributes(self, wanted: Mapping[str, str | None], known: Mapping[str, str], now: Moment) -> list[Wish]:
        """Tell what is news of an agent's attributes, compared with what was last told; `known` is what was delivered."""
        believed: dict[str, str | None] = {**known, **self._attributes}
        news = {name: value for name, value in wanted.items() if believed.get(name) != value}
        self._attributes |= news
        return [self._tell(news, now)] if news else []

    def again(self, now: Moment) -> list[Wish]:
        """A view was installed: tell everything that nobody has heard yet."""
        wishes: list[Wish] = [Broadcast(message) for message in self.results]
        if self._attributes:
            wishes.append(self._tell(self._attributes, now))
        return wishes + [Broadcast(message) for message in self._waiting]

    def _forget(self, seen: AttributeSet) -> None:
        """An attribute was delivered; if it was set anew meanwhile, that has still to be."""
        if seen.name in self._attributes and self._attributes[seen.name] == seen.value:
            del self._attributes[seen.name]

    def _tell(self, attributes: Mapping[str, str | None], now: Moment) -> Broadcast:
        seen = tuple(AttributeSet(self.name, name, value) for name, value in sorted(attributes.items()))
        return Broadcast(Observe(seen, "an agent set node attributes", now.wall_ms))
