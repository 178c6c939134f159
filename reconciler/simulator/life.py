"""One life of a cluster: faults, and after each step the rules; then everything is mended, and the cluster has to come to rest.

Source: the design of the cluster, "Safety rules", "The simulator".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from reconciler.cib.canonical import digest
from reconciler.controller import events as ev
from reconciler.frozen import field, frozen
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Clone, Operation, Primitive, primitives
from reconciler.simulator.cluster import Cluster
from reconciler.simulator.faults import Fault, Trouble, draw
from reconciler.simulator.host import Host
from reconciler.simulator.story import Story
from reconciler.simulator.world import Double

REST_MS = 1_200_000
"""How long a cluster that is well may take until it is at rest: fifteen minutes pass between two looks at what time alone changes."""
_NAMES = ("a", "b", "c")
GRACE_US = 30_000_000
"""How long the others wait without fencing: five seconds until a member that is cut off acts, the longest stop, and five more."""
BEGUN_US = 1_000_000
"""How long a start that was begun then may take to show."""
_MOST_INSTANCES = 32
_LEFT_BEHIND = 50_000
"""How many messages may wait for a process that is not frozen."""


@frozen
class Scenario:
    """What is lived through: the same scenario always comes to the same. `configurations` are those that commits may bring."""

    seed: int
    hosts: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    faults: tuple[Fault, ...]


@frozen
class Verdict:
    """What a life came to: the rule that it broke, if it did, and its story. `steps` counts what nodes were told."""

    scenario: Scenario
    broken: str | None
    story: str = field(repr=False)
    steps: int = 0


def scenario(
    seed: int,
    configurations: Sequence[Configuration] = (),
    hosts: Sequence[str] = (),
    count: int | None = None,
) -> Scenario:
    """The scenario of a seed: one to five hosts, one to three resources, and some twenty faults; what is given is not drawn."""
    chance = Random(seed)
    drawn_hosts = tuple(f"n{number}" for number in range(1, 1 + chance.choice((1, 2, 3, 3, 3, 3, 4, 5))))
    drawn = tuple(_configuration(chance) for _ in range(4))
    named = tuple(hosts) or drawn_hosts
    faults = draw(chance, named, chance.randint(5, 40) if count is None else count)
    return Scenario(seed, named, tuple(configurations) or drawn, faults)


def _configuration(chance: Random) -> Configuration:
    names = _NAMES[: chance.randint(1, 3)]
    agent = Agent("ocf", "Dummy", "reconciler")
    resources = tuple(
        Primitive(
            name,
            agent,
            params=plain({"value": str(chance.randint(1, 2))}),
            operations=(Operation("monitor", "10s"),),
        )
        for name in names
    )
    options = {"stonith-enabled": "false", "start-failure-is-fatal": "false"}
    return Configuration(options=plain(options), resources=resources)


class Life:
    """A life as it is lived."""

    def __init__(self, lived: Scenario) -> None:
        self.scenario = lived
        self.cluster = Cluster(lived.hosts, lived.seed)
        self.cluster.world.anonymous = frozenset(name for one in lived.configurations for name in _in_clones(one))
        self.story = Story()
        self.steps = 0
        self.broken: str | None = None
        self.acknowledged: list[str] = []
        """Commits that most hosts have activated."""
        self._held: dict[tuple[int, int, int], tuple[str, tuple[str, str]]] = {}
        self._silent_us: dict[str, tuple[int, int]] = {}
        self._turned_us = 0
        self._excused: set[tuple[str, str]] = set()
        self._troubled: set[tuple[str, str, str]] = set()
        self._activated: dict[str, set[str]] = {}
        self.cluster.watch += [self.story.stepped, self._watch]

    def live(self) -> Verdict:
        """Live it to its end, or to the first rule that it breaks."""
        try:
            self._live()
        except Exception as error:  # noqa: BLE001 - whatever a node's step raises is a finding about it, with its story
            self._break(f"a node failed: {type(error).__name__}: {error}")
        return Verdict(self.scenario, self.broken, self.story.text(self.cluster.world.witnessed), self.steps)

    def _live(self) -> None:
        for host in self.cluster.hosts.values():
            host.start()
        self._commit(self.scenario.hosts[0], 0)
        for fault in self.scenario.faults:
            self._run_to(fault.at_ms * 1000)
            if self.broken is not None:
                return
            self.story.tell(self.cluster.clock.now_us, f"--- {fault}")
            self._note_silent()
            self._perform(fault)
        self._run_to(self.cluster.clock.now_us + 1_000_000)
        if self.broken is None:
            self._come_to_rest()

    def _run_to(self, end_us: int) -> None:
        clock, world = self.cluster.clock, self.cluster.world
        while self.broken is None and clock.turn(end_us):
            self._note_silent()
            if world.doubles:
                self._judge(world.doubles.pop())
            if world.faults:
                self._break(world.faults[0])

    def _note_silent(self) -> None:
        """How long hosts have no process that could stop what runs there, or one that stands still."""
        now_us = self.cluster.clock.now_us
        for name, host in self.cluster.hosts.items():
            if host.node is None or host.is_frozen:
                since_us, until_us = self._silent_us.get(name, (now_us, now_us))
                self._silent_us[name] = (since_us if until_us >= self._turned_us else now_us), now_us
        self._turned_us = now_us

    def _judge(self, double: Double) -> None:
        """Without fencing, what ran on a host that could do nothing about it for the whole grace may start elsewhere."""
        now_us = self.cluster.clock.now_us
        for other in double.others:
            since_us, until_us = self._silent_us.get(other, (now_us, now_us))
            if until_us - since_us >= GRACE_US and now_us - until_us <= BEGUN_US:
                self._excused.add((double.resource, other))
            elif (double.resource, other) not in self._excused:
                self._break(str(double))

    def _break(self, rule: str) -> None:
        self.broken = self.broken or rule
        self.story.tell(self.cluster.clock.now_us, f"*** {rule}")

    # What is watched

    def _watch(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        self.steps += 1
        self._compare(host)
        for effect in effects:
            if isinstance(effect, ev.Emit) and effect.type == "activated":
                commit = str(effect.fields["proposal"])
                have = self._activated.setdefault(commit, set())
                have.add(host.name)
                if 2 * len(have) > len(self.scenario.hosts) and commit not in self.acknowledged:
                    self.acknowledged.append(commit)
        if isinstance(event, ev.ViewChanged) and self.cluster.network.waiting(host.name) > _LEFT_BEHIND:
            self._break(f"{host.name} is left behind: more than {_LEFT_BEHIND:,} messages wait for it")

    def _compare(self, host: Host) -> None:
        """Who has taken in the same messages of the same term holds the same.

        A cluster of one goes on without its disk, and may begin a term again that a crash took away: there is nobody to differ from.
        """
        if host.node is None or len(self.scenario.hosts) == 1:
            return
        shared = host.node.replica.shared
        key = shared.term, shared.seq, shared.beside
        held = shared.chain, str(shared.cib.version)
        known = self._held.setdefault(key, (host.name, held)) if not shared.beside else (host.name, held)
        if known[1] != held:
            self._break(f"{host.name} and {known[0]} differ at {key}: {held} and {known[1]}")

    # What happens

    def _commit(self, host: str, number: int) -> None:
        configurations = self.scenario.configurations
        self.cluster.apply(configurations[number % len(configurations)], host)

    def _perform(self, fault: Fault) -> None:
        host, network = self.cluster.hosts[fault.host], self.cluster.network
        match fault.trouble:
            case Trouble.KILL if not host.is_frozen:
                host.crash()
            case Trouble.KILL_SOON:
                host.crash_after = fault.detail
            case Trouble.START if not host.is_frozen:
                host.start()
            case Trouble.POWER_OFF:
                host.power_off()
            case Trouble.POWER_ON:
                host.power_on()
            case Trouble.FREEZE if host.on:
                network.freeze(fault.host)
            case Trouble.THAW:
                network.thaw(fault.host)
            case Trouble.CUT:
                side = {fault.host, *fault.others}
                network.cut([sorted(side), [other for other in self.scenario.hosts if other not in side]])
            case Trouble.HEAL:
                network.heal()
            case Trouble.SLOW_LEARNER:
                network.slow = {fault.host}
            case Trouble.LATE_VERDICTS:
                network.verdicts_late = not network.verdicts_late
            case Trouble.STALE_VERDICTS:
                network.stale_verdicts = not network.stale_verdicts
            case Trouble.COMMIT:
                self._commit(fault.host, fault.detail)
            case _:
                self._disturb(host, fault)

    def _disturb(self, host: Host, fault: Fault) -> None:
        """What happens on one host."""
        match fault.trouble:
            case Trouble.SLOW_DISK:
                host.disk.slow_us = fault.detail * 1000
            case Trouble.FULL_DISK:
                host.disk.full = True
            case Trouble.FAILING_DISK:
                host.disk.failing = True
            case Trouble.MEND_DISK:
                host.disk.slow_us, host.disk.full, host.disk.failing = 0, False, False
            case Trouble.REPLACE_DISK:
                host.power_off()
                host.disk.replace()
            case Trouble.SKEW:
                host.skew_ms = fault.detail
            case Trouble.RESOURCE_DIES:
                self._let_die(host, fault.detail)
            case Trouble.AGENT_FAILS:
                self.cluster.world.failing[self._trouble(host, fault.detail)] = 1
            case Trouble.AGENT_HANGS:
                self.cluster.hanging.add(self._trouble(host, fault.detail))
            case Trouble.MEND_AGENTS:
                self.cluster.world.failing.clear()
                self.cluster.hanging.clear()
            case Trouble.CLEANUP | Trouble.REFRESH | Trouble.STOP:
                self._ask(host, fault)
            case _:
                pass

    def _let_die(self, host: Host, number: int) -> None:
        idle = [name for name in self.cluster.world.on(host.name) if name not in host.busy]
        if idle:
            self.cluster.world.running.pop((host.name, idle[number % len(idle)]))

    def _trouble(self, host: Host, number: int) -> tuple[str, str, str]:
        operation = self._operation(host, number)
        self._troubled.add(operation)
        return operation

    def _operation(self, host: Host, number: int) -> tuple[str, str, str]:
        names = sorted({name for one in self.scenario.configurations for name in _wanted(one)})
        return host.name, names[number % len(names)], ("start", "monitor", "stop")[number // 8 % 3]

    def _ask(self, host: Host, fault: Fault) -> None:
        if host.node is None or host.is_frozen:
            return
        name = _NAMES[fault.detail % len(_NAMES)]
        match fault.trouble:
            case Trouble.CLEANUP:
                host.tell(ev.CleanupAsked(host.now, (name,)))
            case Trouble.REFRESH:
                host.tell(ev.RefreshAsked(host.now, (name,)))
            case _:
                host.tell(ev.StopAsked(host.now))

    # The end

    def _come_to_rest(self) -> None:
        """Everything is mended, and the cluster has to come to what was committed last."""
        self.story.tell(self.cluster.clock.now_us, "--- everything is mended")
        self._note_silent()
        self.cluster.heal()
        self._run_to(self.cluster.clock.now_us + 60_000_000)
        self._clean_up()
        end_us = self.cluster.clock.now_us + REST_MS * 1000
        left = self._unrest()
        while self.broken is None and left is not None and self.cluster.clock.now_us < end_us:
            self._run_to(self.cluster.clock.now_us + 5_000_000)
            self._start_who_left()
            left = self._unrest()
            if left is not None and self.cluster.clock.now_ms % 60_000 < 5_000:
                self._clean_up()
        if left is not None:
            self._break(f"the cluster does not come to rest: {left}")
        self._check_acknowledged()

    def _clean_up(self) -> None:
        """An operator forgives all failures; that is asked again, for who is asked may be about to leave."""
        for name in _NAMES:
            first = next(iter(self.cluster.hosts.values()))
            if first.node is not None:
                first.tell(ev.CleanupAsked(first.now, (name,)))

    def _start_who_left(self) -> None:
        for host in self.cluster.hosts.values():
            if host.node is None:
                host.start()

    def _unrest(self) -> str | None:
        """What keeps the cluster from being at rest."""
        nodes = {name: host.node for name, host in self.cluster.hosts.items()}
        for name, node in nodes.items():
            if node is None:
                return f"{name} has no process"
            if node.members != tuple(sorted(nodes)):
                return f"{name} has a view of {', '.join(node.members)}"
        living = [node for node in nodes.values() if node is not None]
        if len({digest(node.replica.shared) for node in living}) > 1:
            return "the members do not share one state"
        if not any(node.is_dc and node.coordinator.converged for node in living):
            return "no DC says that nothing is left to do"
        return self._misplaced(living[0].replica.shared.cib.configuration)

    def _misplaced(self, active: Configuration) -> str | None:
        """What is not where it should be, where that is plain: without constraints, each resource runs once."""
        if not _is_plain(active):
            return None
        for resource in _wanted(active):
            if len(self.cluster.world.where(resource)) != 1:
                return f"{resource} runs on {self.cluster.world.where(resource) or 'no host'}"
        # A stop that failed blocks, without fencing: what it left is nobody's to end but the operator's.
        stuck = {name for _, name, task in self._troubled if task == "stop"}
        surplus = {name for _, name in self.cluster.world.running} - set(_wanted(active)) - stuck
        return f"{sorted(surplus)} run and are not wanted" if surplus else None

    def _check_acknowledged(self) -> None:
        for name, host in self.cluster.hosts.items():
            if host.node is None:
                continue
            known = {activation.commit for activation in host.node.replica.activations}
            lost = [commit for commit in self.acknowledged if commit not in known]
            if lost:
                self._break(f"{name} lost the acknowledged {', '.join(lost)}")


def _in_clones(configuration: Configuration) -> Iterator[str]:
    """The names of what may run on many hosts at once, as histories have them."""
    for resource in configuration.resources:
        if isinstance(resource, Clone):
            for primitive in primitives(resource):
                yield from (primitive.id, *(f"{primitive.id}:{number}" for number in range(_MOST_INSTANCES)))


def _is_plain(configuration: Configuration) -> bool:
    return not configuration.constraints and all(
        isinstance(resource, Primitive) and not resource.meta for resource in configuration.resources
    )


def _wanted(configuration: Configuration) -> list[str]:
    return [primitive.id for resource in configuration.resources for primitive in primitives(resource)]
