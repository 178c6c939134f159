"""Members that install views over the virtual network and append to one history: the machine of membership with nothing around it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from reconciler.controller.membership import machine
from reconciler.controller.membership.events import (
    Announced,
    Donate,
    Install,
    Installation,
    JoinAnew,
    MembershipEffect,
    MembershipEvent,
    MembershipHeard,
    OwnFacts,
    Promise,
    Promised,
    Reannounce,
    Receive,
    StateKept,
    Tell,
    View,
    Wait,
    Waited,
)
from reconciler.controller.membership.history import Lineage, Rank, StateId, extended, has_tail
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.quorum.votes import Votequorum
from reconciler.frozen import frozen, replace
from reconciler.simulator.clock import Clock
from reconciler.simulator.disk import Disk
from reconciler.simulator.network import Message, Network


@frozen
class Held:
    """A whole state: what was appended, and where it stands."""

    id: StateId = StateId()
    entries: tuple[str, ...] = ()
    lineage: Lineage = ()
    known: tuple[tuple[str, int], ...] = ()


@frozen
class State:
    """The donor's state, as it travels."""

    held: Held


@frozen
class Entry:
    """Something to append."""

    name: str


@frozen
class HeldBy:
    """A member holds an entry durably."""

    name: str


def chained(chain: str, *parts: object) -> str:
    return hashlib.sha256(repr((chain, *parts)).encode()).hexdigest()[:16]


@dataclass
class Book:
    """What is seen from outside: who acknowledged what, what was installed where."""

    acknowledged: dict[str, int] = field(default_factory=dict)  # entry -> term
    installed: dict[tuple[str, tuple[str, ...]], Installation] = field(default_factory=dict)
    chains: dict[Rank, str] = field(default_factory=dict)
    tails: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)


