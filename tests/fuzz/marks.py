"""What members make of views over corosync: marks as nobody should send them, among group changes, rings and verdicts in any order."""

from __future__ import annotations

import json
import random

from reconciler.fabric.corosync import assembly
from reconciler.fabric.corosync.assembly import Announce, AtRest, Deliver, Event, SendMark, ViewAssembly
from reconciler.fabric.corosync.events import GroupChanged, NodesRead, Process, QuorumTold, Received, Ring, RingFormed

from .targets import Wrong
from .wire_changes import Changes

NAMES = {1: "n1", 2: "n2", 3: "n3"}
ALL = tuple(Process(nodeid, 100 + nodeid) for nodeid in NAMES)
STEPS = 300


def try_marks(dice: random.Random) -> str:
    """A member of three among whom anything is sent; then all is well, and they come into a view. **Raises** Wrong."""
    now = ViewAssembly(ALL[0])
    for number in range(STEPS):
        event = _event(dice, number)
        now, effects = assembly.step(now, event)
        if len(now.held) > assembly.MOST_HELD or now.held_bytes != sum(len(one.data) for one in now.held):
            raise Wrong(f"{len(now.held)} messages of {now.held_bytes} bytes wait for a verdict")
        for effect in effects:
            if isinstance(effect, Announce | Deliver) and not _is_sound(effect, now):
                raise Wrong(f"{effect} follows from {event}")
    return _come_into_a_view(now)


def _is_sound(effect: Announce | Deliver, now: ViewAssembly) -> bool:
    """Whether a view has this member, under its name, and no more than there are; and a message is of a member of the view."""
    if isinstance(effect, Deliver):
        return now.view is not None and effect.sender in now.view.members
    members = effect.view.members
    return "n1" in members and len(set(members)) == len(members) <= len(now.members)


def _event(dice: random.Random, number: int) -> Event:
    ring = Ring(1, dice.randrange(3))
    match dice.choices(range(7), (60, 4, 3, 3, 1, 10, 10))[0]:
        case 0:
            return Received(dice.choice((*ALL, Process(9, 9))), _data(dice, number))
        case 1:
            members = tuple(sorted({ALL[0], *dice.sample(ALL, dice.randint(0, 3))}))
            return GroupChanged(members)
        case 2:
            return RingFormed(ring)
        case 3:
            return QuorumTold(ring, dice.random() < 0.5, dice.randrange(4), 0, tuple(dice.sample(tuple(NAMES), 2)))
        case 4:
            return NodesRead(NAMES)
        case 5:
            return GroupChanged(ALL)
        case _:
            return AtRest()


def _data(dice: random.Random, number: int) -> bytes:
    """A mark, changed in what it says or in its bytes, or a message."""
    if dice.random() < 0.2:
        return assembly.message(dice.randbytes(dice.randrange(300)))
    base = dice.choice(("", f"{max(0, number - dice.randrange(9)):032x}"))
    members = dice.sample(ALL, dice.randint(1, 3)) if dice.random() < 0.3 else ALL
    good = assembly.mark(f"{number:032x}", base, {one: NAMES[one.nodeid] for one in members})
    head, plain = good[:2], json.loads(good[2:])
    changes = Changes({"mark": (json.dumps(plain),)}, dice)
    match dice.randrange(5):
        case 0 | 1:
            return good
        case 2 | 3:
            for _ in range(dice.choice((1, 2, 4))):
                changes.change(plain)
            return head + changes.bytes_of(plain)
        case _:
            return changes.damaged(good)


def _come_into_a_view(now: ViewAssembly) -> str:
    ring = Ring(1, 99)
    for event in (NodesRead(NAMES), GroupChanged(ALL), RingFormed(ring), QuorumTold(ring, True, 2, 0, (1, 2, 3))):
        now, _ = assembly.step(now, event)
    now, effects = assembly.step(now, AtRest())
    marks = [effect for effect in effects if isinstance(effect, SendMark)]
    if len(marks) != 1:
        raise Wrong("no mark is sent though there is no view")
    now, effects = assembly.step(now, Received(ALL[0], assembly.mark("f" * 32, marks[0].base, marks[0].names)))
    if [effect.view.members for effect in effects if isinstance(effect, Announce)] != [("n1", "n2", "n3")]:
        raise Wrong("a good mark makes no view")
    now, effects = assembly.step(now, Received(ALL[1], assembly.message(b"good")))
    if effects != (Deliver("n2", b"good"),):
        raise Wrong("a good message is not delivered")
    return "well"
