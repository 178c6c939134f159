"""Every life of two faults in a small scope, where what comes to a moment that another life has been in goes on no further.

`reconciler.simulator.exhaustive` lives each life to its end: two faults would be 1.7 million lives. Here each second fault is tried once in
each moment that lives with one fault come to before all is mended, and a life with both ends where it comes to a moment that one before it
has lived on from.
Two moments are alike when the whole cluster holds the same: what every node holds and remembers, what its disk would give back, what is on
its way, what runs, which timers, agents and devices are due, and how soon. Left out are times of day, hashes over them, differences in time
of less than `STEP_US`, and what only counts (how many messages a term has had): that is what this search takes for granted.

`python tests/simulator/pruned.py KILL,POWER_OFF` explores the scope of these troubles, and says how large it was.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from reconciler.controller.journal import Record, snapshot_bytes
from reconciler.controller.membership.events import View
from reconciler.controller.node import Node
from reconciler.simulator.exhaustive import Scope, Step, _Walk, firsts
from reconciler.simulator.faults import Trouble
from reconciler.simulator.host import Host
from reconciler.simulator.scenario import Verdict

STEP_US = 250_000
_PASSING = re.compile(
    rb"18000\d{8}|18000\d{5}|[0-9a-f]{64}"
    rb'|"(?:seq|beside|number|num_updates|call-id|heard|version|call_id)":"?[^,}]*'
)
"""Times of day in milliseconds and seconds, hashes, and numbers that only count."""


class Likeness:
    """Tells moments apart; remembers what it has worked out of values that stay."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[object, object, int]] = {}

    def of(self, walk: _Walk) -> int:
        """A number that is the same for moments that are alike."""
        cluster, world, clock = walk.cluster, walk.cluster.world, walk.cluster.clock
        due = sorted((_step(at_us - clock.now_us), _name(action)) for at_us, _, action in clock._waiting)
        running = sorted((key, tuple(one.parameters.items())) for key, one in world.running.items())
        hosts = tuple(self._host(host) for host in cluster.hosts.values())
        around = tuple(sorted(cluster.network.frozen)), tuple(cluster.network.side.values()), len(cluster.commits)
        timers = (one for one in due if not one[1].startswith("Host._later_at"))  # Those of nodes are told by nodes.
        return hash((hosts, tuple(running), tuple(timers), around))

    def _host(self, host: Host) -> Hashable:
        port, disk = host.around.network._ports.get(host.name), host.disk
        inbox = () if port is None else (*port.inbox, *port.unordered)
        waiting = tuple(
            item.members if isinstance(item, View) else (item.sender, _text(item.payload)) for item in inbox
        )
        ring = None if port is None or port.ring is None else port.ring.view.members
        written = tuple(_text(one.data if isinstance(one, Record) else one) for one in disk.records[disk.durable :])
        busy = tuple(sorted((name, call.operation, call.interval_ms) for name, call in host.busy.items()))
        timers = tuple(
            sorted((name, _step(1000 * at_ms - host.around.clock.now_us)) for name, at_ms in host._timers.items())
        )
        stands = host.on, host.paused, host.exhausted, disk.full, disk.failing
        return stands, ring, waiting, written, busy, timers, None if host.node is None else self._node(host.node)

    def _node(self, node: Node) -> Hashable:
        replica, parts = node.replica, node.parts
        known = self._held.get(node.name)
        if known is None or known[0] is not replica.shared or known[1] is not replica.own:
            known = replica.shared, replica.own, _text(snapshot_bytes(replica))
            self._held[node.name] = known
        transition = node.coordinator.transition
        doing = None if transition is None else (tuple(sorted(transition.running)), tuple(sorted(transition.done)))
        jobs = tuple(sorted((job.launched.resource, job.launched.task) for job in node.executor.running.values()))
        return (
            known[2],
            (replica.partition.members, replica.partition.installed, node.is_dc, node.abreast, node.converged),
            (parts.unsure, node.stopping, len(parts.outbox.results), len(parts.outbox._waiting)),
            (doing, node.coordinator.stale is None, jobs, tuple(sorted(node.executor.recurring))),
        )


