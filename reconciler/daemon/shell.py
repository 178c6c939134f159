"""The shell around a node: events in, effects out. It decides nothing.

What is written down, and what must be durable before what, the node says. When nothing is left to be told, the node is told that too, so
that one decision answers many events.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, assert_never

from reconciler.analysis.recording import AgentTraits
from reconciler.controller.events import (
    AnswerSource,
    Begin,
    CallFenceAgent,
    ClearTimer,
    CutShort,
    Delivered,
    Durable,
    Effect,
    Emit,
    Event,
    Examine,
    Examined,
    FenceAgentEnded,
    FenceItself,
    Finished,
    Join,
    KeepTail,
    Lacking,
    Leave,
    LookAt,
    MakePack,
    NotDurable,
    NotWritten,
    PublishAttributes,
    Quiet,
    RecordActive,
    Rejoin,
    RunAgent,
    Send,
    SetTimer,
    Sync,
    TakePack,
    TimerFired,
    Unhandled,
    Unwatch,
    ViewChanged,
    Watch,
    Withdraw,
    Write,
)
from reconciler.controller.membership.events import View
from reconciler.controller.moment import Moment
from reconciler.controller.node import Node
from reconciler.daemon.compile import Judge, Judgement
from reconciler.daemon.events import EventLog
from reconciler.daemon.log import LOG, say
from reconciler.daemon.packing import failed, make_pack, missing, newest_known, take_pack
from reconciler.daemon.store import Store, StoreError
from reconciler.daemon.supervisor import Supervisor
from reconciler.daemon.threads import Threads
from reconciler.errors import Finding, ReconcilerError, Remedy
from reconciler.fabric.embedded import Fabric
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode
from reconciler.model.resource import Agent
from reconciler.sources.repository import ACTIVE, TAIL

# A commit that takes its full time to be judged must not keep another source's, or an operator's, from being judged.
_EXAMINATIONS_AT_ONCE = 2
# After so many, sockets and timers have their turn; what waits keeps its order.
_MOST_EVENTS_AT_ONCE = 200
_LOOK_AGAIN_S = 0.01
_MARK_S = 0.25
"""How long after the journal its mark is written: nothing waits for that, and what is durable in between is said once."""
_TROUBLE = frozenset(
    {
        ("daemon", "held"),
        ("daemon", "undecided"),
        ("daemon", "restart-cap"),
        ("daemon", "unsound-plan"),
        ("daemon", "watchdog-unfed"),
        ("fencing", "failed"),
        ("fencing", "unreachable"),
    }
)
"""Events that somebody has to see in the log."""
_ACTIONS = frozenset({"action_started", "action_done", "action_failed"})
_CUT_SHORT = AgentResult(
    ResultCode.ERROR, OperationStatus.TIMED_OUT, exit_reason="it was cut short: the resource is to stop"
)


class Agents(Protocol):
    """What the shell needs of the agents' runner."""

    async def run(self, call: AgentCall) -> AgentResult:
        """Carry out one operation."""


class ShellParts:
    """What the shell works with; `traits` says of an agent what recording needs, `watch` and `unwatch` follow processes.

    `fence` calls a fence agent: whether it did what it was asked, and if not why. `fence_itself` ends this machine at once.
    `look` has a source say anew how its newest commit stands, `answer` tells it what came of that.
    """

    def __init__(
        self,
        *,
        store: Store,
        fabric: Fabric,
        agents: Agents,
        judge: Judge,
        path: str,
        traits: Callable[[Agent], Coroutine[Any, Any, AgentTraits]],
        publish: Callable[[Mapping[str, str]], None],
        watch: Callable[[str, AgentCall], None],
        unwatch: Callable[[str], None],
        fence: Callable[[CallFenceAgent], Coroutine[Any, Any, tuple[bool, str]]] | None = None,
        fence_itself: Callable[[str], Coroutine[Any, Any, None]] | None = None,
        look: Callable[[str], None] = lambda _: None,
        answer: Callable[[str, str, tuple[Finding, ...]], None] = lambda *_: None,
    ) -> None:
        self.store = store
        self.fabric = fabric
        self.agents = agents
        self.judge = judge
        self.path = path
        self.traits = traits
        self.publish = publish
        self.watch = watch
        self.unwatch = unwatch
        self.fence = fence or _no_fencing
        self.fence_itself = fence_itself or _no_end
        self.look = look
        self.answer = answer


