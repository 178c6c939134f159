"""What is around every message, and who may send which: checked at delivery, before anything else and alike on every member.

A message names its cluster, the view in which it was sent and its sender. One of another view is skipped: a host that stood still for a
while sends on, and is delivered, as if nothing had happened.
Source: the design of the cluster, "The envelope".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import assert_never

from reconciler.cib.bounds import Bounds, BoundsError, parse
from reconciler.cib.canonical import CanonicalError, Variants, from_json, plain_bytes, to_json, to_variant
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
)
from reconciler.controller.fencing.record import FenceCause
from reconciler.controller.former import current_message
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.messages import (
    LARGEST_BYTES,
    Abandoned,
    Accept,
    Activate,
    Cleanup,
    CommitPack,
    Compiled,
    GraceOver,
    Heard,
    Joined,
    Kept,
    Message,
    MessageError,
    NewerMessageError,
    NodeForgotten,
    NoPack,
    Observe,
    Ping,
    Propose,
    Refresh,
    Reject,
    Release,
    Report,
    Reported,
    Run,
    SelfReset,
    Settled,
    Shutdown,
    State,
    WantCommit,
)
from reconciler.frozen import frozen, replace

PROTOCOL = 3
"""What the messages of this version look like; nobody sends above what all members of the view read."""
OLDEST = 2
"""The oldest protocol in which this version takes part in a view. What membership speaks of is in this one, as nothing is agreed on yet."""
SELF_RESETS = 3
"""The protocol from which on members tell each other what their watchdogs promise, and which pings they have heard."""
LARGEST_SENT_BYTES = 256 * 1024
"""Of one message on the wire. Larger ones are cut up at a join or leave, and then lost for everybody."""
_CHUNK_BYTES = 180 * 1024
"""Of a message that goes in pieces; as text it takes a third more."""
_BOUNDS = Bounds(LARGEST_BYTES, depth=96, items=400_000, text=1_000_000, characters=True)
MEMBERSHIP = (Hello, Ready, Exclude, State)
"""What is spoken of before a view is installed; it never changes what is decided."""
UNCOUNTED = (*MEMBERSHIP, Ping)
"""What waits for nobody, so that it may be said who is slow."""
_MESSAGES: Variants[Message] = Variants(
    Propose,
    Accept,
    Reject,
    Activate,
    Observe,
    Run,
    Reported,
    Joined,
    Cleanup,
    Refresh,
    Shutdown,
    Release,
    Report,
    GraceOver,
    Settled,
    Heard,
    Kept,
    WantCommit,
    CommitPack,
    NoPack,
    State,
    Hello,
    Ready,
    Exclude,
    Ping,
    Abandoned,
    Compiled,
    FenceWanted,
    FenceOrdered,
    FenceEnded,
    FenceGivenUp,
    FenceConfirmed,
    NodeForgotten,
    SelfReset,
)


@frozen
class Chunk:
    """A piece of the bytes of a message that is too large to be sent whole; `digest` is that of all of them together."""

    digest: str
    place: int
    count: int
    data: str


@frozen
class Envelope:
    """A message as it travels, in the form of a protocol; `view` is empty in what a former version wrote into its journal."""

    cluster: str
    view: str
    sender: str
    message: Message | Chunk
    protocol: int = PROTOCOL


def seal(envelope: Envelope) -> bytes:
    """The bytes of a message, however many."""
    message = envelope.message
    body = {"is": "chunk", **to_json(message)} if isinstance(message, Chunk) else to_variant(message)
    head = {"v": envelope.protocol, "cluster": envelope.cluster, "view": envelope.view, "sender": envelope.sender}
    return plain_bytes({**head, "message": body})


def parcels(envelope: Envelope) -> Iterator[bytes]:
    """What is to be sent so that the message arrives: itself, or its pieces. Raises MessageError when nobody would take it."""
    data = seal(envelope)
    if len(data) > LARGEST_BYTES:
        kind = type(envelope.message).__name__
        raise MessageError(f"send a {kind} of {len(data)} bytes: more than {LARGEST_BYTES}")
    if len(data) <= LARGEST_SENT_BYTES:
        yield data
        return
    digest = hashlib.sha256(data).hexdigest()
    count = -(-len(data) // _CHUNK_BYTES)
    for place in range(count):
        part = base64.b64encode(data[place * _CHUNK_BYTES : (place + 1) * _CHUNK_BYTES]).decode()
        yield seal(replace(envelope, message=Chunk(digest, place, count, part)))


def unseal(data: bytes, newest: int = PROTOCOL) -> Envelope:
    """The message that the bytes stand for, also of the former format, which is in journals alone.

    Raises MessageError, and NewerMessageError for what is above the `newest` protocol that is understood.
    """
    try:
        plain = parse(data, _BOUNDS)
        if type(plain) is not dict:
            raise MessageError("read a message: it is none")
        written = plain.get("v")
        if written == 1:
            return Envelope("", "", "", _MESSAGES.from_json(current_message(plain)), 1)
        if type(written) is int and written > newest:
            raise NewerMessageError(f"it has format {written}, and this version reads up to {newest}")
        if (
            type(written) is not int
            or written < OLDEST
            or plain.keys() != {"v", "cluster", "view", "sender", "message"}
        ):
            raise MessageError(f"read a message: it is not of format {newest}")
        head = (plain["cluster"], plain["view"], plain["sender"])
        if not all(isinstance(text, str) for text in head):
            raise MessageError("read a message: its head is none")
        return Envelope(*head, _body(plain["message"]), written)
    except (BoundsError, CanonicalError) as error:
        raise MessageError(f"read a message: {error}") from error


def message_bytes(message: Message) -> int:
    """How many bytes a message takes, but for its envelope."""
    return len(plain_bytes(to_variant(message)))


def may_send(sender: str, message: Message, dc: str | None) -> bool:
    """Whether this member may send this: what only the DC decides, and what only a node itself knows, is taken from nobody else."""
    match message:
        case (
            Abandoned()
            | Compiled()
            | Run()
            | Activate()
            | Release()
            | GraceOver()
            | Settled()
            | FenceOrdered()
            | FenceGivenUp()
        ):
            return sender == dc
        case FenceWanted():
            return sender == dc or message.cause is FenceCause.ASKED
        case FenceEnded():
            return sender == message.executor
        case Heard() | Kept() | WantCommit() | Hello() | Ready() | Ping() | SelfReset():
            return sender == message.node
        case Reported() | Report():
            return sender == message.node and all(seen.node == sender for seen in message.observations)
        case Joined():
            return False  # Of former versions, which had no second node.
        case Observe():
            return sender == dc or all(seen.node == sender for seen in message.observations)
        case Propose() | Accept() | Reject() | Cleanup() | Refresh() | Shutdown() | State() | Exclude():
            return True
        case FenceConfirmed() | NodeForgotten() | CommitPack() | NoPack():
            return True
        case _:
            assert_never(message)


class Assembly:
    """Puts the pieces of messages together again, of each sender one message at a time; a view change forgets them all."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Chunk]] = {}

    def add(self, sender: str, chunk: Chunk) -> bytes | None:
        """The bytes of the whole message once this was its last piece. Raises MessageError for a piece that does not fit."""
        parts = self._parts.setdefault(sender, [])
        if chunk.place == 0:
            parts.clear()
        parts.append(chunk)
        if any(part.place != place or part.digest != chunk.digest for place, part in enumerate(parts)):
            del self._parts[sender]
            raise MessageError("read a piece of a message: another was expected")
        if len(parts) < chunk.count:
            return None
        del self._parts[sender]
        try:
            data = b"".join(base64.b64decode(part.data, validate=True) for part in parts)
        except ValueError as error:
            raise MessageError("read a piece of a message") from error
        if hashlib.sha256(data).hexdigest() != chunk.digest:
            raise MessageError("read a message in pieces: its digest is another")
        return data

    def forget(self) -> None:
        """Another view has begun: what was not sent to its end never will be."""
        self._parts.clear()


def _body(plain: object) -> Message | Chunk:
    if type(plain) is dict and plain.get("is") == "chunk":
        chunk = from_json(Chunk, {name: value for name, value in plain.items() if name != "is"})
        if not 0 <= chunk.place < chunk.count <= LARGEST_BYTES // _CHUNK_BYTES + 1:
            raise MessageError("read a piece of a message: there are no such pieces")
        return chunk
    return _MESSAGES.from_json(plain)
