"""A member's part as executor: it calls the agent of an order once, however often that is delivered.

How that ended is told in each view anew until it is delivered.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.controller.fencing.messages import FenceEnded
from reconciler.controller.fencing.record import LONGEST_REASON, FenceOrder
from reconciler.frozen import field, frozen, replace

OrderId = tuple[int, str, int]


@frozen
class FenceCall:
    """Wait as long as the order says, chance deciding between its bounds, call the agent, and tell how it ended."""

    order: FenceOrder


@frozen
class FenceExecutor:
    """The orders that this process was given: None while the agent runs, then what it came to. `untold` were not delivered yet."""

    node: str
    incarnation: str
    orders: Mapping[OrderId, FenceEnded | None] = field(default_factory=dict)
    untold: tuple[OrderId, ...] = ()

    def ordered(self, order: FenceOrder) -> tuple[FenceExecutor, FenceCall | FenceEnded | None]:
        """An order took effect in the shared state: what to do if it names this process."""
        if (order.executor, order.incarnation) != (self.node, self.incarnation):
            return self, None
        if order.id in self.orders:
            return self, self.orders[order.id]
        return replace(self, orders={**self.orders, order.id: None}), FenceCall(order)

    def ended(self, order: FenceOrder, succeeded: bool, why: str, at_ms: int) -> tuple[FenceExecutor, FenceEnded]:
        """The agent has ended: what to tell, again in each view until it is delivered."""
        told = FenceEnded(self.node, *order.id, succeeded, why[:LONGEST_REASON], at_ms)
        orders = {**self.orders, order.id: told}
        return replace(self, orders=orders, untold=(*self.untold, order.id)), told

    def told(self, message: FenceEnded) -> FenceExecutor:
        """A message about fencing was delivered: what was ours need not be told again."""
        id = (message.term, message.target, message.number)
        return replace(self, untold=tuple(one for one in self.untold if one != id or message.executor != self.node))

    def again(self) -> tuple[FenceEnded, ...]:
        """What has to be told in a newly installed view."""
        return tuple(told for id in self.untold if (told := self.orders[id]) is not None)
