"""Turns what corosync tells into views that all members of the group have alike. It does no I/O, reads no clock and draws no chance.

A **configuration** is what the group and the ring are between two changes of either; all who move together are told of the changes at the
same place of the one order. In each, every member sends a mark, a message with an id that nobody else ever chose, and the members with
their names; the first that is delivered, and is of just these members, makes the view. So all have the same view under the same id, also
who has just come and knows nothing of what was before, and an id is never used twice. What is delivered before it is of a view that is
over, and is dropped by all alike.

A member knows the verdict of the quorum service by another way. It takes in nothing of a configuration before it has the verdict of its
ring. Another verdict for the same ring makes another view: whoever learns of it sends a mark that names the view which it replaces.
Source: the design of the cluster, "What CPG gives, and what not", "From corosync to views".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import assert_never

from reconciler.controller.members import NODE_NAME
from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.fabric.corosync.events import (
    GroupChanged,
    NodesFaulty,
    NodesRead,
    Process,
    QuorumTold,
    Received,
    Ring,
    RingFormed,
    Told,
)
from reconciler.frozen import field, frozen, replace

MOST_HELD = 10_000
MOST_HELD_BYTES = 32 * 1024 * 1024
"""How many messages may wait for a verdict, and how large they may be together."""
LARGEST_MARK_BYTES = 64 * 1024
_MESSAGE = b"\x01m"
_MARK = b"\x01v"
BEAT = b"\x01b"
"""Says nothing: that it comes back is what counts."""
_VIEW_ID = re.compile(r"[0-9a-f]{32}")


@frozen
class AtRest:
    """Nothing more was told for now."""


@frozen
class Announce:
    """Tell of a view."""

    view: View


@frozen
class Deliver:
    """Hand on what a member has sent in the view."""

    sender: str
    data: bytes


@frozen
class SendMark:
    """Send a mark with an id that nobody ever chose. `names` has all of the group; who takes no part has an empty one."""

    base: str
    names: Mapping[Process, str]


@frozen
class Out:
    """This process can't be a member: leave the group."""

    why: str
    advice: str = ""


Event = Told | AtRest
Effect = Announce | Deliver | SendMark | Out
Effects = tuple[Effect, ...]


@frozen
class ViewAssembly:
    """What one process knows of the group. `view` is that of the present configuration, None as long as no mark has come."""

    own: Process
    names: Mapping[int, str] = field(default_factory=dict)
    members: tuple[Process, ...] = ()
    ring: Ring | None = None
    verdict: QuorumTold | None = None
    view: View | None = None
    senders: Mapping[Process, str] = field(default_factory=dict)
    """The members of the view, those of the last one as long as there is no other."""
    marked: bool = False
    """Whether a mark of ours is on its way."""
    held: tuple[Received, ...] = ()
    held_bytes: int = 0

    @property
    def waits(self) -> bool:
        """Whether nothing is taken in yet, as the verdict is of another ring."""
        return self.view is None and (self.verdict is None or self.verdict.ring != self.ring)


def step(now: ViewAssembly, event: Event) -> tuple[ViewAssembly, Effects]:
    """Take one event: what is known next, and what to do."""
    match event:
        case GroupChanged():
            return _group_changed(now, event)
        case RingFormed(ring):
            return (now, ()) if ring == now.ring else _take_held(_begin(replace(now, ring=ring)))
        case QuorumTold():
            return _take_held(replace(now, verdict=event))
        case NodesRead(names):
            return replace(now, names=names), ()
        case NodesFaulty():
            return now, ()
        case Received():
            return _received(now, event)
        case AtRest():
            return _at_rest(now)
        case _:
            assert_never(event)


def message(data: bytes) -> bytes:
    """The bytes with which a message travels."""
    return _MESSAGE + data


def mark(id: str, base: str, names: Mapping[Process, str]) -> bytes:
    """The bytes of a mark that makes the view `id` of the named of these processes: in place of the view `base`, or of none."""
    members = [[process.nodeid, process.pid, names[process]] for process in sorted(names)]
    return _MARK + json.dumps({"view": id, "base": base, "members": members}, separators=(",", ":")).encode()


def _begin(now: ViewAssembly) -> ViewAssembly:
    """Another configuration has begun: what was held was of the one before."""
    return replace(now, view=None, marked=False, held=(), held_bytes=0)


def _group_changed(now: ViewAssembly, event: GroupChanged) -> tuple[ViewAssembly, Effects]:
    after = _begin(replace(now, members=event.members))
    others = [one for one in event.members if one.nodeid == now.own.nodeid and one != now.own]
    if now.own in event.joined and any(one not in event.joined or one < now.own for one in others):
        pids = ", ".join(str(one.pid) for one in others)
        return after, (Out(f"another process of this host is in the group ({pids})", "end that one first"),)
    return after, ()