class Member:
    """One process. Its disk holds records: ("promised", term), ("installed", state), ("entry", name), ("beside", name)."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name
        self.disk: Disk[tuple[str, object]] = Disk(cluster.clock, cluster.chance)
        self.life = 0
        self.up = False
        self.blank = False

    def start(self) -> None:
        self.life += 1
        self.up = True
        self.machine: machine.Membership = machine.NoView()
        self.held, self.promised = Held(), 0
        self.blank = self.blank or not self.disk.records
        for kind, value in self.disk.records:
            self._restore(kind, value)
        self.durable_entries = set(self.held.entries)
        self.kept: Held | None = None
        self.counts: dict[str, set[str]] = {}
        self.rank = 0
        self.cluster.network.join(self.name, self._woken)

    def stop(self) -> None:
        self.up = False
        self.cluster.network.leave(self.name)
        self.disk.crash()

    def _restore(self, kind: str, value: object) -> None:
        match kind:
            case "promised":
                self.promised = max(self.promised, value)
            case "installed":
                self.held = value
            case "entry" | "beside":
                self._append(value, kind == "entry")

    def _append(self, name: str, quorate: bool) -> None:
        held = self.held
        rank, beside = held.id.rank, held.id.beside
        if quorate:
            rank = replace(rank, seq=rank.seq + 1)
        else:
            beside += 1
        id = StateId(rank, beside, chained(held.id.chain, name, quorate))
        entries = (*held.entries, name) if quorate else held.entries
        self.held = Held(id, entries, extended(held.lineage, id), held.known)

    @property
    def installed(self) -> Installation | None:
        return self.machine.installation if isinstance(self.machine, machine.InstalledView) else None

    def facts(self) -> OwnFacts:
        return OwnFacts(
            cluster="c",
            node=self.name,
            incarnation=f"{self.name}-{self.life}",
            boot=f"{self.name}-{self.life}",
            protocols=(1, 1),
            promised=self.promised,
            state=self.held.id,
            blank=self.blank,
            rank=self.rank,
            votes=self.cluster.votes,
            known=dict(self.held.known),
        )

    def propose(self, name: str) -> None:
        if self.up and self.installed is not None:
            self.cluster.network.send(self.name, Entry(name))

    def _woken(self) -> None:
        self.cluster.soon(self, self._take)

    def _take(self) -> None:
        if not self.up or (item := self.cluster.network.receive(self.name)) is None:
            return
        self._woken()
        if isinstance(item, View):
            self.view = item
            self.kept = None
            self.step(Announced(item, self.facts(), self.cluster.clock.now_ms))
        elif item.view == self.view.id:
            self._delivered(item)

    def _delivered(self, item: Message) -> None:
        match item.payload:
            case Hello() | Ready() | Exclude():
                self.step(MembershipHeard(item.sender, item.payload, self.cluster.clock.now_ms))
            case State(held):
                self._receive(held)
            case Entry(name) if (installed := self.installed) is not None and item.sender in installed.members:
                self._append(name, installed.quorate)
                self._note_chain()
                self.disk.write(("entry" if installed.quorate else "beside", name))
                if installed.quorate:
                    self.sync(lambda: self.cluster.network.send(self.name, HeldBy(name)))
            case HeldBy(name) if self.installed is not None:
                self.counts.setdefault(name, set()).add(item.sender)
                if 2 * len(self.counts[name]) > len(self.cluster.votes):
                    self.cluster.book.acknowledged.setdefault(name, self.held.id.decided)

    def _receive(self, held: Held) -> None:
        now = self.machine
        if not isinstance(now, machine.Transfer) or now.kept or held.id != now.agreement.state:
            return
        self.kept = held
        # Nothing has to be kept beside: a member that crashes here goes on with what it had.
        self.cluster.later(self, lambda: self.step(StateKept(held.id, self.cluster.clock.now_ms)))

    def _note_chain(self) -> None:
        chains, id = self.cluster.book.chains, self.held.id
        if not id.beside and chains.setdefault(id.rank, id.chain) != id.chain:
            self.cluster.book.faults.append(f"two histories at {id.rank}")

    def sync(self, then: Callable[[], None]) -> None:
        life = self.life
        self.disk.sync(lambda ok: then() if ok and self.up and self.life == life else None)

    def step(self, event: MembershipEvent) -> None:
        self.machine, effects = machine.step(self.machine, event)
        for effect in effects:
            self.carry_out(effect)

    def carry_out(self, effect: MembershipEffect) -> None:
        send, clock = self.cluster.network.send, self.cluster.clock
        match effect:
            case Tell(message):
                send(self.name, message)
            case Promise(term):
                self.disk.write(("promised", term))
                self.sync(lambda: self._promised(term))
            case Donate():
                send(self.name, State(self.held))
            case Receive():
                pass
            case Wait(until_ms):
                life, view = self.life, self.view
                clock.at(
                    until_ms * 1000,
                    lambda: (
                        self.step(Waited(clock.now_ms)) if (self.life, self.view) == (life, view) and self.up else None
                    ),
                )
            case Install(installation):
                self._install(installation)
            case Reannounce(view):
                self.kept = None
                self.step(Announced(view, self.facts(), clock.now_ms))
            case JoinAnew():
                self.cluster.network.leave(self.name)
                self.machine = machine.NoView()
                self.life += 1
                self.cluster.network.join(self.name, self._woken)

    def _promised(self, term: int) -> None:
        self.promised = max(self.promised, term)
        self.step(Promised(term, self.cluster.clock.now_ms))

    def _install(self, installation: Installation) -> None:
        book = self.cluster.book
        key = (installation.view.id, installation.members)
        if book.installed.setdefault(key, installation) != installation:
            book.faults.append(f"two installations of the view {key}")
        held = self.held
        if held.id != installation.state:
            assert self.kept is not None
            assert self.kept.id == installation.state
            if has_tail(held.id, self.kept.lineage):
                book.tails.append(self.name)
            elif held.entries != self.kept.entries[: len(held.entries)]:
                book.faults.append(f"{self.name} gives up entries without having a tail")
            held = self.kept
        id = replace(held.id, rank=installation.rank)
        known = dict(held.known)
        if installation.quorate:
            term = installation.rank.decided
            id = StateId(installation.rank, 0, chained(held.id.chain, "term", term))
            known |= dict.fromkeys(installation.members, term)
            lost = {e for e, t in book.acknowledged.items() if t < term and e not in held.entries}
            if lost:
                book.faults.append(f"{self.name} installs term {term} without {sorted(lost)}")
        if self.promised < id.decided:
            book.faults.append(f"{self.name} has decided {id.decided} and promised {self.promised}")
        self.held = Held(id, held.entries, extended(held.lineage, id), tuple(sorted(known.items())))
        self.rank = installation.agreement.ranks[self.name]
        self.counts.clear()
        self._note_chain()
        if self.disk.write(("installed", self.held)):
            # A blank member is one until its disk says otherwise.
            self.sync(lambda: self._counts_again(installation))

    def _counts_again(self, installation: Installation) -> None:
        if self.name in installation.no_longer_blank:
            self.blank = False


class Cluster:
    """Members, their network and what is seen from outside."""

    def __init__(self, seed: int, names: tuple[str, ...] = ("n1", "n2", "n3"), **service: bool) -> None:
        self.clock, self.chance = Clock(), Random(seed)
        self.votes = dict.fromkeys(names, 1)
        self.network: Network[object] = Network(self.clock, self.chance, Votequorum.of(self.votes, **service))
        self.book = Book()
        self.members = {name: Member(self, name) for name in names}
        for member in self.members.values():
            member.disk.write(("promised", 0))  # `cluster init` has been here.
            member.disk.durable = 1
            member.start()

    def soon(self, member: Member, action: Callable[[], None]) -> None:
        self.clock.after(20, action)

    def later(self, member: Member, action: Callable[[], None]) -> None:
        life, view = member.life, member.view
        self.clock.after(
            self.chance.randint(500, 5_000),
            lambda: action() if member.up and (member.life, member.view) == (life, view) else None,
        )

    def run(self, ms: int) -> None:
        end = self.clock.now_us + ms * 1000
        while self.clock.turn(end):
            pass
