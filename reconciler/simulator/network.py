"""A virtual ordered network with views, as CPG has them: total order inside a ring, and everything unpleasant that it allows besides.

What it does as the real one does: members that move together have delivered the same, others need not have (a sender may deliver what
nobody else ever gets); what was sent in one view may be delivered in the next, with the old stamp; a frozen process stays a member until
its host is missed, and is never told what happened meanwhile; each side learns of a cut by itself, the one later than the other; the quorum
verdict comes with the view, or (when `verdicts_late`) as a second view with the same members.
Source: the design of the cluster, "What CPG gives, and what not".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict, Votequorum
from reconciler.frozen import frozen, replace
from reconciler.simulator.clock import Clock

M = TypeVar("M")

LATENCY_US = (150, 700)
"""How long a message takes to be ordered, and again to reach a member."""
DETECTION_US = (200_000, 3_600_000)
"""How long a ring takes to notice that somebody is missing."""
JOIN_US = (1_000, 50_000)
"""How long a ring takes to take somebody in."""
STALE_US = (100_000, 2_000_000)
"""How long a verdict may be of the ring before."""
WINDOW_US = 10_000_000
"""With last_man_standing: how long a ring stays before its quorum is reckoned anew."""


@frozen
class Message(Generic[M]):
    """What a member sent, and the view that it was in then."""

    sender: str
    view: str
    payload: M


@dataclass(eq=False)
class _Ring(Generic[M]):
    """One view: its messages in their order, and how many of them each member has got."""

    view: View
    queue: list[Message[M]] = field(default_factory=list)
    got: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class _Port(Generic[M]):
    """A process's connection: what waits for it, and what it has sent that has no place in the order yet."""

    wake: Callable[[], None]
    inbox: deque[View | Message[M]] = field(default_factory=deque)
    unordered: deque[Message[M]] = field(default_factory=deque)
    ring: _Ring[M] | None = None
    view: str = ""  # The one that the process has been told of.


