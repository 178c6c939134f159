"""What becomes of what the fabric delivers: skipped alike by all, or put together from pieces, written down, and taken in.

Source: the design of the cluster, "The envelope", "A node is a state machine".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

from reconciler.controller.entering import Entering
from reconciler.controller.envelope import MEMBERSHIP, UNCOUNTED, Assembly, Chunk, Envelope, may_send, unseal
from reconciler.controller.events import Broadcast, Delivered, Durable, Leave, NotDurable, NotWritten, Wish
from reconciler.controller.fencing.messages import FenceOrdered
from reconciler.controller.following import Following
from reconciler.controller.job import begins
from reconciler.controller.journal import message_record, skipped_record
from reconciler.controller.keeper import Adopting, Promising, Purpose, Routine, SendAcceptance, TakeBack, TakeIn, Vouch
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.messages import (
    Activate,
    CommitPack,
    Kept,
    Message,
    MessageError,
    NoPack,
    Ping,
    Propose,
    Release,
    Run,
    State,
    WantCommit,
)
from reconciler.controller.moment import Moment
from reconciler.controller.outbox import KEPT
from reconciler.controller.parts import Parts
from reconciler.controller.shared import Shared, allowed
from reconciler.controller.telling import skipped, unknown_node


class Intake:
    """The way of a message into the state."""

    def __init__(self, parts: Parts, entering: Entering, following: Following) -> None:
        self.parts = parts
        self.skipped = 0
        """How many messages were delivered that nobody takes: of another view, of the wrong sender, or none at all."""
        self.unseal: Callable[[bytes], Envelope] = partial(unseal, newest=parts.protocols[1])
        """How a message is read: where all members live in one process, once for all of them."""
        self._entering = entering
        self._following = following
        self._assembly = Assembly()
        self._unkept: list[Vouch] = []
        """Orders of this view that this node has heard, and its disk has not."""
        self._unadopted = False
        """Whether the state that was taken over in this view could not be written."""

    def view_changed(self) -> None:
        """What was not sent to its end in the view before never will be, and nobody waits for an answer any more."""
        self._assembly.forget()
        self._unkept.clear()
        self._unadopted = False

    def delivered(self, event: Delivered) -> list[Wish]:
        """Look at the envelope, and take in what is in it."""
        try:
            envelope = self.unseal(event.data)
        except MessageError as error:
            return self._skip(event, event.data, str(error))
        return self._count(event, envelope) + self._open(event, envelope)

    def _count(self, event: Delivered, envelope: Envelope) -> list[Wish]:
        """Count what members may send no more of than the slowest takes."""
        partition = self.parts.replica.partition
        if not partition.installed or len(partition.members) == 1 or isinstance(envelope.message, UNCOUNTED):
            return []
        if envelope.view != partition.view or envelope.sender != event.sender:
            return []
        return self._entering.standstill.took(event.sender, len(event.data), event.now)

    def _open(self, event: Delivered, envelope: Envelope) -> list[Wish]:
        """Put pieces together, and write down what is taken in before it takes effect."""
        data = event.data
        try:
            if (why := self._refusal(event.sender, envelope)) is None and isinstance(envelope.message, Chunk):
                whole = self._assembly.add(event.sender, envelope.message)
                if whole is None:
                    return []
                # Looked at like any other: pieces from one sender may come to what another one might have sent.
                data, envelope = whole, self.unseal(whole)
                why = self._refusal(event.sender, envelope)
        except MessageError as error:
            return self._skip(event, data, str(error))
        message = envelope.message
        if why is not None or isinstance(message, Chunk):
            return self._skip(event, data, why or "a piece is in pieces")
        if isinstance(message, Ping):
            return self._entering.pinged(message, event.now)
        if isinstance(message, Hello | Ready | Exclude | State):
            return self._entering.heard(event.sender, message, event.now)
        if isinstance(message, Kept):
            return self.parts.confirmation.heard(message)
        if isinstance(message, WantCommit | CommitPack | NoPack):
            return self.parts.packs.heard(event.sender, message)
        if self._is_built_upon(message):
            wishes = self._write(event.sender, data, message, event.now)
            return [*wishes, *self.parts.sync(TakeIn(event.sender, data, message))]
        return self._take_in(event.sender, data, message, event.now, written=False)

    def _is_built_upon(self, message: Message) -> bool:
        """Whether something is built on a message that a crash must not take away: it takes effect once it is durable.

        What is activated is said to be; and who has left knows by that, when it comes back, that the others may have gone on without it.
        """
        return isinstance(message, Activate) or (isinstance(message, Release) and message.node == self.parts.name)

    def _write(self, sender: str, data: bytes, message: Message, now: Moment) -> list[Wish]:
        return self.parts.keeper.write(message_record(sender, data), now, begins=isinstance(message, Propose))

    def _refusal(self, sender: str, envelope: Envelope) -> str | None:
        """Why a message is skipped, alike on every member; None when it is taken in."""
        if envelope.sender != sender:
            return f"it says that it is from {envelope.sender[:100]}"
        partition, message = self.parts.replica.partition, envelope.message
        if envelope.view != partition.view:
            return "it was sent in another view"
        if partition.installed and envelope.protocol > partition.protocol:
            return f"it is of protocol {envelope.protocol}, and the view speaks {partition.protocol}"
        if sender not in partition.members:
            return "it is of nobody who takes part"
        if isinstance(message, Chunk | Hello):
            return None  # Whose cluster it is, is what a hello says.
        if envelope.cluster != self.parts.replica.shared.cluster and partition.installed:
            return "it is of another cluster"
        if not (partition.installed or isinstance(message, MEMBERSHIP)):
            return "the view was not installed yet"
        if not may_send(sender, message, self.parts.replica.dc):
            return f"this member may not send a {type(message).__name__}"
        if _is_forbidden(message, self.parts.replica.shared):
            return f"the members of this view may not begin what a {type(message).__name__} begins"
        return None

    def _skip(self, event: Delivered, data: bytes, why: str) -> list[Wish]:
        self.skipped += 1
        if not self.parts.replica.partition.installed:
            return [skipped(event.sender, why)]
        # What is skipped is part of the chain, too: members that do not skip alike are told apart by their next pings.
        wishes = list(self.parts.keeper.write(skipped_record(event.sender, data), event.now))
        self.parts.replica.skip(event.sender, data)
        if self.parts.pulse.members:
            self.parts.pulse.note(self.parts.replica.shared, event.now)
        return [*wishes, skipped(event.sender, why)]

    def _take_in(self, sender: str, data: bytes, message: Message, now: Moment, *, written: bool = True) -> list[Wish]:
        """Take a message in; what can't be has changed nothing, and where others may have taken it in this member leaves."""
        before = self.parts.replica.shared
        try:
            self.parts.replica.take_in(sender, data, message)
        except MemoryError:
            if self.parts.alone:
                raise
            return self._entering.give_up("no memory is left to take in what the others have", now)
        # Only now, though before all that follows from it: what can't be taken in would be met again at each start.
        wishes = [] if written else self._write(sender, data, message, now)
        if sender == self.parts.name and isinstance(message, KEPT):
            self.parts.outbox.delivered(message)
        if self.parts.pulse.members:
            self.parts.pulse.note(self.parts.replica.shared, now)
        if self.parts.replica.shared.ignored != before.ignored:
            wishes.append(unknown_node(sender, message))
        return wishes + self._following.followed(sender, message, before, now)

    def disk_answered(self, event: NotWritten | Durable | NotDurable) -> list[Wish]:
        match event:
            case NotWritten():
                return self.parts.keeper.not_written(event.reason, event.now)
            case Durable():
                if (why := self.parts.keeper.void(event.token)) is not None:
                    return self.disk_answered(NotDurable(event.now, event.token, why))
                purpose, told = self.parts.keeper.durable(event.token)
                return told + self._vouch_late() + self._durable(purpose, event.now)
            case NotDurable():
                purpose, told = self.parts.keeper.not_durable(event.token, event.reason, event.now)
                return told + self._not_durable(purpose, event)
            case _:
                assert_never(event)

    def _durable(self, purpose: Purpose, now: Moment) -> list[Wish]:
        match purpose:
            case TakeIn():
                return self._take_in(purpose.sender, purpose.data, purpose.message, now)
            case TakeBack():
                return self.parts.proposals.dropped(purpose.message, purpose.reason, now)
            case SendAcceptance():
                return self.parts.proposals.accept(purpose.examined)
            case Promising(term):
                return self._entering.promised(term, now)
            case Vouch():
                return self._vouch(purpose)
            case Adopting():
                return self.parts.confirmation.durable()
            case Routine():
                return []
            case _:
                assert_never(purpose)

    def _vouch(self, purpose: Vouch) -> list[Wish]:
        return [Broadcast(purpose.heard)] if purpose.view == self.parts.replica.partition.view else []

    def _vouch_late(self) -> list[Wish]:
        """With a new generation everything is on the disk again that was heard before."""
        if self.parts.keeper.broken is not None:
            return []
        late, self._unkept = self._unkept, []
        adopted, self._unadopted = self._unadopted, False
        told = self.parts.confirmation.durable() if adopted else []
        return [*told, *(wish for one in late for wish in self._vouch(one))]

    def _not_durable(self, purpose: Purpose, event: NotDurable) -> list[Wish]:
        """Nothing new begins without the disk; what runs is cared for all the same."""
        match purpose:
            case TakeIn(sender, data, message):
                if not self.parts.alone:
                    why = f"this node can't keep what the others have decided: {event.reason}"
                    return self._entering.give_up(why, event.now)
                if not isinstance(message, Activate):
                    return self._take_in(sender, data, message, event.now)
                # It is in the journal, but perhaps not for long: it is refused only once it can't come back at a restart.
                return self.parts.generation(TakeBack(message, event.reason))
            case TakeBack():
                return [Leave(f"the state can't be written, nor taken back: {event.reason}")]
            case SendAcceptance():
                return self.parts.proposals.not_kept(purpose.examined, event.reason, event.now)
            case Promising(term):
                if self.parts.alone:  # There is nobody to whom it could be broken.
                    return self._entering.promised(term, event.now)
                return self._entering.give_up(f"this node can't promise anything: {event.reason}", event.now)
            case Vouch():
                # Its word is that it will know of the order whatever happens to the others: it is given once the disk has it.
                self._unkept.append(purpose)
                heard = purpose.heard
                gate = heard.term, heard.transition, heard.action
                self.parts.heard.pop(gate, None)
                return self.parts.executor.refuse(gate, event.reason, event.now)
            case Adopting():
                self._unadopted = True
                return []
            case Routine():
                return []
            case _:
                assert_never(purpose)


def _is_forbidden(message: Message, shared: Shared) -> bool:
    """Whether a message begins what the view may not begin: on no member, whoever says so."""
    match message:
        case Activate():
            return not allowed(shared).activate
        case FenceOrdered():
            return not allowed(shared).fence
        case Run() if shared.quorate:  # Without quorum the scheduler knows which resources may be started all the same.
            return not allowed(shared).start and any(map(begins, message.orders))
        case _:
            return False
