"""One host of a simulated cluster: its power, clock, disk and agents, and the process on it that drives a node as the daemon does.

It takes an event, calls `step`, carries out the effects, and feeds the answers back; it decides nothing. What an agent was asked to do
happens on the host, whether or not the process lives to hear of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Protocol, assert_never

from reconciler.cib import Cib
from reconciler.cib.canonical import digest
from reconciler.controller import events as ev
from reconciler.controller.envelope import OLDEST, PROTOCOL, Envelope
from reconciler.controller.fencing.record import FenceOrder
from reconciler.controller.guarding import GuardPolicy
from reconciler.controller.journal import Record, restore, snapshot_bytes
from reconciler.controller.membership.events import View
from reconciler.controller.messages import COMPILER, Message
from reconciler.controller.moment import Moment
from reconciler.controller.node import Node
from reconciler.errors import Finding, Place
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.operation import AgentCall, AgentResult
from reconciler.scheduler.plan import Plan
from reconciler.simulator.clock import Clock
from reconciler.simulator.disk import Disk
from reconciler.simulator.network import Network
from reconciler.simulator.world import TIMED_OUT, World

EPOCH_MS = 1_800_000_000_000
KILL_US = (1_000, 20_000)
"""How long it takes to end the processes of an agent."""
AGENT_US = (5_000, 60_000)
"""How long an agent takes that does not hang."""
FENCE_US = (500_000, 4_000_000)
"""How long a fence device takes."""
EXAMINATION_US = (2_000, 40_000)
"""How long it takes to judge a commit."""

Journal = Disk[Record | bytes]
"""Records, and snapshots that begin a generation."""


class Surroundings(Protocol):
    """What all hosts have in common."""

    clock: Clock
    chance: Random
    network: Network[bytes]
    world: World
    planner: Callable[[Cib, Instant], Plan] | None
    commits: dict[str, Configuration]
    refused: dict[str, frozenset[str]]
    disputed: dict[str, frozenset[str]]
    hanging: set[tuple[str, str, str]]
    devices_slow_us: int
    answer_late_us: int
    deceived: set[str]

    def parcels(self, envelope: Envelope) -> Iterable[bytes]:
        """What is sent of a message."""

    def unseal(self, data: bytes) -> Envelope:
        """A message as it is read."""

    def fence(self, target: str, action: str) -> bool:
        """A fence device does something to a host; whether it says that it did."""

    def fell_silent(self) -> None:
        """A host has no process any more."""

    def stepped(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        """A node took an event: the place where everything is watched."""


class Host:
    """A host that is on. `boot` counts its starts; `skew_ms` is how wrong its wall clock is."""

    def __init__(self, around: Surroundings, name: str) -> None:
        self.around = around
        self.name = name
        self.disk: Journal = Disk(around.clock, around.chance)
        self.boot = 1
        self.skew_ms = 0
        self.zone_s = 0
        """How far ahead of UTC its time zone is."""
        self.protocols = (OLDEST, PROTOCOL)
        """What the version speaks that is installed here."""
        self.compiler = COMPILER
        self.compile: Callable[[Configuration], Configuration] = lambda configuration: configuration
        """What this version makes of a commit."""
        self.on = True
        self.paused = False
        """Whether the process stands still, and its host does not."""
        self.exhausted = False
        """Whether there is no memory for the next message that the node takes in."""
        self.node: Node | None = None
        self.left: str | None = None
        self.lacks: set[str] = set()
        """Commits whose objects are not in the repository of this host."""
        self.spoils_packs = False
        """Whether the packs that are made here are damaged on their way."""
        self.busy: dict[str, AgentCall] = {}
        self.unanswered: set[str] = set()
        """Resources whose last agent here did not answer in time."""
        """What agents are doing here, by resource."""
        self._calls: dict[int, AgentCall] = {}
        """What this process has asked agents to do, by token."""
        self.crash_after: int | None = None
        """After how many effects the process dies, if it is to."""
        self.power_goes = False
        """Whether the host loses its power then."""
        self.emitted: list[ev.Emit] = []
        self.deaf = False
        """Whether the fabric stands still on this host, and the process does not."""
        self.on_start: list[Callable[[], None]] = []
        self.on_end: list[Callable[[Node, str | None], None]] = []
        """Who is told that the process ends by itself, and why, if that is not in order."""
        self._life = 0
        self._timers: dict[str, int] = {}
        self._waiting: deque[ev.Event] = deque()
        self._woken = False
        self._starting = False

    @property
    def now(self) -> Moment:
        """The time as this host has it."""
        mono_ms = self.around.clock.now_ms
        return Moment(EPOCH_MS + self.skew_ms + mono_ms, mono_ms, self.zone_s)

    @property
    def is_frozen(self) -> bool:
        """Whether the host stands still, or the process on it."""
        return self.paused or (self.name in self.around.network.frozen and not self.deaf)

    # Its life

    def start(self) -> None:
        """Start the process: wait for agents that a former one had begun, as the daemon does, read the journal, and join."""
        if self.node is not None or not self.on:
            return
        if self.busy or self.is_frozen:
            if not self._starting:
                self._starting = True
                self.around.clock.after(100_000, self._start_again)
            return
        self._life += 1
        self.left = None
        self._timers.clear()
        self._waiting.clear()
        self._calls.clear()
        snapshot, records = self._contents()
        replica, _ = restore(self.name, snapshot, records)
        boot = f"{self.name}-boot-{self.boot}"
        self.node = Node(self.name, f"run-{self.name}-{self._life}", replica, boot, self.protocols, self.compiler)
        self._fit_out(self.node)
        self.tell(ev.Started(self.now, f"{self.name}-boot-{self.boot}"))
        for watcher in self.on_start:
            watcher()

    def _fit_out(self, node: Node) -> None:
        """What costs time in many lives is done once for all, or by somebody faster."""
        if self.protocols[1] == PROTOCOL:
            node.intake.unseal = self.around.unseal
            node.parcels = self.around.parcels
        # Nobody is there to consent, and no rule of the cluster depends on it.
        node.proposals.policy = GuardPolicy(hold=())
        planner = self.around.planner
        if planner is not None:
            node.coordinator.bounded = lambda cib, ask: (planner(cib, Instant(self.now.epoch_s, self.now.offset_s)), ())

    def _start_again(self) -> None:
        self._starting = False
        self.start()

    def upgrade(self) -> None:
        """The process ends in order, as for a newer version that takes its place; what runs here goes on."""
        if self.node is not None and not self.is_frozen:
            self.tell(ev.Ending(self.now))
        if self.node is not None and not self.is_frozen:
            self._tell_end(self.node, None)
            self.crash()

    def _tell_end(self, node: Node, why: str | None) -> None:
        for watcher in self.on_end:
            watcher(node, why)

    def crash(self) -> None:
        """The process dies; what agents are doing here goes on."""
        if self.node is None:
            return
        self.node = None
        self.paused = self.exhausted = False
        self._life += 1
        self.crash_after = None
        self.disk.crash()
        self.around.network.leave(self.name)
        self.around.fell_silent()

    def power_off(self) -> None:
        """The host loses its power, and everything that ran on it is gone."""
        self.node = None
        self.on = self.paused = self.exhausted = self.deaf = False
        self.around.deceived.discard(self.name)
        self._life += 1
        self.crash_after = None
        self.boot += 1
        self.busy.clear()
        self.unanswered.clear()
        self.disk.crash()
        self.around.world.power_off(self.name)
        self.around.network.power_off(self.name)
        self.around.fell_silent()

    def power_on(self) -> None:
        """The host boots, and its process starts."""
        if not self.on:
            self.on = True
            self.around.network.power_on(self.name)
            self.start()

    def pause(self) -> None:
        """The process stands still; nobody in the group learns of it."""
        self.paused = self.node is not None

    def resume(self) -> None:
        """The process goes on, with everything that has come meanwhile."""
        self.exhausted = False
        if self.paused:
            self.paused = False
            self._wake()

    def restore_disk(self) -> None:
        """The host is switched off, and its disk restored from an older copy, if there is one, by somebody who says so."""
        self.power_off()
        if not self.disk.roll_back():
            return
        replica, _ = restore(self.name, *self._contents())
        replica.own = replace(replica.own, blank=True)
        self.disk.records[:] = [snapshot_bytes(replica)]
        self.disk.durable = 1

    # What the node is told

    def tell(self, event: ev.Event) -> None:
        """Tell the node, and carry out what follows."""
        self._waiting.append(event)
        self._turn()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self.around.clock.after(self.around.chance.randint(10, 60), self._take)

    def _take(self) -> None:
        """Take what the network brings."""
        self._woken = False
        if self.node is None or self.is_frozen:
            return
        while (item := self.around.network.receive(self.name)) is not None:
            if isinstance(item, View):
                self._waiting.append(ev.ViewChanged(self.now, item))
            else:
                self._waiting.append(ev.Delivered(self.now, item.sender, item.payload))
            self._turn()

    def _turn(self) -> None:
        """Tell what waits, and when nothing does, that it is quiet."""
        while self._waiting and self.node is not None:
            self._step(self._waiting.popleft())
        if self.node is not None:
            self._step(ev.Quiet(self.now))

    def _step(self, event: ev.Event) -> None:
        node = self.node
        if node is None:
            return
        # Who knows of nobody else goes on without the message: the program around it sees to that.
        short = self.exhausted and not node.parts.alone
        effects = self._step_without_memory(node, event) if short else node.step(event)
        self.around.stepped(self, event, effects)
        for effect in effects:
            if self.node is not node:
                return
            if self.crash_after is not None:
                self.crash_after -= 1
                if self.crash_after < 0:
                    self._die_amid()
                    return
            self._carry_out(effect)

    def _die_amid(self) -> None:
        """What was to be carried out besides is not."""
        if self.power_goes:
            self.power_off()
        else:
            self.crash()

    def _step_without_memory(self, node: Node, event: ev.Event) -> list[ev.Effect]:
        """A step in which the next message can't be taken in."""
        node.replica.take_in = self._run_out  # type: ignore[method-assign]  # A fault of the machine, not of the node.
        try:
            return node.step(event)
        finally:
            del node.replica.__dict__["take_in"]

    def _run_out(self, sender: str, data: bytes, message: Message) -> None:
        self.exhausted = False
        raise MemoryError

    # What it wishes

    def _carry_out(self, effect: ev.Effect) -> None:
        match effect:
            case ev.Send(data):
                self.around.network.send(self.name, data)
            case ev.Write(record, _):
                if not self.disk.write(record):
                    self._waiting.append(ev.NotWritten(self.now, "no space left"))
            case ev.Sync(token):
                self._sync(token)
            case ev.Begin(token, snapshot):
                self._begin(token, snapshot)
            case ev.Examine() | ev.MakePack() | ev.TakePack():
                self._later(EXAMINATION_US, lambda: self._at_repository(effect))
            case ev.RunAgent(token, call):
                self._run_agent(token, call)
            case ev.CutShort(token):
                self._cut_short(token)
            case ev.SetTimer() | ev.ClearTimer():
                self._time(effect)
            case ev.Emit():
                self.emitted.append(effect)
            case ev.Leave() | ev.FenceItself():
                self._end(effect)
            case ev.CallFenceAgent(order):
                self._later_by(self._fence_us(order), lambda: self._fence(order))
            case ev.Join() | ev.Rejoin() | ev.Withdraw():
                self._go(effect)
            case (
                ev.KeepTail()
                | ev.PublishAttributes()
                | ev.Watch()
                | ev.Unwatch()
                | ev.LookAt()
                | ev.AnswerSource()
                | ev.RecordActive()
            ):
                pass
            case _:
                assert_never(effect)

    def _go(self, effect: ev.Join | ev.Rejoin | ev.Withdraw) -> None:
        """The process comes into the group, or goes out of it."""
        if not isinstance(effect, ev.Join):
            self.around.network.leave(self.name)
        if not isinstance(effect, ev.Withdraw):
            self.around.network.join(self.name, self._wake)

    def _end(self, effect: ev.Leave | ev.FenceItself) -> None:
        """The process ends, or the machine does, and boots."""
        if isinstance(effect, ev.Leave):
            self.left = effect.why
            if self.node is not None:
                self._tell_end(self.node, effect.why)
            self.crash()
        else:
            self.power_off()
            self.around.clock.after(20_000_000, self.power_on)

    def _later(self, us: tuple[int, int], action: Callable[[], None]) -> None:
        """Have something happen in this life of the process, or once the host goes on."""
        self._later_by(self.around.chance.randint(*us), action)

    def _fence_us(self, order: FenceOrder) -> int:
        """How long it takes until a device has done what an order asks for, with the delay that the order leaves to chance."""
        chance, least_ms, most_ms = self.around.chance, order.delay_ms, order.delay_most_ms
        took_us = chance.randint(*FENCE_US) + self.around.devices_slow_us
        # Nothing is drawn where nothing is left to chance: such lives stay what they are.
        return took_us + 1000 * (least_ms if most_ms <= least_ms else chance.randint(least_ms, most_ms))

    def _later_by(self, us: int, action: Callable[[], None]) -> None:
        life = self._life

        def happen() -> None:
            if self._life != life:
                return
            if self.is_frozen:
                self.around.clock.after(100_000, happen)
            else:
                action()

        self.around.clock.after(us, happen)

    def _sync(self, token: int) -> None:
        self.disk.sync(lambda ok: self._synced(token, ok))

    def _begin(self, token: int, snapshot: bytes) -> None:
        if not self.disk.write(snapshot):
            self._waiting.append(ev.NotDurable(self.now, token, "no space left"))
            return
        self._sync(token)

    def _synced(self, token: int, ok: bool) -> None:
        answer = ev.Durable(self.now, token) if ok else ev.NotDurable(self.now, token, "synchronising failed")
        self._later((0, 0), lambda: self.tell(answer))

    def _contents(self) -> tuple[bytes | None, list[Record]]:
        """The newest generation, and the records after it."""
        begins = [place for place, item in enumerate(self.disk.records) if isinstance(item, bytes)]
        if not begins:
            return None, [item for item in self.disk.records if isinstance(item, Record)]
        snapshot = self.disk.records[begins[-1]]
        records = [item for item in self.disk.records[begins[-1] :] if isinstance(item, Record)]
        return snapshot if isinstance(snapshot, bytes) else None, records

    def _at_repository(self, effect: ev.Examine | ev.MakePack | ev.TakePack) -> None:
        match effect:
            case ev.Examine(commit) if commit in self.lacks and effect.ask:
                self.tell(ev.Lacking(self.now, (commit,), None, commit))
            case ev.Examine(commit, base):
                self._examined(commit, base)
            case ev.MakePack(commit, known):
                data = None if commit in self.lacks else b"damaged" if self.spoils_packs else commit.encode()
                self.tell(ev.PackMade(self.now, commit, known, None, data, "" if data else "it is not here"))
            case ev.TakePack(commit, data) if data == commit.encode():
                self.lacks.discard(commit)
                self.tell(ev.PackTaken(self.now, commit))
            case ev.TakePack(commit):
                self.tell(ev.PackTaken(self.now, commit, "it is damaged"))
            case _:
                assert_never(effect)

    def _examined(self, commit: str, base: str | None) -> None:
        configuration = self.around.commits.get(commit)
        if commit in self.lacks:
            self.tell(ev.Examined(self.now, commit, base, reason="its objects are not here"))
        elif configuration is None:
            self.tell(ev.Examined(self.now, commit, base, reason="it is invalid"))
        elif self.name in self.around.refused.get(commit, ()):
            finding = Finding("unsigned", Place(""), "nobody whom this node trusts has signed it")
            self.tell(ev.Examined(self.now, commit, base, reason=finding.text, findings=(finding,)))
        else:
            other = "" if self.name not in self.around.disputed.get(commit, ()) else " as others do not understand it"
            compiled = self.compile(configuration)
            self.tell(ev.Examined(self.now, commit, base, digest(compiled) + other, compiled))

    def _fence(self, order: FenceOrder) -> None:
        succeeded = self.around.fence(order.target, order.step.action)

        def answer() -> None:
            self.tell(ev.FenceAgentEnded(self.now, order, succeeded, "" if succeeded else "the device did not answer"))

        if self.around.answer_late_us:
            self._later_by(self.around.answer_late_us, answer)
        else:
            answer()

    def _time(self, effect: ev.SetTimer | ev.ClearTimer) -> None:
        if isinstance(effect, ev.SetTimer):
            self._set_timer(effect.name, effect.at_ms)
        else:
            self._timers.pop(effect.name, None)

    def _set_timer(self, name: str, at_ms: int) -> None:
        self._timers[name] = at_ms
        self._later_at(at_ms, name)

    def _later_at(self, at_ms: int, name: str) -> None:
        life = self._life

        def fire() -> None:
            if self._life != life or self._timers.get(name) != at_ms:
                return
            if self.is_frozen:
                self.around.clock.after(100_000, fire)
                return
            del self._timers[name]
            self.tell(ev.TimerFired(self.now, name))

        self.around.clock.at(at_ms * 1000, fire)

    def _run_agent(self, token: int, call: AgentCall) -> None:
        """An agent runs on the host; who asked hears of its end only if it still lives."""
        around = self.around
        if call.resource in self.busy:
            around.world.faults.append(f"two operations of {call.resource} at once on {self.name}")
        boot, life = self.boot, self._life
        self.busy[call.resource] = call
        self._calls[token] = call
        key = self.name, call.resource, call.operation
        hangs = key in around.hanging
        took_us = call.timeout_ms * 1000 if hangs else around.chance.randint(*AGENT_US)

        def end() -> None:
            if self.boot != boot or self.busy.get(call.resource) is not call:
                return  # Its processes were ended before.
            if self.is_frozen:
                around.clock.after(100_000, end)
                return
            del self.busy[call.resource]
            result = TIMED_OUT if hangs else around.world.call(self.name, call, around.clock.now_us)
            (self.unanswered.add if hangs else self.unanswered.discard)(call.resource)
            if self._life == life:
                self._ended(token, result)

        around.clock.after(took_us, end)

    def _cut_short(self, token: int) -> None:
        """An agent's processes are ended before it has done anything."""
        call = self._calls.pop(token, None)
        if call is not None and self.busy.get(call.resource) is call:
            del self.busy[call.resource]
            self._later(KILL_US, lambda: self._ended(token, TIMED_OUT))

    def _ended(self, token: int, result: AgentResult) -> None:
        self.tell(ev.Finished(self.now, token, result))