def _received(now: ViewAssembly, event: Received) -> tuple[ViewAssembly, Effects]:
    if event.sender not in now.members:
        return now, ()
    if now.waits:
        if len(now.held) == MOST_HELD or now.held_bytes + len(event.data) > MOST_HELD_BYTES:
            return now, (Out("the quorum service has said nothing of the ring for too long"),)
        held_bytes = now.held_bytes + len(event.data)
        return replace(now, held=(*now.held, event), held_bytes=held_bytes), ()
    if event.data.startswith(_MARK):
        return _marked(now, event.data)
    if now.view is None or not event.data.startswith(_MESSAGE) or event.sender not in now.senders:
        return now, ()
    return now, (Deliver(now.senders[event.sender], event.data[len(_MESSAGE) :]),)


def _take_held(now: ViewAssembly) -> tuple[ViewAssembly, Effects]:
    """Take in what has waited for the verdict."""
    if now.waits or not now.held:
        return now, ()
    held, now = now.held, replace(now, held=(), held_bytes=0)
    effects: list[Effect] = []
    for event in held:
        now, more = _received(now, event)
        effects += more
    return now, tuple(effects)


def _marked(now: ViewAssembly, data: bytes) -> tuple[ViewAssembly, Effects]:
    """A mark makes the view of a configuration that has none, or replaces the one that it names; any other comes too late."""
    found = _read_mark(data, now.members)
    if found is None:
        return now, ()
    id, base, names = found
    if now.view is not None and base != now.view.id:
        return now, ()
    own = now.names.get(now.own.nodeid)
    if names.get(now.own) != own or own is None:
        told = names.get(now.own)
        what = "do not know it" if told is None else f"call it {told}"
        advice = "give all nodes the same nodelist in corosync.conf, and run corosync-cfgtool -R"
        return now, (Out(f"this node is {own} by its own corosync, and others {what}", advice),)
    view = View(id, tuple(sorted(names.values())), _ring_verdict(now), _hosts(now), _nodes(now))
    return replace(now, view=view, senders=names, marked=False), (Announce(view),)


def _at_rest(now: ViewAssembly) -> tuple[ViewAssembly, Effects]:
    """Send a mark where one is wanted: there is no view yet, or the one that there is was announced with another verdict."""
    if now.own not in now.members or now.marked or now.verdict is None or now.verdict.ring != now.ring:
        return now, ()
    view = now.view
    if view is not None and (view.ring, view.hosts, view.nodes) == (_ring_verdict(now), _hosts(now), _nodes(now)):
        return now, ()
    return replace(now, marked=True), (SendMark("" if view is None else view.id, _named(now)),)


def _named(now: ViewAssembly) -> Mapping[Process, str]:
    """The group under its names. Of two processes on one host the one that was a member counts, else the first; the other has no name."""
    chosen: dict[int, Process] = {}
    for process in sorted(now.members, key=lambda one: (one not in now.senders, one)):
        chosen.setdefault(process.nodeid, process)
    return {one: now.names.get(one.nodeid, "") if chosen[one.nodeid] == one else "" for one in now.members}


def _ring_verdict(now: ViewAssembly) -> RingVerdict:
    """The verdict for the ring; that of another one says nothing for it."""
    verdict = now.verdict
    if verdict is None or verdict.ring != now.ring:
        return RingVerdict(False, 1 if verdict is None else verdict.quorum)
    return RingVerdict(verdict.quorate, verdict.quorum, verdict.qdevice_votes, verdict.fewest)


def _hosts(now: ViewAssembly) -> tuple[str, ...]:
    hosts = () if now.verdict is None else now.verdict.hosts
    return tuple(sorted(now.names[nodeid] for nodeid in hosts if nodeid in now.names))


def _nodes(now: ViewAssembly) -> tuple[str, ...]:
    return tuple(sorted(now.names.values()))


def _read_mark(data: bytes, members: tuple[Process, ...]) -> tuple[str, str, Mapping[Process, str]] | None:
    """What a mark says; None for what is none, or is of a group that was before, which all find alike."""
    if len(data) > LARGEST_MARK_BYTES:
        return None
    try:
        plain = json.loads(data[len(_MARK) :])
    except (ValueError, RecursionError):
        return None
    match plain:
        case {"view": str(id), "base": str(base), "members": list(rows)} if _VIEW_ID.fullmatch(id):
            names = _read_members(rows)
        case _:
            return None
    if names is None or set(names) != set(members):
        return None
    named = {process: name for process, name in names.items() if name}
    return (id, base, named) if named and len(set(named.values())) == len(named) else None


def _read_members(rows: list[object]) -> Mapping[Process, str] | None:
    names: dict[Process, str] = {}
    for row in rows:
        match row:
            case [int(nodeid), int(pid), str(name)] if not name or NODE_NAME.fullmatch(name):
                names[Process(nodeid, pid)] = name
            case _:
                return None
    return names
