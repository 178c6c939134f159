"""A simulated cluster: hosts, what is between them, and what an operator may do to them."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable, Collection
from random import Random

from reconciler.cib import Cib
from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, parcels, unseal
from reconciler.controller.quorum.votes import Votequorum
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.scheduler.plan import Plan
from reconciler.simulator.clock import Clock
from reconciler.simulator.host import Host
from reconciler.simulator.network import Network
from reconciler.simulator.world import World

_LATE_US = (5_000_000, 60_000_000)
"""How long after it was given up a late device does what it was asked for."""
_BOOT_US = 20_000_000
_MOST_READ = 256


class Devices(enum.Enum):
    """What fence devices do."""

    WELL = "what they are asked for"
    FAILING = "nothing, and say so"
    LATE = "say that they failed, and do it later"
    LYING = "nothing, and say that they did it"


class SimulatedCluster:
    """Hosts that are on, with their processes not started yet; `watch` is told of every step of every node.

    `planner` stands in for the scheduler, where one is given.
    """

    def __init__(
        self,
        names: Collection[str],
        seed: int,
        service: Votequorum | None = None,
        planner: Callable[[Cib, Instant], Plan] | None = None,
    ) -> None:
        self.clock = Clock()
        self.chance = Random(seed)
        votes = dict.fromkeys(names, 1)
        self.network: Network[bytes] = Network(self.clock, self.chance, service or Votequorum.of(votes))
        self.world = World()
        self.planner = planner
        self._envelopes: OrderedDict[bytes, Envelope] = OrderedDict()
        self.commits: dict[str, Configuration] = {}
        self.invalid: set[str] = set()
        """Commits that no member may accept."""
        self.refused: dict[str, frozenset[str]] = {}
        """By commit, the hosts that refuse it by a policy of their own."""
        self.disputed: dict[str, frozenset[str]] = {}
        """By commit, the hosts that understand it otherwise than the rest."""
        self.hanging: set[tuple[str, str, str]] = set()
        """Agents that never answer, by host, resource and task."""
        self.hosts = {name: Host(self, name) for name in names}
        self.devices = Devices.WELL
        self.devices_slow_us = 0
        self.answer_late_us = 0
        """How long after it has done something a device answers."""
        self.deceived: set[str] = set()
        """Hosts of which a device said that it had switched them off, and had not."""
        self.watch: list[Callable[[Host, ev.Event, list[ev.Effect]], None]] = []
        self.watch_silence: list[Callable[[], None]] = []

    @property
    def fencing_fails(self) -> bool:
        """Whether fence devices do nothing, and say so."""
        return self.devices is Devices.FAILING

    @fencing_fails.setter
    def fencing_fails(self, fails: bool) -> None:
        self.devices = Devices.FAILING if fails else Devices.WELL

    def fence(self, target: str, action: str) -> bool:
        """A fence device switches a host off, and with `reboot` on again after a while; whether it says that it did."""
        if self.devices is Devices.FAILING:
            return False
        if self.devices is Devices.LYING:
            self.deceived.add(target)
            return True
        if self.devices is Devices.LATE:
            self.clock.after(self.chance.randint(*_LATE_US), lambda: self._switch(target, action))
            return False
        self._switch(target, action)
        return True

    def parcels(self, envelope: Envelope) -> list[bytes]:
        """What is sent of a message. With the planner of simulations it is remembered, and nobody has to read the bytes."""
        sent = list(parcels(envelope))
        if self.planner is not None and len(sent) == 1:
            self._remember(sent[0], envelope)
        return sent

    def unseal(self, data: bytes) -> Envelope:
        """A message as it is read: what one has read, the others need not read once more."""
        known = self._envelopes.get(data)
        return self._remember(data, unseal(data)) if known is None else known

    def _remember(self, data: bytes, envelope: Envelope) -> Envelope:
        self._envelopes[data] = envelope
        if len(self._envelopes) > _MOST_READ:
            self._envelopes.popitem(last=False)
        return envelope

    def _switch(self, target: str, action: str) -> None:
        host = self.hosts[target]
        if action in ("off", "reboot"):
            host.power_off()
        if action in ("on", "reboot"):
            self.clock.after(_BOOT_US, host.power_on)

    def fell_silent(self) -> None:
        """A host has no process any more."""
        for watcher in self.watch_silence:
            watcher()

    def stepped(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        """A node took an event."""
        for watcher in self.watch:
            watcher(host, event, effects)

    def start(self, *names: str) -> None:
        """Start processes, of all hosts when none is named, and let them find each other."""
        for name in names or tuple(self.hosts):
            self.hosts[name].start()
        self.run(2_000)

    def run(self, ms: int) -> None:
        """Let time pass."""
        end = self.clock.now_us + ms * 1000
        while self.clock.turn(end):
            pass

    def until(self, reached: Callable[[], bool], ms: int = 120_000) -> bool:
        """Let time pass until something is so; whether it came to that."""
        end = self.clock.now_us + ms * 1000
        while not reached():
            if not self.clock.turn(end):
                return reached()
        return True

    def apply(
        self, configuration: Configuration, host: str, commit: str | None = None, *, made_here: bool = False
    ) -> str:
        """A commit arrives at a host, or is made there; its name."""
        name = commit or f"{len(self.commits) + 1:040x}"
        self.commits[name] = configuration
        self.offer(name, host, made_here=made_here)
        return name

    def offer(self, commit: str, host: str, source: str = "test", *, made_here: bool = False) -> None:
        """A commit is offered to the node of a host, if that has a process."""
        node_host = self.hosts[host]
        if node_host.node is not None and not node_host.is_frozen:
            node_host.tell(ev.CommitArrived(node_host.now, commit, source, "a change", made_here=made_here))

    def heal(self) -> None:
        """Mend everything that can be mended from outside."""
        self.hanging.clear()
        self.devices, self.devices_slow_us = Devices.WELL, 0
        self.world.failing.clear()
        self.world.lying.clear()
        self.network.verdicts_late = self.network.stale_verdicts = False
        self.network.slow_us = 0
        self.network.slow.clear()
        for name, host in self.hosts.items():
            host.deaf = False
            self.network.thaw(name)
            host.resume()
            host.disk.full = host.disk.failing = False
            host.disk.slow_us = 0
            host.crash_after = None
            host.power_on()
            host.start()
        self.network.heal()
