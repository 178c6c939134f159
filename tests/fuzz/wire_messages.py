"""What a member is told in a session: valid messages, changed in what they say, in their heads, their pieces and their bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator, Mapping

from reconciler.cib.canonical import plain_bytes, to_variant
from reconciler.controller.envelope import PROTOCOL
from reconciler.controller.membership.messages import Hello, Ready

from .wire_changes import LEAVES, STRANGER, Changes, fresh
from .wire_scenes import NAMES, Plain
from .wire_session import Act, Session

_OF_THE_DC = (
    "abandoned",
    "activate",
    "compiled",
    "fencegivenup",
    "fenceordered",
    "graceover",
    "release",
    "run",
    "settled",
)


class Sender:
    """Draws what happens next in a session. `messages` are valid ones by kind, as JSON."""

    def __init__(self, messages: Mapping[str, tuple[str, ...]], session: Session, dice: random.Random) -> None:
        self._changes = Changes(messages, dice)
        self._kinds = sorted(messages)
        self._session = session
        self._dice = dice

    def draw(self) -> Iterator[tuple[str, Act]]:
        """A word for it and what happens, often several things that belong together."""
        dice, session = self._dice, self._session
        chance = dice.random()
        if chance < 0.010:
            yield "time", Act(ms=dice.choice((10, 900, 1_100, 1_100, 4_000)))
        elif chance < 0.016:
            everybody = [
                *(one.name for one in session.here),
                *dice.sample(session.played, dice.randint(0, len(session.played))),
            ]
            yield "view", Act(members=tuple(everybody or NAMES), good=dice.random() < 0.6)
        else:
            yield from self._messages_of(dice.choice(session.played or (STRANGER,)))

    def _messages_of(self, sender: str) -> Iterator[tuple[str, Act]]:
        dice = self._dice
        kind = self._kind()
        dc = self._session.here[0].node.replica.dc
        if kind in _OF_THE_DC and dc in self._session.played and dice.random() < 0.8:
            sender = dc
        message = self._fitting(kind, sender) if dice.random() < 0.7 else self._changes.valid(kind)
        head = self._head(sender, message)
        match dice.choices(range(7), (14, 50, 12, 10, 16, 5, 0.4))[0]:
            case 0:
                yield "valid", Act(sender, plain_bytes(head))
            case 1:
                for _ in range(dice.choice((1, 1, 1, 2, 4))):
                    self._changes.change(message)
                yield "field", Act(sender, self._changes.bytes_of(head))
            case 2:
                sender = self._change_head(head, sender)
                yield "head", Act(sender, self._changes.bytes_of(head))
            case 3:
                yield "bytes", Act(sender, self._changes.damaged(self._changes.bytes_of(head)))
            case 4:
                if dice.random() < 0.5:
                    self._changes.change(message)
                for data in self._pieces(head):
                    yield "piece", Act(sender, data)
            case 5:
                for _ in range(dice.choice((2, 3, 8))):
                    yield "again", Act(sender, plain_bytes(head))
            case _:
                self._changes.grow(message)
                yield "large", Act(sender, self._changes.bytes_of(head))

    def _head(self, sender: str, message: Plain) -> Plain:
        cluster = self._session.here[0].node.replica.shared.cluster
        return {"v": PROTOCOL, "cluster": cluster, "view": self._session.view, "sender": sender, "message": message}

    def _kind(self) -> str:
        """Before a view is installed mostly what is spoken of then."""
        if not self._session.here[0].partition.installed and self._dice.random() < 0.7:
            return self._dice.choice(("hello", "hello", "ready", "ready", "state", "exclude"))
        return self._dice.choice(self._kinds)

    def _fitting(self, kind: str, sender: str) -> Plain:
        """A message of the sender, the term and the transition at hand, so that it gets further."""
        node, dice = self._session.here[0].node, self._dice
        shared, told = node.replica.shared, self._session.said.get({"hello": Hello, "ready": Ready}.get(kind, object))
        if told is not None and dice.random() < 0.8:
            message = {**json.loads(plain_bytes(to_variant(told))), "node": sender}
            return (
                {**message, "incarnation": "run-x-1.1", "boot": "x-boot-0", "rank": 7} if kind == "hello" else message
            )
        message = self._changes.valid(kind)
        wanted: Plain = {"node": sender, "executor": sender, "term": shared.term}
        transition = node.coordinator.transition
        if transition is not None and transition.running:
            wanted |= {"transition": transition.number, "action": dice.choice(sorted(transition.running))}
        if shared.proposals:
            wanted["commit"] = dice.choice(sorted(shared.proposals))
        if kind == "activate":
            wanted["epoch"] = shared.cib.version.epoch + 1
        if kind == "ping":
            place = {
                "seq": shared.seq,
                "beside": shared.beside,
                "chain": shared.chain,
                "version": str(shared.cib.version),
            }
            wanted |= place
        return message | {name: value for name, value in wanted.items() if name in message and dice.random() < 0.9}

    def _change_head(self, head: Plain, sender: str) -> str:
        """Change the head, or from whom it comes; from whom."""
        dice = self._dice
        match dice.randrange(8):
            case 0:
                view = head["view"]
                head["view"] = dice.choice(("", "0" * 32, view + "'", view[:-1], self._session.scene.view.id))
            case 1:
                return STRANGER
            case 2:
                head["sender"] = dice.choice((*NAMES, STRANGER, ""))
            case 3:
                head["cluster"] = dice.choice(("", "another", head["cluster"] + "x"))
            case 4:
                head["v"] = dice.choice((0, 1, PROTOCOL + 1, -1, 2**62, 1.0, float(PROTOCOL), "2", None, True, 10**30))
            case 5:
                del head[dice.choice(list(head))]
            case 6:
                head[dice.choice(("more", *head))] = fresh(dice.choice(LEAVES))
            case _:
                head["message"] = fresh(dice.choice(LEAVES))
        return sender

    def _pieces(self, head: Plain) -> list[bytes]:
        """A message in pieces, which may be doubled, lost, mixed up, changed, or pieces of pieces."""
        dice = self._dice
        sent = self._cut(head)
        chosen: Plain = dice.choice(sent)["message"]
        match dice.randrange(8):
            case 0 | 1:
                pass
            case 2:
                del sent[dice.randrange(len(sent))]
            case 3:
                sent.insert(dice.randrange(len(sent)), dice.choice(sent))
            case 4:
                dice.shuffle(sent)
            case 5:
                self._changes.change(chosen)
            case 6:
                chosen[dice.choice(("place", "count"))] = dice.choice((-1, 0, 1, 93, 94, 95, 2**40))
            case _:
                inner = self._changes.bytes_of({**head, "message": dict(chosen)})
                whole = base64.b64encode(inner).decode()
                chosen.update(place=0, count=1, digest=hashlib.sha256(inner).hexdigest(), data=whole)
        return [self._changes.bytes_of(one) for one in sent]

    def _cut(self, head: Plain) -> list[Plain]:
        data, count = self._changes.bytes_of(head), self._dice.choice((1, 2, 3, 5))
        size, hashed = -(-len(data) // count), hashlib.sha256(data).hexdigest()
        parts = (base64.b64encode(data[place * size : (place + 1) * size]).decode() for place in range(count))
        return [
            {**head, "message": {"is": "chunk", "digest": hashed, "place": place, "count": count, "data": part}}
            for place, part in enumerate(parts)
        ]