class Shell:
    """Drives one node. Everything but `run_agent`s and examinations happens in the loop's own thread."""

    def __init__(self, node: Node, parts: ShellParts, events: EventLog) -> None:
        self.node = node
        self.parts = parts
        self.events = events
        self.counters = {"events": 0, "messages": 0, "agent_calls": 0, "failures_of_the_loop": 0}
        self.left: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.last_failure: str | None = None
        """What an event came to that could not be handled: a fault of this program."""
        self.supervisor = Supervisor(self._failed, self._leave)
        self.holds: dict[str, str] = {}
        """Why nothing is decided, so that nothing is started or stopped; by who asked for that. What runs is cared for all the same."""
        self.attribute_told: Callable[[Mapping[str, Any]], None] = lambda _: None
        """Called with what is told of a node attribute."""
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Event] = deque()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._scheduled = False
        self._published: Mapping[str, str] | None = None
        self._calls: dict[int, asyncio.Future[AgentResult]] = {}
        """The agents that are being called, by token."""
        self._active_order = asyncio.Lock()
        self._writing = Threads("store", 1)
        """For what must be durable, alone: nothing is decided as long as that waits."""
        self._judging = Threads("judge", _EXAMINATIONS_AT_ONCE)
        self._marking = False

    # The fabric's listener

    def view_changed(self, view: View) -> None:
        """The fabric announced a view."""
        self.tell(ViewChanged(moment(), view))

    def delivered(self, sender: str, data: bytes) -> None:
        """The fabric delivered something."""
        self.counters["messages"] += 1
        self.tell(Delivered(moment(), sender, data))

    # Events

    def tell(self, event: Event) -> None:
        """Have the node told of an event, in its turn."""
        self._queue.append(event)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def hold(self, who: str, why: str) -> None:
        """Decide nothing from now on, until `release` was called by all who asked for this."""
        self.holds[who] = why
        self.emit("daemon", {"what": "held", "text": f"nothing is started or stopped: {why}"})

    def release(self, who: str) -> None:
        """Decide again, unless somebody else holds that up."""
        if self.holds.pop(who, None) is None:
            return
        self.emit("daemon", {"what": "released", "text": "resources are started and stopped again"})
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        """Tell what waits, and when nothing does, that it is quiet."""
        self._scheduled = False
        for _ in range(_MOST_EVENTS_AT_ONCE):
            if not self._queue:
                break
            self._step(self._queue.popleft())
        if self._queue:
            self._scheduled = True
            self._loop.call_soon(self._drain)
            return
        if not self.holds:
            self._decide()

    def _decide(self) -> None:
        """The scheduler makes many objects that refer to each other and are then kept: collecting amid that is waste."""
        gc.disable()
        try:
            self._step(Quiet(moment()))
        finally:
            gc.enable()

    def _step(self, event: Event) -> None:
        """One event. What can't be handled is told, the node first; an effect that fails takes none of the others with it."""
        self.counters["events"] += 1
        effects: Iterable[Effect] = ()
        with self.supervisor.guarded() as caught:
            effects = self.node.step(event)
        if (error := caught.error) is not None:
            with self.supervisor.guarded():
                effects = self.node.step(Unhandled(moment(), event, f"{type(error).__name__}: {error}"))
        for effect in effects:
            with self.supervisor.guarded():
                self._carry_out(effect)

    def _failed(self, error: Exception) -> None:
        self.counters["failures_of_the_loop"] += 1
        LOG.error("an event could not be handled", exc_info=error)
        self.last_failure = f"{type(error).__name__}: {error}"
        self.emit("daemon", {"what": "internal-error", "text": self.last_failure})

    # Effects

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send(data):
                self.parts.fabric.broadcast(data)
            case Write() | Sync() | Begin():
                self._keep(effect)
            case RunAgent() | CutShort() | CallFenceAgent():
                self._call(effect)
            case FenceItself(why):
                self.supervisor.begin(self._fence_itself(why))
            case SetTimer(name, at_ms):
                self._set_timer(name, at_ms)
            case ClearTimer(name):
                if (timer := self._timers.pop(name, None)) is not None:
                    timer.cancel()
            case Emit(type, fields):
                self.emit(type, fields)
            case Examine() | MakePack() | TakePack() | RecordActive() | KeepTail():
                self._at_repository(effect)
            case PublishAttributes(attributes):
                self._publish(attributes)
            case Watch(resource, call):
                self.parts.watch(resource, call)
            case Unwatch(resource):
                self.parts.unwatch(resource)
            case LookAt() | AnswerSource():
                self._tell_source(effect)
            case Join() | Rejoin() | Withdraw() | Leave():
                self._go(effect)
            case _:
                assert_never(effect)

    def _go(self, effect: Join | Rejoin | Withdraw | Leave) -> None:
        match effect:
            case Join():
                self.parts.fabric.join(self)
            case Rejoin(why):
                say(logging.WARNING, "the node leaves the group, and joins it anew", reason=why)
                self.parts.fabric.leave()
                self.parts.fabric.join(self)
            case Withdraw(why):
                say(logging.WARNING, "the node leaves the group", reason=why)
                self.parts.fabric.leave()
            case Leave(why):
                self._leave(why)
            case _:
                assert_never(effect)

    def _at_repository(self, effect: Examine | MakePack | TakePack | RecordActive | KeepTail) -> None:
        match effect:
            case Examine():
                self.supervisor.begin(self._examine(effect))
            case MakePack() | TakePack():
                self.supervisor.begin(self._pack(effect))
            case RecordActive(commit):
                self.supervisor.begin(self.record_active(commit))
            case KeepTail(commits):
                self.supervisor.begin(self._keep_tail(commits))
            case _:
                assert_never(effect)

    def _tell_source(self, effect: LookAt | AnswerSource) -> None:
        match effect:
            case LookAt(source):
                self.parts.look(source)
            case AnswerSource(source, commit, findings):
                self.parts.answer(source, commit, findings)
            case _:
                assert_never(effect)

    def emit(self, type: str, fields: Mapping[str, Any]) -> None:
        """Append to the event log, and to the program's; what daemons tell each other of their nodes is for no reader."""
        if type == "attribute":
            self.attribute_told(fields)
            if str(fields["name"]).startswith("#"):
                return
        self.events.add(type, fields, time.time())
        warns = type in ("rejected", "action_failed") or (type, fields.get("what")) in _TROUBLE
        level = logging.WARNING if warns else logging.INFO
        if type in _ACTIONS and not self.node.is_dc and fields.get("node") != self.node.name:
            level = logging.DEBUG  # It is in the log of who did it, and of the DC.
        say(level, type, **{name: value for name, value in fields.items() if value not in (None, "", [], ())})

    def _set_timer(self, name: str, at_ms: int) -> None:
        if (known := self._timers.pop(name, None)) is not None:
            known.cancel()
        # Half a millisecond late: the loop may fire early by its clock's resolution, and moments are cut to milliseconds.
        self._timers[name] = self._loop.call_at(at_ms / 1000 + 0.0005, self._fire, name)

    def _fire(self, name: str) -> None:
        del self._timers[name]
        self.tell(TimerFired(moment(), name))

    def _call(self, effect: RunAgent | CutShort | CallFenceAgent) -> None:
        match effect:
            case RunAgent():
                self.supervisor.begin(self._run_agent(effect))
            case CutShort(token):
                if (running := self._calls.get(token)) is not None:
                    running.cancel()  # Whose call is over has answered, or is about to.
            case CallFenceAgent():
                self.supervisor.begin(self._fence(effect))
            case _:
                assert_never(effect)

    async def _run_agent(self, effect: RunAgent) -> None:
        """Call an agent. Whatever goes wrong with that, the node learns that the call is over: else the resource would wait for ever."""
        token, call = effect.token, effect.call
        self.counters["agent_calls"] += 1
        with self.supervisor.guarded() as caught:
            result = await self._called(token, call)
        if (error := caught.error) is not None:
            reason = f"the agent could not be called: {type(error).__name__}: {error}"
            result = AgentResult(ResultCode.ERROR, OperationStatus.ERROR, exit_reason=reason)
        self.tell(Finished(moment(), token, result, await self._traits(call)))

    async def _called(self, token: int, call: AgentCall) -> AgentResult:
        """What an agent answers, or that it was cut short."""
        running = self._calls[token] = asyncio.ensure_future(self.parts.agents.run(call))
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})
            raise
        finally:
            del self._calls[token]
        return _CUT_SHORT if running.cancelled() else running.result()

    async def _fence(self, call: CallFenceAgent) -> None:
        """Call a fence agent, after the delay that the order leaves to chance. Whatever goes wrong, the node learns that it is over."""
        order = call.order
        await asyncio.sleep(random.uniform(order.delay_ms, order.delay_most_ms) / 1000)
        succeeded, why = False, ""
        with self.supervisor.guarded() as caught:
            succeeded, why = await self.parts.fence(call)
        if caught.error is not None:
            why = f"the agent could not be called: {type(caught.error).__name__}: {caught.error}"
        self.tell(FenceAgentEnded(moment(), order, succeeded, why))

    async def _fence_itself(self, why: str) -> None:
        """End this machine. Where its device does not, that is told like any fencing that failed; the core stops what runs here besides."""
        try:
            await self.parts.fence_itself(why)
        except ReconcilerError as error:
            name = self.node.name
            self.emit("fencing", {"target": name, "what": "failed", "text": f"{name} could not fence itself: {error}"})

    async def _traits(self, call: AgentCall) -> AgentTraits:
        """Only what does not recur can be answered by a reload, so only for that the agent's traits are recorded."""
        traits = AgentTraits()
        if not call.interval_ms:
            with self.supervisor.guarded():  # The call is over all the same; without traits a change restarts.
                traits = await self.parts.traits(call.agent)
        return traits

    def _publish(self, attributes: Mapping[str, str]) -> None:
        if attributes == self._published:
            return
        self._published = dict(attributes)
        try:
            self.parts.publish(attributes)
        except OSError as error:
            self._published = None
            say(logging.WARNING, "node attributes could not be published to agents", reason=str(error))

    def _leave(self, why: str) -> None:
        if not self.left.done():
            self.left.set_result(why)

    # Proposals

    async def _examine(self, wanted: Examine) -> None:
        """Judge a commit, unless other members may have what is missing for that."""
        if wanted.ask and (lacking := await self._missing(wanted)):
            # While it travels, what judges it gets ready.
            self.supervisor.begin(asyncio.to_thread(self.parts.judge.warm))
            await self._lack(lacking, wanted.commit)
            return
        judgement = await self._judge(wanted)
        self.tell(
            Examined(
                moment(),
                wanted.commit,
                wanted.base,
                judgement.digest,
                judgement.configuration,
                judgement.reason,
                judgement.findings,
                judgement.transient,
                judgement.allow,
            )
        )

    async def _judge(self, wanted: Examine) -> Judgement:
        judge, commit = self.parts.judge, wanted.commit
        with self.supervisor.guarded() as caught:
            judgement = await self._judging.run(
                judge.examine, commit, wanted.base, self.parts.path, wanted.rewrite, wanted.lineage, wanted.source
            )
        return judgement if caught.error is None else _refused_for(commit, caught.error)

    async def _missing(self, wanted: Examine) -> tuple[str, ...]:
        """What has to be in the repository to judge a commit, and is not. What can't be told now, judging it tells."""
        with contextlib.suppress(ReconcilerError):
            return await asyncio.to_thread(missing, self.parts.judge.repository, wanted)
        return ()

    async def _lack(self, commits: tuple[str, ...], proposal: str | None = None) -> None:
        """Tell the node what the repository lacks."""
        known = None
        with contextlib.suppress(ReconcilerError):
            known = await asyncio.to_thread(newest_known, self.parts.judge.repository, self.node.replica.activations)
        self.tell(Lacking(moment(), commits, known, proposal))

    async def _pack(self, wanted: MakePack | TakePack) -> None:
        """Make a pack or take one in. Whatever goes wrong, the node learns that it is over: somebody waits for it."""
        repository, path = self.parts.judge.repository, self.parts.path
        with self.supervisor.guarded() as caught:
            if isinstance(wanted, MakePack):
                self.tell(await asyncio.to_thread(make_pack, repository, path, wanted, moment()))
            else:
                self.tell(await asyncio.to_thread(take_pack, repository, wanted, moment()))
        if caught.error is not None:
            self.tell(failed(wanted, f"{type(caught.error).__name__}: {caught.error}", moment()))

    async def _keep_tail(self, commits: tuple[str, ...]) -> None:
        """Let the repository name the commits that were given up: pruning spares them, and people find them."""
        for commit in commits:
            try:
                await asyncio.to_thread(self.parts.judge.repository.set_reference, TAIL + commit, commit)
            except ReconcilerError as error:
                say(logging.ERROR, "a commit that was given up could not be kept", commit=commit, reason=str(error))

    async def record_active(self, commit: str) -> None:
        """Let the repository name the active commit. The journal is what counts; this is for people and for git.

        Of several calls the last one to begin is also the last to end; one that is overtaken names what is active by then.
        """
        async with self._active_order:
            active = self.node.replica.commit or commit
            try:
                if not await asyncio.to_thread(self.parts.judge.repository.has, active):
                    await self._lack((active,))
                    return
                await asyncio.to_thread(self.parts.judge.repository.set_reference, ACTIVE, active)
            except ReconcilerError as error:
                say(logging.ERROR, "the repository could not be told the active commit", reason=str(error))

    @property
    def abreast(self) -> bool:
        """Whether the node was told everything that waited, and what it wanted to keep is kept."""
        return not self._queue and self.node.abreast

    # The journal

    def _keep(self, effect: Write | Sync | Begin) -> None:
        store = self.parts.store
        match effect:
            case Write(record, begins):
                try:
                    store.append(record, begins=begins)
                except StoreError as error:
                    self.tell(NotWritten(moment(), self._store_failed(error)))
            case Sync(token):
                self.supervisor.begin(self._keep_apart(token, store.sync))
            case Begin(token, snapshot):
                self.supervisor.begin(self._keep_apart(token, store.begin, snapshot))
            case _:
                assert_never(effect)

    async def _keep_apart(self, token: int, function: Callable[..., None], *arguments: bytes) -> None:
        """Have the store do something that takes time, and tell the node what came of it."""
        reason: str | None = None
        with self.supervisor.guarded() as caught:  # Without a thread, say: what is not known to be durable is not.
            try:
                await self._writing.run(function, *arguments)
            except StoreError as error:
                reason = self._store_failed(error)
        if caught.error is not None:
            reason = f"{type(caught.error).__name__}: {caught.error}"
        self.tell(Durable(moment(), token) if reason is None else NotDurable(moment(), token, reason))
        if not self._marking:
            self._marking = True
            self._loop.call_later(_MARK_S, lambda: self.supervisor.begin(self._mark()))

    async def _mark(self) -> None:
        self._marking = False
        await self._writing.run(self.parts.store.note_durable)

    def _store_failed(self, error: StoreError) -> str:
        say(logging.ERROR, "the state could not be written", reason=str(error))
        return str(error)

    async def drained(self, seconds: float) -> bool:
        """Wait, at most so long, until the node was told everything, and what it wanted to keep is kept; whether it was."""
        end = self._loop.time() + seconds
        while not self.abreast and self._loop.time() < end:
            await asyncio.sleep(_LOOK_AGAIN_S)
        return self.abreast


async def _no_end(why: str) -> None:
    """Where nothing can end the machine, what it runs is stopped one by one, which the core asks for as well."""
    say(logging.ERROR, "this node ought to fence itself, and has nothing to do that with", reason=why)


async def _no_fencing(call: CallFenceAgent) -> tuple[bool, str]:
    """Where nothing can call fence agents, nobody is fenced, and the next executor, device or level is tried."""
    return False, f"this node can't call fence agents, so not {call.order.step.device} either"


def _refused_for(commit: str, error: Exception) -> Judgement:
    """What can't be judged or kept is refused, at once and with the reason."""
    passing = isinstance(error, ReconcilerError) and error.remedy is Remedy.RETRY
    return Judgement(commit, None, reason=f"an internal error: {type(error).__name__}: {error}", transient=passing)


def moment() -> Moment:
    """Now."""
    wall = time.time()
    boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return Moment(int(wall * 1000), time.monotonic_ns() // 1_000_000, time.localtime(wall).tm_gmtoff, boot_ms)
