"""Every life of a small scope: two nodes, one resource, and a bounded number of faults, each at every moment at which anything happens.

A life without faults is taken apart into its turns: a message arrives, a disk answers, an agent ends, a timer fires. Each fault of the
scope is tried before each turn from the first commit until nothing is left to do; after a fault, the next one before each turn of a
bounded time. Chance is not drawn: what takes time always takes as long, so the faults are all that differs, and the scope is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from reconciler.frozen import field, frozen, replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.faults import Fault, Trouble
from reconciler.simulator.host import Host
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import Scenario, Verdict

TROUBLES = (
    Trouble.KILL,
    Trouble.POWER_OFF,
    Trouble.FREEZE,
    Trouble.PAUSE,
    Trouble.CUT,
    Trouble.FULL_DISK,
    Trouble.FAILING_DISK,
    Trouble.RESOURCE_DIES,
    Trouble.MEMORY,
    Trouble.STOP,
    Trouble.COMMIT,
)
"""What may go wrong on each host."""
HOSTS = ("n1", "n2")
_LIVES_ON_MS = 40_000
"""How long a life goes on after its last fault before everything is mended: longer than anything is waited for with fencing."""
_OF_ALL = frozenset({Trouble.CUT})
"""Between two hosts it is the same from either."""
_MOST_TURNS = 2_000


class Steady(Random):
    """Chance that always comes out in the middle."""

    def randint(self, a: int, b: int) -> int:
        """The middle of the two."""
        return (a + b) // 2

    def random(self) -> float:
        """One half."""
        return 0.5


@frozen
class Scope:
    """What is explored: `faults` is how many go wrong in one life, `window` before how many turns after one fault the next may come.

    `hosts` are those on which something goes wrong.
    """

    faults: int = 1
    troubles: tuple[Trouble, ...] = TROUBLES
    hosts: tuple[str, ...] = HOSTS
    window: int = 40
    quorum: str = "two-node"
    fencing: bool = True

    @property
    def choices(self) -> tuple[tuple[Trouble, str], ...]:
        """What may happen at one moment."""
        return tuple(
            (trouble, host) for trouble in self.troubles for host in (HOSTS[:1] if trouble in _OF_ALL else self.hosts)
        )


Step = tuple[int, Trouble, str]
"""A fault before a turn of a life, on a host."""


@frozen
class Explored:
    """What came of it: how many lives, how many different states of the whole cluster were met, and the lives that broke a rule."""

    lives: int = 0
    states: frozenset[int] = field(default=frozenset(), repr=False)
    broken: tuple[Verdict, ...] = ()

    def plus(self, other: Explored) -> Explored:
        """Both together."""
        return Explored(self.lives + other.lives, self.states | other.states, self.broken + other.broken)


def scenario_of(scope: Scope) -> Scenario:
    """The cluster of a scope: a service that is watched, its parameters in two versions, and a fence device where there is fencing."""
    options = {"stonith-enabled": "true" if scope.fencing else "false", "start-failure-is-fatal": "false"}
    device = (Primitive("power", Agent("stonith", "fence_lab")),) if scope.fencing else ()
    configurations = tuple(
        Configuration(
            options=plain(options),
            resources=(
                *device,
                Primitive(
                    "a",
                    Agent("ocf", "Dummy", "reconciler"),
                    params=plain({"value": value}),
                    operations=(Operation("monitor", "10s"),),
                ),
            ),
        )
        for value in ("1", "2")
    )
    return Scenario(0, HOSTS, configurations, (), toy=True, quorum=scope.quorum)


def turns(scope: Scope) -> int:
    """How many turns the life without faults has until nothing is left to do."""
    return _Walk(scope, ()).until_settled()


def firsts(scope: Scope) -> Iterator[Step]:
    """Every first fault."""
    for turn in range(turns(scope)):
        for trouble, host in scope.choices:
            yield turn, trouble, host


def explore_from(scope: Scope, steps: tuple[Step, ...]) -> Explored:
    """The life with these faults, and all that begin with them."""
    walk = _Walk(scope, steps)
    verdict = walk.live()
    found = Explored(1, frozenset(walk.states), (verdict,) if verdict.broken is not None else ())
    if len(steps) >= scope.faults:
        return found
    for turn in range(steps[-1][0], steps[-1][0] + scope.window):
        for trouble, host in scope.choices:
            found = found.plus(explore_from(scope, (*steps, (turn, trouble, host))))
    return found


def explore(scope: Scope) -> Explored:
    """All of a scope."""
    found = explore_from(replace(scope, faults=0), ())
    for step in firsts(scope):
        found = found.plus(explore_from(scope, (step,)))
    return found


class _Walk(Life):
    """A life whose faults come at turns."""

    def __init__(self, scope: Scope, steps: tuple[Step, ...]) -> None:
        super().__init__(scenario_of(scope))
        steady = Steady(0)
        self.cluster.chance = self.cluster.network.chance = steady
        for host in self.cluster.hosts.values():
            host.disk.chance = steady
        self._steps = steps
        self.states: set[int] = set()

    def until_settled(self) -> int:
        """Live without faults; the number of turns until nothing is left to do."""
        self._begin()
        count = 0
        while count < _MOST_TURNS and not self._is_settled():
            self._turn()
            count += 1
        return count

    def _live(self) -> None:
        self._begin()
        waiting = list(self._steps)
        count = 0
        while waiting and self.broken is None:
            while waiting and waiting[0][0] <= count:
                self._go_wrong(*waiting.pop(0))
            self._turn()
            count += 1
        self._run_to(self.cluster.clock.now_us + _LIVES_ON_MS * 1000)
        if self.broken is None:
            self._come_to_rest()

    def _begin(self) -> None:
        for host in self.cluster.hosts.values():
            host.start()
        self._run_to(1_000_000)
        self._commit(HOSTS[0], 0)

    def _turn(self) -> None:
        clock = self.cluster.clock
        clock.turn(clock.now_us + 60_000_000)
        self.rules.turned()
        self._note_state()

    def _go_wrong(self, turn: int, trouble: Trouble, host: str) -> None:
        fault = Fault(self.cluster.clock.now_ms, trouble, host, 1 if trouble is Trouble.COMMIT else 0)
        self.story.tell(self.cluster.clock.now_us, f"--- {fault}, before turn {turn}")
        self._perform(fault)

    def _is_settled(self) -> bool:
        nodes = [host.node for host in self.cluster.hosts.values()]
        return bool(self.cluster.world.where("a")) and all(node is not None and node.converged for node in nodes)

    def _run_to(self, end_us: int) -> None:
        clock = self.cluster.clock
        while self.broken is None and clock.turn(end_us):
            self.rules.turned()
            self._note_state()

    def _note_state(self) -> None:
        """A state of the whole cluster: what each node holds and believes, what its disk has, what waits, and what is really so."""
        world, network = self.cluster.world, self.cluster.network
        hosts = tuple(_seen(host, network.waiting(host.name)) for host in self.cluster.hosts.values())
        running = tuple(sorted((key, tuple(one.parameters.items())) for key, one in world.running.items()))
        self.states.add(hash((hosts, running, tuple(sorted(network.frozen)))))


def _seen(host: Host, waiting: int) -> tuple[object, ...]:
    disk = len(host.disk.records), host.disk.durable, waiting
    busy = tuple(sorted((name, call.operation) for name, call in host.busy.items()))
    node = host.node
    if node is None:
        return (host.on, host.boot, busy, *disk)
    shared, partition = node.replica.shared, node.replica.partition
    held = shared.term, shared.seq, shared.beside, shared.chain, node.replica.own.promised
    return (host.paused, held, partition, node.abreast, node.converged, busy, *disk)
