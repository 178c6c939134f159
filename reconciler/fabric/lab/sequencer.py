"""The lab's network: who reaches whom, which views that makes, and one order for what is sent in each.

A host that is on counts for quorum whether or not its process takes part. One that says nothing for a while is missed, as a host that
stands still is by corosync, and is not told; what it had sent is ordered once it goes on, in the view that there is by then.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Protocol

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict, Votequorum
from reconciler.fabric.lab.wire import LabError

MISSED_AFTER_S = 2.0
"""How long a process may say nothing before its host is missed."""


class Port(Protocol):
    """A connection to the process of a node."""

    def view_changed(self, view: View) -> None:
        """It is told of a view."""

    def deliver(self, sender: str, data: bytes) -> None:
        """It is given a message."""


class Sequencer:
    """The network between the hosts of a lab. Nothing here waits: everything is told at once, in order, to every port."""

    def __init__(self, service: Votequorum) -> None:
        self.side: dict[str, int] = dict.fromkeys(service.votes, 0)
        self.on: set[str] = set(service.votes)
        self.views: dict[str, View] = {}
        """By member: the view that it was told of last."""
        self._run = uuid.uuid4().hex[:12]
        self._count = 0
        self._services = dict.fromkeys(service.votes, service)
        self._ports: dict[str, Port] = {}
        self._heard_s: dict[str, float] = {}
        self._missed: set[str] = set()

    @property
    def missed(self) -> frozenset[str]:
        """Hosts whose process has said nothing for too long."""
        return frozenset(self._missed)

    def join(self, node: str, port: Port, at_s: float) -> None:
        """A process becomes a member. Raises LabError when there is no such node."""
        if node not in self.side:
            raise LabError(f"there is no node {node[:100]!r} in this lab")
        self._ports[node] = port
        self._heard_s[node] = at_s
        self._missed.discard(node)
        self._form(anew=node)

    def leave(self, node: str, port: Port) -> None:
        """A process is gone; if another one took its place meanwhile, nothing changes."""
        if self._ports.get(node) is port:
            del self._ports[node]
            self._missed.discard(node)
            self.views.pop(node, None)
            self._form()

    def heard(self, node: str, at_s: float) -> None:
        """A process has said something."""
        self._heard_s[node] = at_s
        if node in self._missed:
            self._missed.discard(node)
            self._form()

    def tick(self, at_s: float) -> None:
        """Time passes: who said nothing for too long is missed."""
        silent = {node for node in self._ports if at_s - self._heard_s[node] > MISSED_AFTER_S}
        if silent - self._missed:
            self._missed |= silent
            self._form()

    def send(self, node: str, data: bytes) -> None:
        """Give a message to all members of the sender's view, in the order in which this is called."""
        view = self.views.get(node)
        if view is None:
            return
        for member in view.members:
            if (port := self._ports.get(member)) is not None and self.views.get(member) is view:
                port.deliver(node, data)

    def cut(self, sides: Collection[Collection[str]]) -> None:
        """Only nodes of one side reach each other; who is named nowhere is alone. Raises LabError for unknown or repeated names."""
        named = [node for side in sides for node in side]
        unknown = sorted(set(named) - set(self.side))
        if unknown or len(named) != len(set(named)):
            raise LabError(f"no such partition: {', '.join(unknown) or 'a node is named twice'}")
        self.side = {node: -index for index, node in enumerate(sorted(self.side), start=1)}
        for index, side in enumerate(sides):
            self.side.update(dict.fromkeys(side, index))
        self._form()

    def heal(self) -> None:
        """All nodes reach each other."""
        self.side = dict.fromkeys(self.side, 0)
        self._form()

    def power(self, node: str, on: bool) -> None:
        """A host is switched on or off; off, it is in no ring, and its process with it."""
        if on:
            self.on.add(node)
        else:
            self.on.discard(node)
            self._ports.pop(node, None)
            self._missed.discard(node)
            self.views.pop(node, None)
        self._form()

    def _form(self, anew: str | None = None) -> None:
        """Announce a view wherever members or hosts are others than before; whoever joins anew is in a view that is new."""
        for side in sorted(set(self.side.values())):
            there = sorted(node for node, of in self.side.items() if of == side)
            hosts = tuple(node for node in there if node in self.on and node not in self._missed)
            members = tuple(node for node in hosts if node in self._ports)
            known = {self.views.get(node) for node in members}
            verdict = self._verdict(hosts)
            same = len(known) == 1 and anew not in members
            (first, *_) = known or {None}
            if members and not (same and first is not None and (first.members, first.hosts) == (members, hosts)):
                self._announce(View(self._next_id(), members, verdict, hosts, tuple(sorted(self.side))))

    def _announce(self, view: View) -> None:
        for node in view.members:
            self.views[node] = view
        for node in view.members:
            self._ports[node].view_changed(view)

    def _verdict(self, hosts: tuple[str, ...]) -> RingVerdict:
        verdict = RingVerdict(False, 1)
        for host in hosts:
            self._services[host], verdict = self._services[host].seen(hosts)
        return verdict

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._run}.{self._count}"


def view_to_plain(view: View) -> dict[str, object]:
    """The plain form of a view."""
    ring = view.ring
    return {
        "id": view.id,
        "members": list(view.members),
        "hosts": list(view.hosts),
        "nodes": list(view.nodes),
        "ring": [ring.quorate, ring.quorum, ring.qdevice_votes, ring.fewest],
    }


def view_from_plain(plain: Mapping[str, object]) -> View:
    """The view that a plain form stands for. Raises LabError."""
    match plain:
        case {
            "id": str(id),
            "members": list(members),
            "hosts": list(hosts),
            "nodes": list(nodes),
            "ring": [bool(quorate), int(quorum), int(qdevice), int(fewest)],
        }:
            ring = RingVerdict(quorate, quorum, qdevice, fewest)
            return View(id, tuple(map(str, members)), ring, tuple(map(str, hosts)), tuple(map(str, nodes)))
    raise LabError("read a view: it is none")
