"""A simulated cluster: hosts, what is between them, and what an operator may do to them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random

from reconciler.controller import events as ev
from reconciler.controller.quorum.votes import Votequorum
from reconciler.model.cluster import Configuration
from reconciler.simulator.clock import Clock
from reconciler.simulator.host import Host
from reconciler.simulator.network import Network
from reconciler.simulator.world import World


class Cluster:
    """Hosts that are on, with their processes not started yet; `watch` is told of every step of every node."""

    def __init__(self, names: Collection[str], seed: int, service: Votequorum | None = None) -> None:
        self.clock = Clock()
        self.chance = Random(seed)
        votes = dict.fromkeys(names, 1)
        self.network: Network[bytes] = Network(self.clock, self.chance, service or Votequorum.of(votes))
        self.world = World()
        self.commits: dict[str, Configuration] = {}
        self.hanging: set[tuple[str, str, str]] = set()
        """Agents that never answer, by host, resource and task."""
        self.hosts = {name: Host(self, name) for name in names}
        self.fencing_fails = False
        """Whether fence devices do nothing, and say so."""
        self.watch: list[Callable[[Host, ev.Event, list[ev.Effect]], None]] = []

    def fence(self, target: str, action: str) -> bool:
        """A fence device switches a host off, and with `reboot` on again after a while."""
        if self.fencing_fails:
            return False
        host = self.hosts[target]
        if action in ("off", "reboot"):
            host.power_off()
        if action in ("on", "reboot"):
            self.clock.after(20_000_000, host.power_on)
        return True

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

    def apply(self, configuration: Configuration, host: str, commit: str | None = None) -> str:
        """A commit arrives at a host; its name."""
        name = commit or f"{len(self.commits) + 1:040x}"
        self.commits[name] = configuration
        self.offer(name, host)
        return name

    def offer(self, commit: str, host: str) -> None:
        """A commit is offered to the node of a host, if that has a process."""
        node_host = self.hosts[host]
        if node_host.node is not None and not node_host.is_frozen:
            node_host.tell(ev.CommitArrived(node_host.now, commit, "test", "a change"))

    def heal(self) -> None:
        """Mend everything that can be mended from outside."""
        self.hanging.clear()
        self.fencing_fails = False
        self.world.failing.clear()
        self.world.lying.clear()
        self.network.verdicts_late = False
        self.network.slow.clear()
        for name, host in self.hosts.items():
            self.network.thaw(name)
            host.disk.full = host.disk.failing = False
            host.disk.slow_us = 0
            host.crash_after = None
            host.power_on()
            host.start()
        self.network.heal()
