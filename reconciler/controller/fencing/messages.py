"""What members tell each other about fencing; each is applied at its delivery, by all alike."""

from __future__ import annotations

from reconciler.controller.fencing.record import FenceCause, FenceOrder
from reconciler.frozen import frozen


@frozen
class FenceWanted:
    """The DC (or an operator, by any member) wants a target fenced. `action` is reboot, off or on; `boot` the life that is meant.

    `why` of an operator's demand is who it is.
    """

    target: str
    boot: str
    cause: FenceCause
    action: str
    why: str
    at_ms: int


@frozen
class FenceOrdered:
    """The DC gives an order; nothing is called before this was delivered."""

    order: FenceOrder
    at_ms: int


@frozen
class FenceEnded:
    """The executor of an order tells how its agent ended."""

    executor: str
    term: int
    target: str
    number: int
    succeeded: bool
    why: str
    at_ms: int


@frozen
class FenceGivenUp:
    """The DC has waited for the end of an order for longer than it can take; of number 0, an operator's demand that nobody can meet."""

    term: int
    target: str
    number: int
    at_ms: int


@frozen
class FenceConfirmed:
    """An operator vouches that a target is off, in the life that `boot` names (the one that is known when it is empty)."""

    target: str
    operator: str
    at_ms: int
    boot: str = ""


FencingMessage = FenceWanted | FenceOrdered | FenceEnded | FenceGivenUp | FenceConfirmed