class Network(Generic[M]):
    """The network of a cluster. A host without a joined process counts for the ring's quorum all the same."""

    def __init__(self, clock: Clock, chance: Random, service: Votequorum) -> None:
        self.clock = clock
        self.chance = chance
        self.service: dict[str, Votequorum] = dict.fromkeys(service.votes, service)
        self.side = dict.fromkeys(service.votes, 0)
        self.hosts_up = set(service.votes)
        self.frozen: set[str] = set()
        self.slow: set[str] = set()
        """Hosts that learn of changes long after the others."""
        self.slow_us = 0
        """How long a message may take besides, to be ordered and again to reach a member."""
        self.verdicts: dict[str, RingVerdict] = {}
        """By the id of a view, the verdict with which it was announced."""
        self.verdicts_late = False
        self.stale_verdicts = False
        """Whether a ring is first announced with the verdict of the one before, as two descriptors may tell it."""
        self.qdevice: str | None = None
        """The host whose side the quorum device votes for, where there is a device."""
        self._ports: dict[str, _Port[M]] = {}
        self._views = 0

    # What processes do

    def join(self, node: str, wake: Callable[[], None]) -> None:
        """A process becomes a member; `wake` is called whenever something waits for it."""
        self._ports[node] = _Port(wake)
        self._reform(self.side[node], JOIN_US)

    def leave(self, node: str) -> None:
        """A process is gone; its host is still there. What it had sent without a place in the order is lost."""
        if self._ports.pop(node, None) is not None:
            self._reform(self.side[node], JOIN_US)

    def send(self, node: str, payload: M) -> None:
        """A process sends to all members of its view, itself included; without a view, in the first that it gets."""
        port = self._ports.get(node)
        if port is None:
            return
        port.unordered.append(Message(node, port.view, payload))
        self.clock.after(self._latency_us(), lambda: self._order(node, port))

    def receive(self, node: str) -> View | Message[M] | None:
        """What a process is told next; None when nothing waits."""
        port = self._ports.get(node)
        if port is None or node in self.frozen or not port.inbox:
            return None
        item = port.inbox.popleft()
        if isinstance(item, View):
            port.view = item.id
        return item

    def waiting(self, node: str) -> int:
        """How much waits for a process."""
        port = self._ports.get(node)
        return 0 if port is None else len(port.inbox)

    # What happens to it

    def cut(self, sides: Collection[Collection[str]]) -> None:
        """Only hosts of one side reach each other from now on; who is not named is a side of its own."""
        before = dict(self.side)
        self.side = {node: -index for index, node in enumerate(sorted(self.side), start=1)}
        for index, side in enumerate(sides):
            self.side.update(dict.fromkeys(side, index))
        for number in sorted(set(self.side.values()) | set(before.values())):
            self._reform(number, DETECTION_US)

    def heal(self) -> None:
        """All hosts reach each other again."""
        self.side = dict.fromkeys(self.side, 0)
        self._reform(0, JOIN_US)

    def power_off(self, host: str) -> None:
        """A host is gone, and its process with it."""
        self._ports.pop(host, None)
        self.service[host] = replace(self.service[host], all_seen=False)
        self.hosts_up.discard(host)
        self.frozen.discard(host)
        self._reform(self.side[host], DETECTION_US)

    def power_on(self, host: str) -> None:
        """A host is there again, without a process."""
        self.hosts_up.add(host)
        self._reform(self.side[host], JOIN_US)

    def freeze(self, host: str) -> None:
        """A host stands still: the others miss it after a while, and it is never told."""
        self.frozen.add(host)
        self._reform(self.side[host], DETECTION_US)

    def thaw(self, host: str) -> None:
        """A host goes on: what it sent before is still on its way."""
        self.frozen.discard(host)
        self._reform(self.side[host], JOIN_US)
        if (port := self._ports.get(host)) is not None:
            port.wake()

    # How it is done

    def _order(self, node: str, port: _Port[M]) -> None:
        """Give the oldest message that has none a place in the order of the sender's ring."""
        ring = port.ring
        if self._ports.get(node) is not port or ring is None or not port.unordered or self._is_broken(ring):
            return
        message = port.unordered.popleft()
        ring.queue.append(message)
        for member in ring.view.members:
            self.clock.after(self._latency_us(), lambda member=member: self._arrive(ring, member))  # type: ignore[misc]

    def _latency_us(self) -> int:
        return self.chance.randint(LATENCY_US[0], LATENCY_US[1] + self.slow_us)

    def _is_broken(self, ring: _Ring[M]) -> bool:
        """Whether the token of a ring is lost, because one of its hosts is, or is in another: nothing gets a place any more."""
        side = self.side[ring.view.members[0]]
        ports = [self._ports[node] for node in ring.view.members if node in self._ports]
        if any(port.ring is not None and port.ring is not ring for port in ports):
            return True
        return any(
            self.side[host] != side or host not in self.hosts_up or host in self.frozen for host in ring.view.hosts
        )

    def _arrive(self, ring: _Ring[M], member: str) -> None:
        """The next message of a ring reaches a member, if that is still in it."""
        port = self._ports.get(member)
        if port is None or port.ring is not ring or ring.got[member] >= len(ring.queue):
            return
        if self.side[member] != self.side[ring.queue[ring.got[member]].sender]:
            return
        port.inbox.append(ring.queue[ring.got[member]])
        ring.got[member] += 1
        if member not in self.frozen:
            port.wake()

    def _reform(self, side: int, delay_us: tuple[int, int]) -> None:
        """After a while the members of a side have a ring of those who are there."""
        wait_us = self.chance.randint(*delay_us)
        if any(node in self.slow for node, of in self.side.items() if of == side):
            wait_us += DETECTION_US[1]
        self.clock.after(wait_us, lambda: self._form(side))

    def _form(self, side: int) -> None:
        hosts = tuple(
            sorted(node for node, of in self.side.items() if of == side and node in self.hosts_up - self.frozen)
        )
        members = tuple(node for node in hosts if node in self._ports)
        known = {self._ports[node].ring for node in members}
        if len(known) == 1:
            (ring,) = known
            if ring is not None and ring.view.members == members and ring.view.hosts == hosts:
                self._resume(ring)
                return
        verdict = self._verdict(hosts)
        if not members:
            return
        self._flush(members)
        if (self.verdicts_late and verdict.quorate) or (self.stale_verdicts and not verdict.quorate):
            self._announce(members, hosts, RingVerdict(not verdict.quorate, verdict.quorum))
            wait_us = self.chance.randint(*(STALE_US if self.stale_verdicts else JOIN_US))
            self.clock.after(wait_us, lambda: self._form_again(members, hosts, verdict))
        else:
            self._announce(members, hosts, verdict)

    def _resume(self, ring: _Ring[M]) -> None:
        """What kept a ring from going on was over before anybody was missed."""
        for node in ring.view.members:
            port = self._ports[node]
            left = ring.queue[ring.got[node] :]
            port.inbox.extend(left)
            ring.got[node] += len(left)
            self._order_soon(node, port)
            port.wake()

    def _form_again(self, members: tuple[str, ...], hosts: tuple[str, ...], verdict: RingVerdict) -> None:
        """The verdict of a ring came after the ring."""
        if any(node not in self._ports for node in members):
            return
        rings = {self._ports[node].ring for node in members}
        if len(rings) != 1:
            return
        (ring,) = rings
        if ring is not None and ring.view.members == members and ring.view.hosts == hosts:
            self._flush(members)
            self._announce(members, hosts, verdict)

    def _verdict(self, hosts: tuple[str, ...]) -> RingVerdict:
        verdict = RingVerdict(False, 1)
        for host in hosts:
            self.service[host], verdict = self.service[host].seen(hosts, self.qdevice in hosts)
        return verdict

    def _reckon_anew(self, ring: _Ring[M]) -> None:
        """The window of last_man_standing is over: a quorate ring that lasted may need fewer votes, which is another verdict."""
        hosts = ring.view.hosts
        for host in hosts:
            self.service[host] = self.service[host].settled(hosts, ring.view.ring.quorate)
        verdict = self._verdict(hosts)
        if verdict != ring.view.ring:
            self._form_again(ring.view.members, hosts, verdict)

    def _flush(self, members: tuple[str, ...]) -> None:
        """End the rings that these come from: who moves together has delivered the same, and what has no place yet goes along."""
        rings: dict[_Ring[M], list[str]] = {}
        for node in members:
            if (ring := self._ports[node].ring) is not None:
                rings.setdefault(ring, []).append(node)
        for ring, movers in rings.items():
            end = self.chance.randint(max(ring.got[node] for node in movers), len(ring.queue))
            for node in movers:
                port = self._ports[node]
                port.inbox.extend(ring.queue[ring.got[node] : end])
                ring.got[node] = end
                port.unordered.extendleft(reversed([left for left in ring.queue[end:] if left.sender == node]))

    def _announce(self, members: tuple[str, ...], hosts: tuple[str, ...], verdict: RingVerdict) -> None:
        self._views += 1
        view = View(f"{self._views}", members, verdict, hosts, tuple(sorted(self.service)))
        self.verdicts[view.id] = verdict
        ring: _Ring[M] = _Ring(view, got=dict.fromkeys(members, 0))
        for node in members:
            port = self._ports[node]
            port.ring = ring
            port.inbox.append(view)
            self._order_soon(node, port)
            port.wake()
        if any(self.service[host].last_man_standing for host in hosts):
            self.clock.after(WINDOW_US, lambda: self._reckon_anew(ring) if self._lasts(ring) else None)

    def _lasts(self, ring: _Ring[M]) -> bool:
        return all(
            node in self._ports and self._ports[node].ring is ring for node in ring.view.members
        ) and not self._is_broken(ring)

    def _order_soon(self, node: str, port: _Port[M]) -> None:
        for _ in range(len(port.unordered)):
            self.clock.after(self._latency_us(), lambda: self._order(node, port))


def votes_of(nodes: Collection[str]) -> Mapping[str, int]:
    """A vote for each."""
    return dict.fromkeys(sorted(nodes), 1)
