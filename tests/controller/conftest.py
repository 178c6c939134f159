"""One node, driven without a daemon: a virtual clock, agents that are a dictionary, a journal that is a list.

`SingleNode` has the shell's one shape: take an event, call `step`, carry out the effects, feed the answers back. After every step it
checks the safety rules that one node can break.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from reconciler.analysis.recording import AgentTraits
from reconciler.cib.canonical import digest
from reconciler.controller import events as ev
from reconciler.controller.envelope import Chunk, Envelope, parcels, seal, unseal
from reconciler.controller.guarding import GuardPolicy
from reconciler.controller.journal import Record, restore
from reconciler.controller.members import with_members
from reconciler.controller.membership.events import View
from reconciler.controller.messages import Message
from reconciler.controller.moment import Moment
from reconciler.controller.node import Node
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import ActionKind
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, node_of

EPOCH_MS = 1_800_000_000_000
RUN = "00000000-0000-0000-0000-000000000001"


@dataclass
class World:
    """What the agents do: which resources run, with which parameters, and how operations are to fail."""

    running: dict[str, dict[str, str]] = field(default_factory=dict)
    promoted: set[str] = field(default_factory=set)
    failing: dict[tuple[str, str], int] = field(default_factory=dict)
    scores: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    traits: AgentTraits = field(default_factory=AgentTraits)

    def call(self, call: AgentCall) -> AgentResult:
        """Carry out one call."""
        name, task = call.resource, call.operation
        self.calls.append(f"{name} {task}" + (f"={call.interval_ms}" if call.interval_ms else ""))
        if (name, task) in self.failing:
            return AgentResult(self.failing[name, task], exit_reason="asked to fail")
        match task:
            case "start":
                assert name not in self.running, f"{name} is started although it runs"
                self.running[name] = dict(call.parameters)
            case "stop":
                known = self.running.pop(name, None)
                self.promoted.discard(name)
                assert known is None or known == dict(call.parameters), f"{name} is stopped with other parameters"
            case "reload-agent":
                self.running[name] = dict(call.parameters)
            case "promote":
                assert name in self.running
                self.promoted.add(name)
            case "demote":
                self.promoted.discard(name)
            case "monitor":
                if name not in self.running:
                    return AgentResult(7)
                if self.running[name] != dict(call.parameters):
                    return AgentResult(7)  # An agent sees only what its parameters name.
                return AgentResult(8 if name in self.promoted else 0)
        score = self.scores.get(name)
        return AgentResult(0, attributes={f"master-{name}": score} if score is not None and task == "start" else {})


class SingleNode:
    """A cluster of one node with a virtual clock."""

    def __init__(self, world: World | None = None, name: str = "n1") -> None:
        self.name = name
        self.world = world or World()
        self.mono_ms = 0
        self.clock_offset_ms = EPOCH_MS
        self.boot = "boot-1"
        self.journal: list[Record] = []
        """What was written since the first start, however many generations there were."""
        self.sent: list[bytes] = []
        """What was sent."""
        self.snapshot: bytes | None = None
        self.kept = 0
        """How much of the journal the snapshot has."""
        self.views = 0
        self.commits: dict[str, Configuration] = {}
        self.emitted: list[ev.Emit] = []
        self.left: str | None = None
        self.latency_ms = 10
        self.drop: type | None = None
        """The kind of message that the disk does not make durable, though it took it."""
        self.trouble: str | None = None
        """Why the next start trusts nothing that was proposed before."""
        self.full = False
        """Whether the disk takes nothing more."""
        self.trailers: tuple[str, ...] = ()
        """What commits consent to."""
        self.policy = GuardPolicy(hold=())
        """What holds commits back: nothing, unless a test is about that."""
        self.look: Callable[[str], None] = lambda _: None
        self.answer: Callable[[str, str, object], None] = lambda *_: None
        self.start()

    @property
    def now(self) -> Moment:
        return Moment(self.mono_ms + self.clock_offset_ms, self.mono_ms)

    @property
    def cib(self):
        return self.node.replica.cib

    def start(self) -> None:
        """Start the process: read the journal again, and join."""
        replica, unused = restore(self.name, self.snapshot, self.journal[self.kept :])
        assert unused == []
        self.node = Node(self.name, RUN, replica, self.boot)
        self.node.proposals.policy = self.policy
        self.timers: dict[str, int] = {}
        self.agents: list[tuple[int, int, AgentCall]] = []
        self.pending: deque[object] = deque()
        self.watched: set[str] = set()
        self.feed(ev.Started(self.now, self.boot, self.trouble))

    def crash(self, *, in_flight_done: bool = True) -> None:
        """The process dies; what agents were doing still happens, or never did."""
        for _, _, call in self.agents:
            if in_flight_done:
                self.world.call(call)
        self.start()

    def feed(self, event: object) -> None:
        """Tell the node something, and carry out everything that follows at once."""
        self.pending.append(event)
        self.settle()

    def settle(self) -> None:
        """Carry out until nothing is left to be told."""
        while True:
            while self.pending:
                self.carry_out(self.node.step(self.pending.popleft()))
            effects = self.node.step(ev.Quiet(self.now))
            self.carry_out(effects)
            if not self.pending:
                return

    def carry_out(self, effects: list[object]) -> None:
        for effect in effects:
            match effect:
                case ev.Send(data):
                    self.send(data)
                case ev.Write() | ev.Sync() | ev.Begin():
                    self.keep(effect)
                case ev.Examine(commit, base):
                    self.examine(commit, base)
                case ev.RunAgent() | ev.CutShort():
                    self.call(effect)
                case ev.SetTimer(name, at_ms):
                    self.timers[name] = at_ms
                case ev.ClearTimer(name):
                    self.timers.pop(name, None)
                case ev.LookAt(source):
                    self.look(source)
                case ev.AnswerSource(source, commit, findings):
                    self.answer(source, commit, findings)
                case ev.Emit():
                    self.emitted.append(effect)
                case ev.Leave(why):
                    self.left = why
                case ev.Join():
                    self.join()
                case ev.Watch(resource, _):
                    self.watched.add(resource)
                case ev.Unwatch(resource):
                    self.watched.discard(resource)

    def call(self, effect: ev.RunAgent | ev.CutShort) -> None:
        """Have an agent called, or end its processes before it has done anything."""
        if isinstance(effect, ev.RunAgent):
            token, call = effect.token, effect.call
            assert not any(other.resource == call.resource for _, _, other in self.agents), "two operations at once"
            heapq.heappush(self.agents, (self.mono_ms + self.latency_ms, token, call))
            return
        left = [one for one in self.agents if one[1] != effect.token]
        if len(left) < len(self.agents):
            self.agents = left
            heapq.heapify(self.agents)
            self.pending.append(ev.Finished(self.now, effect.token, AgentResult(1, OperationStatus.TIMED_OUT)))

    def join(self) -> None:
        """Become the only member of a group."""
        self.views += 1
        view = View(f"view-{self.views}", (self.name,), RingVerdict(True, 1), (self.name,))
        self.pending.append(ev.ViewChanged(self.now, view))

    def send(self, data: bytes) -> None:
        """Deliver to ourselves; every whole message reads as it was written."""
        envelope = unseal(data)
        assert seal(envelope) == data
        self.sent.append(data)
        self.pending.append(ev.Delivered(self.now, self.name, data))

    def broadcast(self, message: Message) -> None:
        """Send something as this node would, by itself."""
        for data in parcels(
            Envelope(self.node.replica.shared.cluster, self.node.replica.partition.view, self.name, message)
        ):
            self.send(data)

    def hear(self, sender: str, message: Message) -> None:
        """Another member sent something in this view."""
        partition = self.node.replica.partition
        self.node.replica.partition = replace(partition, members=tuple(sorted({*partition.members, sender})))
        data = seal(Envelope(self.node.replica.shared.cluster, partition.view, sender, message))
        self.feed(ev.Delivered(self.now, sender, data))
        self.node.replica.partition = partition

    def keep(self, effect: ev.Write | ev.Sync | ev.Begin) -> None:
        match effect:
            case ev.Write(record, _):
                self.write(record)
            case ev.Sync(token):
                self.sync(token)
            case ev.Begin(token, snapshot):
                self.begin(token, snapshot)

    def write(self, record: Record) -> None:
        if self.full:
            self.pending.appendleft(ev.NotWritten(self.now, "no space left"))
        else:
            self.journal.append(record)

    def sync(self, token: int) -> None:
        last = self.journal[-1] if self.journal else Record("", b"")
        lost = self.drop is not None and last.kind == "M" and isinstance(message_of(last), self.drop)
        if self.full or lost:
            self.pending.append(ev.NotDurable(self.now, token, "no space left"))
        else:
            self.pending.append(ev.Durable(self.now, token))

    def begin(self, token: int, snapshot: bytes) -> None:
        if self.full:
            self.pending.append(ev.NotDurable(self.now, token, "no space left"))
            return
        self.snapshot, self.kept = snapshot, len(self.journal)
        self.pending.append(ev.Durable(self.now, token))

    def examine(self, commit: str, base: str | None) -> None:
        configuration = self.commits.get(commit)
        if configuration is None:
            self.pending.append(ev.Examined(self.now, commit, base, reason="it is invalid"))
            return
        self.pending.append(
            ev.Examined(self.now, commit, base, digest(configuration), configuration, allow=self.trailers)
        )

    def tick(self) -> bool:
        """Let the next thing happen; False when nothing is left but what recurs later."""
        due = [(at_ms, name) for name, at_ms in self.timers.items()]
        next_timer = min(due, default=None)
        if self.agents and (next_timer is None or self.agents[0][0] <= next_timer[0]):
            at_ms, token, call = heapq.heappop(self.agents)
            self.mono_ms = max(self.mono_ms, at_ms)
            self.feed(ev.Finished(self.now, token, self.world.call(call), self.world.traits))
            return True
        if next_timer is None:
            return False
        self.mono_ms = max(self.mono_ms, next_timer[0])
        del self.timers[next_timer[1]]
        self.feed(ev.TimerFired(self.now, next_timer[1]))
        return True

    def run(self, ms: int = 60_000) -> None:
        """Let time pass."""
        end = self.mono_ms + ms
        while True:
            upcoming = min([*self.timers.values(), *(at for at, _, _ in self.agents)], default=end + 1)
            if upcoming > end:
                break
            self.tick()
        self.mono_ms = end

    def converge(self, steps: int = 5000) -> None:
        """Let things happen until the node says that nothing is left to do."""
        for _ in range(steps):
            if self.node.coordinator.converged and not self.agents and not self.node.coordinator.busy:
                return
            assert self.tick(), f"stuck: {self.node.phase}, {self.node.coordinator.stale}"
        raise AssertionError(f"does not converge: {self.world.calls[-20:]}")

    def apply(self, configuration: Configuration, commit: str | None = None) -> str:
        """Have a configuration proposed; the commit's name."""
        name = commit or f"{len(self.commits) + 1:040x}"
        self.commits[name] = configuration
        self.feed(ev.CommitArrived(self.now, name, "test", "a change"))
        return name

    def events(self, *types: str) -> list[dict]:
        return [{"type": emit.type, **emit.fields} for emit in self.emitted if not types or emit.type in types]

    def plan(self):
        """What the scheduler would do now."""
        return schedule(with_members(self.cib), Instant(self.now.epoch_s))

    def assert_nothing_to_do(self) -> None:
        left = [action.key for action in self.plan().actions if action.kind is not ActionKind.PSEUDO]
        assert left == [], f"planning again plans {left}"


def message_of(record: Record) -> Message:
    """The message of a record."""
    message = unseal(record.data.partition(b" ")[2]).message
    assert not isinstance(message, Chunk)
    return message


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def single(world: World) -> SingleNode:
    return SingleNode(world)


@pytest.fixture(scope="session")
def new_node():
    """Makes nodes, for tests that need a fresh one for each example."""
    return SingleNode


# A member among others


@pytest.fixture
def cluster() -> SimulatedCluster:
    """Three members, of which n1 is the DC."""
    return cluster_of("n1", "n2", "n3")


@pytest.fixture
def host(cluster: SimulatedCluster) -> Host:
    """The second of them."""
    return cluster.hosts["n2"]


@pytest.fixture
def node(cluster: SimulatedCluster) -> Node:
    """Its node."""
    return node_of(cluster, "n2")
