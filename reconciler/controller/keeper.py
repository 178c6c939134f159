"""What is written down, and what must be durable before what: decided here, carried out by whoever has a disk.

A record is written before what it tells takes effect. Where something is built on it that a crash must not take away, its effect waits
until it is durable. Once a write has failed, what follows it can't be read back: from then on only a new generation (a snapshot) makes
anything durable. As long as the disk is being waited for, no message is taken in, so that a snapshot always has what is written.
Source: the design of the cluster, "A node is a state machine".
"""

from __future__ import annotations

from reconciler.controller.events import Begin, Emit, Examined, SetTimer, Sync, Wish, Write
from reconciler.controller.journal import Record
from reconciler.controller.messages import Heard, Message
from reconciler.controller.moment import Moment
from reconciler.frozen import frozen

SYNC_TIMER = "synchronise"
"""When what was written, and nobody waits for, is made durable all the same. Only a crash of the machine takes it, after which nothing
runs that it told of."""
GENERATION_TIMER = "generation"
"""When a new generation is tried after one that could not be written."""
_SYNC_MS = 1000
_AGAIN_MS = 10_000
_ROTATE_BYTES = 4 * 1024 * 1024


@frozen
class TakeIn:
    """Then the message is delivered to the state."""

    sender: str
    data: bytes
    message: Message


@frozen
class TakeBack:
    """Then the message is refused: it can't come back at a restart."""

    message: Message
    reason: str


@frozen
class SendAcceptance:
    """Then the acceptance of a commit is sent."""

    examined: Examined


@frozen
class Promising:
    """Then the term is promised."""

    term: int


@frozen
class Vouch:
    """Then this member says that it has heard orders, if it is still in the view in which it has."""

    heard: Heard
    view: str


@frozen
class Adopting:
    """Then the state that was taken over from others is on this disk, too."""


@frozen
class Routine:
    """Nobody waits for it."""


Purpose = TakeIn | TakeBack | SendAcceptance | Promising | Vouch | Adopting | Routine


class Keeper:
    """The journal of a node, as far as it is decided on. `snapshot` gives the state's bytes when a generation begins."""

    def __init__(self) -> None:
        self.broken: str | None = None
        """Why nothing that is written now could be read back."""
        self._waiting: dict[int, tuple[Purpose, bool]] = {}
        """By token: what it is for, and whether it is a new generation."""
        self._void: dict[int, str] = {}
        """By token: why being synchronised makes nothing durable, for what was to be could not be written."""
        self._next_token = 1
        self._written_bytes = 0
        self._snapshot_bytes = 0
        self._armed = False
        self._told: str | None = None

    @property
    def holding(self) -> bool:
        """Whether messages have to wait: for one before them, or for a generation."""
        return bool(self._waiting) and any(
            generation or isinstance(purpose, TakeIn | TakeBack) for purpose, generation in self._waiting.values()
        )

    @property
    def waits(self) -> bool:
        """Whether the disk has not answered yet, whatever it was asked."""
        return bool(self._waiting)

    @property
    def accepting(self) -> frozenset[str]:
        """The commits whose acceptance is sent once the disk has answered."""
        purposes = (purpose for purpose, _ in self._waiting.values())
        return frozenset(one.examined.commit for one in purposes if isinstance(one, SendAcceptance))

    @property
    def wants_generation(self) -> bool:
        """Whether the journal has grown so long that a snapshot makes the next start faster."""
        # Twice a snapshot, so that what is written for snapshots stays in proportion to what happens.
        return self.broken is None and self._written_bytes > max(_ROTATE_BYTES, 2 * self._snapshot_bytes)

    def write(self, record: Record, now: Moment, *, begins: bool = False) -> list[Wish]:
        """Write a record; with `begins` room is left for the end of what it begins."""
        if self.broken is not None:
            return []
        self._written_bytes += len(record.data)
        effects: list[Wish] = [Write(record, begins)]
        if not self._armed:
            self._armed = True
            effects.append(SetTimer(SYNC_TIMER, now.mono_ms + _SYNC_MS))
        return effects

    def sync(self, purpose: Purpose, snapshot: bytes | None) -> list[Wish]:
        """Make durable all that was written; where that can't be had any more (`broken`), the state in `snapshot`."""
        token = self._token(purpose, generation=snapshot is not None)
        if snapshot is None:
            return [Sync(token)]
        self._snapshot_bytes = len(snapshot)
        return [Begin(token, snapshot)]

    def not_written(self, reason: str, now: Moment) -> list[Wish]:
        """The last write has failed. What waits to be synchronised may be just that, so it will not count as durable."""
        self.broken = reason
        self._void |= {token: reason for token, (_, generation) in self._waiting.items() if not generation}
        return [self.again(now), *self._tell(reason)]

    def void(self, token: int) -> str | None:
        """Why what is synchronised for this token is not durable; None when it is."""
        return self._void.get(token)

    def again(self, now: Moment) -> SetTimer:
        """When to try a new generation."""
        return SetTimer(GENERATION_TIMER, now.mono_ms + _AGAIN_MS)

    def durable(self, token: int) -> tuple[Purpose, list[Wish]]:
        """What was asked for is durable: what it was for."""
        purpose, generation = self._waiting.pop(token)
        if not generation:
            return purpose, []
        self.broken, self._written_bytes = None, 0
        if self._told is None:
            return purpose, []
        self._told = None
        return purpose, [Emit("daemon", {"what": "store-restored", "text": "the state can be written again"})]

    def not_durable(self, token: int, reason: str, now: Moment) -> tuple[Purpose, list[Wish]]:
        """What was asked for is not durable, and may never be: what it was for."""
        self._void.pop(token, None)
        purpose, _ = self._waiting.pop(token)
        self.broken = reason
        return purpose, [self.again(now), *self._tell(reason)]

    def sync_due(self) -> list[Wish]:
        """The timer for what nobody waits for has run out."""
        self._armed = False
        return [] if self.broken is not None or self.holding else [Sync(self._token(Routine(), generation=False))]

    def _token(self, purpose: Purpose, *, generation: bool) -> int:
        token = self._next_token
        self._next_token += 1
        self._waiting[token] = purpose, generation
        return token

    def _tell(self, reason: str) -> list[Wish]:
        if self._told is not None:
            return []
        self._told = reason
        return [Emit("daemon", {"what": "store-failed", "text": reason})]