@lru_cache(1 << 16)
def _text(data: bytes) -> int:
    return hash(_PASSING.sub(b"", data))


def _step(us: int) -> int:
    return us // STEP_US


def _name(action: object) -> str:
    return str(getattr(action, "__qualname__", type(action).__name__))


class _Pruned(_Walk):
    """A life that ends where it comes to a moment that is known."""

    def __init__(self, scope: Scope, steps: tuple[Step, ...], search: Search) -> None:
        super().__init__(scope, steps)
        self._search = search
        self._last_turn = steps[-1][0]
        self._turns = 0
        self.is_known = self._is_mended = False
        self.after: list[int] = []
        """The moments before the turns that follow on the last fault."""

    def _note_state(self) -> None:
        self._turns += 1
        if self._turns <= self._last_turn or self.is_known or self._is_mended:
            return
        moment = self._search.likeness.of(self)
        self._search.moments.add(moment)
        if len(self._steps) < self._search.scope.faults:
            self.after.append(moment)
        elif moment in self._search.lived:
            self.is_known = True
        else:
            self._search.lived.add(moment)

    def _begin(self) -> None:
        super()._begin()
        self._turns = 0

    def _run_to(self, end_us: int) -> None:
        clock = self.cluster.clock
        while self.broken is None and not self.is_known and clock.turn(end_us):
            self.rules.turned()
            self._note_state()

    def _come_to_rest(self) -> None:
        self._is_mended = True
        if not self.is_known:
            super()._come_to_rest()

    def _break(self, rule: str) -> None:
        if not self.is_known:
            super()._break(rule)


@dataclass
class Search:
    """What was explored: lives of one fault and of two, how many of these ended at a known moment, and those that broke a rule."""

    scope: Scope
    likeness: Likeness = field(default_factory=Likeness)
    moments: set[int] = field(default_factory=set)
    lived: set[int] = field(default_factory=set)
    tried: set[tuple[int, Trouble, str]] = field(default_factory=set)
    lives: int = 0
    ended_early: int = 0
    steps: int = 0
    broken: list[Verdict] = field(default_factory=list)

    def explore(self, begins: Iterable[Step]) -> Search:
        """All lives that begin with one of these faults: to their ends, and with a second one in every moment that they come to."""
        for step in begins:
            for second in self._seconds(step):
                self._live((step, second))
        return self

    def _seconds(self, first: Step) -> Iterator[Step]:
        walk = self._live((first,))
        for place, moment in enumerate(walk.after[: self.scope.window]):
            for trouble, host in self.scope.choices:
                if (moment, trouble, host) not in self.tried:
                    self.tried.add((moment, trouble, host))
                    yield first[0] + place + 1, trouble, host

    def _live(self, steps: tuple[Step, ...]) -> _Pruned:
        walk = _Pruned(self.scope, steps, self)
        verdict = walk.live()
        self.lives += 1
        self.ended_early += walk.is_known
        self.steps += verdict.steps
        if verdict.broken is not None:
            self.broken.append(verdict)
        return walk


if __name__ == "__main__":
    search = Search(Scope(2, tuple(Trouble[name] for name in sys.argv[1].split(","))))
    begun = time.process_time()
    all_firsts = list(firsts(search.scope))
    for number, step in enumerate(all_firsts, 1):
        search.explore((step,))
        if number % 8 == 0 or number == len(all_firsts):
            print(
                f"{number} of {len(all_firsts)} first faults: {search.lives:,} lives, {search.ended_early:,} ended early,"
                f" {len(search.moments):,} moments, {search.steps:,} steps, {time.process_time() - begun:.0f} s: "
                f"{len(search.broken)} broke a rule",
                flush=True,
            )
    for verdict in search.broken[:3]:
        print(verdict.broken, verdict.scenario.faults, verdict.story, sep="\n", end="\n\n")
