"""A session: real members of a scene are told what comes over the wire, and after each message it is looked at what it did.

What a member wishes is carried out at once: its disk answers, agents end, and what it sends comes back in the one order. The members that
are not real are played: they answer in the agreement on a view as good members do, while they are good.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import types
from collections import deque
from collections.abc import Iterable

from reconciler.cib import Cib
from reconciler.cib.canonical import digest, to_json
from reconciler.cib.observations import AttributeSet, transient
from reconciler.controller import events as ev
from reconciler.controller.coordinator import Answer
from reconciler.controller.envelope import OLDEST, PROTOCOL, Envelope, seal, unseal
from reconciler.controller.installing import state_id
from reconciler.controller.members import node_state
from reconciler.controller.membership.messages import Hello, Ready
from reconciler.controller.messages import Message, Observe, State
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Partition
from reconciler.controller.shared import Shared
from reconciler.frozen import frozen, replace
from reconciler.model.date import Instant
from reconciler.model.operation import AgentResult
from reconciler.simulator import planner
from reconciler.simulator.host import EPOCH_MS

from .targets import Wrong
from .wire_scenes import Scene, Seat, copied

SLOW_S = 3.0
"""Of processor time for one event of a member, however large the message."""
MOST_ANSWERS = 5_000
"""Of members to one message and to each other: more are without end."""
_SEQUEL = ("seq", "beside", "chain")
_SAME = tuple(name for name in Shared.__match_args__ if name not in _SEQUEL)
_HEAD = {"v", "cluster", "view", "sender", "message"}


@frozen
class Act:
    """What happens in a session: a message (`sender`, `data`), time that passes (`ms`), or another view (its `members`).

    In a view that is `good` those who are played behave until it is installed.
    """

    sender: str = ""
    data: bytes = b""
    ms: int = 0
    members: tuple[str, ...] = ()
    good: bool = True


class Member:
    """A real member."""

    def __init__(self, session: Session, name: str, seat: Seat, *, real: bool) -> None:
        self.name = name
        self.node = copied(seat.node)
        self.gone: str | None = None
        """Why it is no member any more."""
        self._session = session
        self._timers = dict(seat.timers)
        self._events: deque[ev.Event] = deque()
        self.node.coordinator.bounded = (lambda cib, ask: ask()) if real else _planned_small
        self._events += [ev.Durable(self.now, token) for token in seat.syncs]
        self._events += [ev.Finished(self.now, token, AgentResult(0)) for token in seat.agents]

    @property
    def now(self) -> Moment:
        ms = self._session.mono_ms
        return Moment(EPOCH_MS + ms, ms, 0, ms)

    @property
    def partition(self) -> Partition:
        return self.node.replica.partition

    def tell(self, event: ev.Event) -> None:
        """Take an event, and all that follows from it here."""
        self.step(event)
        self.come_to_rest()

    def come_to_rest(self) -> None:
        """Take what is owed, and decide. Raises Wrong when that has no end."""
        for _ in range(MOST_ANSWERS):
            if self.gone is not None:
                return
            if not self._events:
                self.step(ev.Quiet(self.now))
                if not self._events:
                    return
            if self.gone is None:
                self.step(self._events.popleft())
        raise Wrong(f"{self.name} does not come to rest")

    def step(self, event: ev.Event) -> None:
        """One step of the node. Raises Wrong when it takes too long."""
        began = time.process_time()
        effects = self.node.step(event)
        took = time.process_time() - began
        self._session.slowest_s = max(self._session.slowest_s, took)
        if took > SLOW_S:
            raise Wrong(f"{self.name} needs {took:.1f} s for {type(event).__name__}")
        for effect in effects:
            self._carry_out(effect)

    def let_timers_fire(self) -> None:
        """The timers that are due."""
        due = [(at_ms, name) for name, at_ms in self._timers.items() if at_ms <= self._session.mono_ms]
        for at_ms, name in sorted(due):
            if self._timers.get(name) == at_ms and self.gone is None:
                del self._timers[name]
                self.tell(ev.TimerFired(self.now, name))

    def _carry_out(self, effect: ev.Effect) -> None:
        match effect:
            case ev.Send(data):
                self._session.order.append((self.name, data))
            case ev.SetTimer(name, at_ms):
                self._timers[name] = at_ms
            case ev.ClearTimer(name):
                self._timers.pop(name, None)
            case ev.Leave(why) | ev.FenceItself(why) | ev.Rejoin(why) | ev.Withdraw(why):
                self.gone = why
            case ev.Emit(_, fields):
                if fields.get("what") in ("internal-error", "not-applied"):
                    raise Wrong(f"{self.name}: {fields}")
                json.dumps(fields)  # As the daemon tells it.
            case _:
                self._events += self._answer(effect)

    def _answer(self, effect: ev.Effect) -> list[ev.Event]:
        now = self.now
        match effect:
            case ev.Sync(token) | ev.Begin(token):
                return [ev.Durable(now, token)]
            case ev.Examine(commit, base):
                made = self._session.scene.commits.get(commit)
                if made is None:
                    return [ev.Examined(now, commit, base, reason="it is invalid")]
                return [ev.Examined(now, commit, base, digest(made), made)]
            case ev.MakePack(commit, known):
                return [ev.PackMade(now, commit, known, None, b"a pack")]
            case ev.TakePack(commit):
                return [ev.PackTaken(now, commit, "it is damaged")]
            case ev.RunAgent(token):
                return [ev.Finished(now, token, AgentResult(0))]
            case ev.CallFenceAgent(order):
                return [ev.FenceAgentEnded(now, order, False, "the device did not answer")]
            case _:
                return []


def _planned_small(cib: Cib, ask: object) -> Answer:
    return planner.plan(cib, Instant(EPOCH_MS // 1000)), ()


class Session:
    """The members of a scene, and all that happens to them. With `real` the DC asks the scheduler, else the small planner."""

    def __init__(self, scene: Scene, *, real: bool = False) -> None:
        self.scene = scene
        self.real = real
        self.mono_ms = scene.mono_ms
        self.acts: list[Act] = []
        self.slowest_s = 0.0
        self.order: deque[tuple[str, bytes]] = deque()
        """What was sent and not delivered yet."""
        self.said: dict[type, Message] = {}
        """The last hello and ready of the first member."""
        self._view = scene.view
        self._views = 0
        self._good = True
        self.members = {name: Member(self, name, seat, real=real) for name, seat in scene.seats.items()}
        for member in self.members.values():
            member.come_to_rest()
        self._good = False
        self._deliver()

    @property
    def here(self) -> list[Member]:
        """The real members that are members still."""
        return [one for one in self.members.values() if one.gone is None]

    @property
    def played(self) -> tuple[str, ...]:
        """The others of the view."""
        return tuple(one for one in self._view.members if one not in self.members)

    @property
    def view(self) -> str:
        """The view as the first member has it."""
        return self.here[0].partition.view if self.here else self._view.id

    def act(self, act: Act) -> None:
        """Let something happen. Raises Wrong, and whatever a member fails with."""
        self.acts.append(act)
        if act.ms:
            self._wait(act.ms)
        elif act.members:
            self._announce(act.members, good=act.good)
        else:
            self._send(act.sender, act.data)

    def check(self) -> str:
        """Members that are left hold the same, come into a good view, and take a good message; a word for how it ended. Raises Wrong."""
        if len({digest(one.node.replica.shared) for one in self.here}) > 1:
            raise Wrong("the members hold different states after the same messages")
        self._announce((*(one.name for one in self.here), *self.played), good=True)
        if not self.here:
            return "left"
        for member in self.here:
            if not member.partition.installed:
                raise Wrong(f"{member.name} does not come into a good view: {member.node.parts.joining._membership}")
        self._check_a_good_message()
        return "well"

    def weight_bytes(self) -> int:
        """How much memory the members take."""
        return sum(sum(map(sys.getsizeof, reachable(one.node))) for one in self.members.values())

    def _check_a_good_message(self) -> None:
        first = self.here[0]
        sender = next((one for one in self.played if one in first.partition.members), first.name)
        word = f"word-{len(self.acts)}"
        message = Observe((AttributeSet(sender, "word", word),), "", EPOCH_MS + self.mono_ms)
        cluster = first.node.replica.shared.cluster
        self._send(sender, seal(Envelope(cluster, self.view, sender, message)))
        for member in self.here:
            if transient(node_state(member.node.replica.cib, sender)).get("word") != word:
                raise Wrong(f"{member.name} does not take a good message")

    def _send(self, sender: str, data: bytes) -> None:
        """Deliver a message to all. What must be ignored is counted, and changes nothing but the hash over all that was heard."""
        self.mono_ms += 1
        for member in self.here:
            self._hand(member, sender, data)
        self._deliver()
        for member in self.here:
            if not member.node.abreast:
                raise Wrong(f"{member.name} waits for its disk, which has answered")

    def _hand(self, member: Member, sender: str, data: bytes) -> None:
        node = member.node
        expected = why_ignored(sender, data, member.partition)
        shared, own, skipped = node.replica.shared, node.replica.own, node.skipped
        member.step(ev.Delivered(member.now, sender, data))
        if expected is not None and node.skipped != skipped + 1:
            raise Wrong(f"{member.name} did not count what is {expected}")
        if node.skipped != skipped:
            after = node.replica.shared
            changed = [name for name in _SAME if getattr(after, name) is not getattr(shared, name)]
            changed += ["own"] if node.replica.own is not own else []
            if changed:
                raise Wrong(f"{member.name} skipped a message, and {', '.join(changed)} changed")
        member.come_to_rest()

    def _deliver(self) -> None:
        """Deliver what members have sent, and what they answer."""
        for _ in range(MOST_ANSWERS):
            if not self.order:
                return
            sender, data = self.order.popleft()
            for member in self.here:
                member.tell(ev.Delivered(member.now, sender, data))
            if self.here and sender == self.here[0].name:
                self._play(unseal(data))
        raise Wrong("the members answer each other without end")

    def _wait(self, ms: int) -> None:
        self.mono_ms += ms
        for member in self.here:
            member.let_timers_fire()
        self._deliver()

    def _announce(self, members: Iterable[str], *, good: bool) -> None:
        self._views += 1
        wanted = tuple(sorted(one for one in members if one not in self.members or self.members[one].gone is None))
        self._view = replace(self._view, id=f"{self._views:032x}", members=wanted)
        self._good = good
        for member in self.here:
            member.tell(ev.ViewChanged(member.now, self._view))
        self._deliver()
        self._good = False

    def _play(self, envelope: Envelope) -> None:
        """Note what the first member says of the view, and let those who are played answer, if they are good."""
        message = envelope.message
        if not isinstance(message, Hello | Ready):
            return
        self.said[type(message)] = message
        if not self._good:
            return
        played = [one for one in self.played if one in self.here[0].partition.members] if self.here else []
        for rank, name in enumerate(played, 5):
            answer = self._hello(message, name, rank) if isinstance(message, Hello) else replace(message, node=name)
            self._say(envelope, name, answer)
        if played and isinstance(message, Hello) and self._hello(message, played[0], 5).state != message.state:
            # Who is to take it over knows that once it has heard all.
            self._say(envelope, played[0], State(state_id(self.scene.held), to_json(self.scene.held)))

    def _say(self, like: Envelope, name: str, message: Message) -> None:
        self.order.append((name, seal(replace(like, sender=name, message=message))))

    def _hello(self, ours: Hello, name: str, rank: int) -> Hello:
        """What a good member says: it holds what we hold, or what those of the scene held, where we hold nothing or less."""
        theirs = state_id(self.scene.held)
        state = theirs if ours.blank or theirs.rank > ours.state.rank else ours.state
        return replace(
            ours,
            node=name,
            incarnation=f"run-{name}-1.1",
            boot=f"{name}-boot-0",
            cluster=ours.cluster or self.scene.held.cluster,
            state=state,
            blank=False,
            rank=rank,
        )


def why_ignored(sender: str, data: bytes, partition: Partition) -> str | None:
    """Why a message has to be skipped, as far as that can be said without knowing its kinds; None when it need not be."""
    try:
        head = json.loads(data)
    except (ValueError, RecursionError):
        return "no JSON"
    if type(head) is not dict or head.keys() != _HEAD:
        return "without a head, or with more than that"
    newest = partition.protocol if partition.installed else PROTOCOL
    if type(head["v"]) is not int or not OLDEST <= head["v"] <= newest:
        return "of another protocol"
    if (head["sender"], head["view"]) != (sender, partition.view):
        return "of another view or sender"
    if sender not in partition.members:
        return "of nobody who takes part"
    return None


def reachable(root: object) -> list[object]:
    """All objects that hang on one, but for code."""
    code = (type, types.FunctionType, types.ModuleType, types.BuiltinFunctionType)
    found = {id(root): root}
    level = [root]
    while level:
        below = [one for one in gc.get_referents(*level) if id(one) not in found and not isinstance(one, code)]
        found |= {id(one): one for one in below}
        level = below
    return list(found.values())
