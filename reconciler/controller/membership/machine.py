"""The machine of membership: DOWN, SYNC, TRANSFER, READY, INSTALLED, and back to SYNC with any view.

```
DOWN --view--> SYNC --hello of all--> (TRANSFER) --durable--> READY --ready of all--> INSTALLED --any view--> SYNC
```

Source: the design of the cluster, "Membership: from a view to an installed state".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from reconciler.controller.membership.agreement import Agreement, Exclusion, agree
from reconciler.controller.membership.events import (
    Announced,
    Donate,
    Install,
    Installation,
    JoinAnew,
    Lost,
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
from reconciler.controller.membership.history import Rank
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.frozen import field, frozen, replace

PATIENCE_MS = 3_000
"""How long a hello or a ready may take, apart from what a transfer needs."""
TRANSFER_BYTES_PER_MS = 1024 * 1024 // 1000
"""How fast a state travels at least: 1 MiB in a second."""

Effects = tuple[MembershipEffect, ...]


@frozen
class NoView:
    """There is no view."""


@frozen
class Syncing:
    """A view was announced: the hellos of its members are awaited. `early` is the term that is promised before our own hello."""

    view: View
    facts: OwnFacts
    early: int | None = None
    hellos: Mapping[str, Hello] = field(default_factory=dict)
    ready: frozenset[str] = frozenset()
    excluded: Mapping[str, Exclusion] = field(default_factory=dict)
    waits: int = 0
    """How often the time to answer was over: each time one more of those who did their part may name those who did not."""


@frozen
class Transfer:
    """All hellos are there, and what follows from them: the promise and the donor's state have to be on our disk."""

    sync: Syncing
    agreement: Agreement
    promised: bool
    kept: bool


@frozen
class Readied:
    """We are ready; that all others are is awaited."""

    sync: Syncing
    agreement: Agreement


@frozen
class InstalledView:
    """The view is installed."""

    sync: Syncing
    installation: Installation


Membership = NoView | Syncing | Transfer | Readied | InstalledView


def step(now: Membership, event: MembershipEvent, state_bytes: int = 0) -> tuple[Membership, Effects]:
    """Take one event: what holds next, and what to do. `state_bytes` is how large a state may be that has to travel."""
    match event:
        case Announced():
            return _announced(now, event)
        case Lost():
            return NoView(), ()
        case Promised(term):
            return _promised(now, term, event.at_ms, state_bytes)
        case StateKept(state):
            if isinstance(now, Transfer) and state == now.agreement.state:
                return _advance(replace(now, kept=True))
            return now, ()
        case MembershipHeard(sender, message):
            return _heard(now, sender, message, event.at_ms, state_bytes)
        case Waited():
            return _exclude_silent(now, event.at_ms)
        case _:
            assert_never(event)


def is_fast(installation: Installation, view: View) -> bool:
    """Whether all that happened is that members were lost: whoever is left most likely holds the same."""
    return set(view.members) < set(installation.members)


def _announced(now: Membership, event: Announced) -> tuple[Membership, Effects]:
    sync = Syncing(event.view, event.facts)
    wait = Wait(event.at_ms + PATIENCE_MS)
    if isinstance(now, InstalledView) and is_fast(now.installation, event.view):
        return replace(sync, early=event.facts.promised + 1), (Promise(event.facts.promised + 1), wait)
    return sync, (Tell(_hello(sync)), wait)


def _hello(sync: Syncing) -> Hello:
    facts = sync.facts
    return Hello(
        cluster=facts.cluster,
        node=facts.node,
        incarnation=facts.incarnation,
        boot=facts.boot,
        protocols=facts.protocols,
        promised=facts.promised,
        early=sync.early is not None,
        state=facts.state,
        blank=facts.blank,
        rank=facts.rank,
        ring=sync.view.ring,
        votes=facts.votes,
        known=facts.known,
        fenced=facts.fenced,
        online=facts.online,
        hosts=sync.view.hosts,
        gone=facts.gone,
        seen=facts.seen,
        nodes=sync.view.nodes,
        witness=facts.witness,
    )


def _promised(now: Membership, term: int, at_ms: int, state_bytes: int) -> tuple[Membership, Effects]:
    if isinstance(now, Syncing) and now.early == term:
        told = replace(now, facts=replace(now.facts, promised=term))
        return told, (Tell(_hello(told)),)
    if isinstance(now, Transfer) and term == now.agreement.must_promise(now.sync.facts.node):
        return _advance(replace(now, promised=True))
    return now, ()


def _heard(
    now: Membership, sender: str, message: Hello | Ready | Exclude, at_ms: int, state_bytes: int
) -> tuple[Membership, Effects]:
    match message:
        case Hello():
            if isinstance(now, Syncing) and message.node == sender and sender in now.view.members:
                return _agree(replace(now, hellos={**now.hellos, sender: message}), at_ms, state_bytes)
            return now, ()
        case Ready():
            return _ready(now, sender, message)
        case Exclude():
            return _exclude(now, sender, message, at_ms, state_bytes)
        case _:
            assert_never(message)


def _agree(sync: Syncing, at_ms: int, state_bytes: int) -> tuple[Membership, Effects]:
    """Go on once every member that is not excluded has said hello."""
    if any(member not in sync.hellos and member not in sync.excluded for member in sync.view.members):
        return sync, ()
    told = max((hello.promised for hello in sync.hellos.values()), default=0)
    agreement = agree(sync.hellos, sync.excluded, told)
    own = sync.facts.node
    if agreement is None or own not in agreement.members:
        why = None if agreement is None else agreement.excluded.get(own)
        return NoView(), (_rejoin(why),)
    needed = agreement.must_promise(own)
    promised = own in agreement.promised or (needed <= sync.facts.promised and agreement.term is None)
    kept = own not in agreement.receivers
    effects: list[MembershipEffect] = []
    if not promised:
        effects.append(Promise(needed))
    if own == agreement.donor and agreement.receivers:
        effects.append(Donate(agreement.state, agreement.receivers))
    if not kept:
        effects.append(Receive(agreement.donor, agreement.state))
    patience_ms = PATIENCE_MS + (state_bytes // TRANSFER_BYTES_PER_MS if agreement.receivers else 0)
    effects.append(Wait(at_ms + patience_ms))
    after, more = _advance(Transfer(sync, agreement, promised, kept))
    return after, (*effects, *more)


def _advance(now: Transfer) -> tuple[Membership, Effects]:
    """Be ready once the promise and the state are on disk; on the fast path the hellos were that already."""
    if not (now.promised and now.kept):
        return now, ()
    if now.agreement.promised == frozenset(now.agreement.members):
        return _install(now.sync, now.agreement)
    own = now.sync.facts.node
    ready = Ready(own, now.agreement.must_promise(own), now.agreement.state)
    return Readied(now.sync, now.agreement), (Tell(ready),)


def _ready(now: Membership, sender: str, message: Ready) -> tuple[Membership, Effects]:
    """A member is ready, and with the last one the view is installed, at the same place of the one order on all members.

    One that agreed anew after an exclusion may be waiting for its disk once more when its earlier word already completes the view: what
    that said still holds.
    """
    if not isinstance(now, Transfer | Readied) or message.node != sender or sender not in now.agreement.members:
        return now, ()
    agreement = now.agreement
    if (message.term, message.state) != (agreement.must_promise(sender), agreement.state):
        return now, ()
    sync = replace(now.sync, ready=now.sync.ready | {sender})
    if sync.ready >= set(agreement.members):
        return _install(sync, agreement)
    return replace(now, sync=sync), ()


def _install(sync: Syncing, agreement: Agreement) -> tuple[Membership, Effects]:
    rank = agreement.state.rank
    if agreement.term is not None:
        rank = Rank(rank.admin_epoch, agreement.term, 0)
    installation = Installation(sync.view, agreement, agreement.state, rank, agreement.excluded)
    return InstalledView(sync, installation), (Install(installation),)


def _exclude_silent(now: Membership, at_ms: int) -> tuple[Membership, Effects]:
    """The time is over: the lowest of those who did their part names those who did not; if nothing comes of that, the next one too."""
    match now:
        case Syncing():
            awaited, done, excluded, what = now.view.members, frozenset(now.hellos), now.excluded, "hello"
        case Transfer() | Readied():
            agreement = now.agreement
            awaited, done, excluded, what = agreement.members, now.sync.ready, agreement.excluded, "ready"
        case NoView() | InstalledView():
            return now, ()
        case _:
            assert_never(now)
    sync = now if isinstance(now, Syncing) else now.sync
    waiting = replace(sync, waits=sync.waits + 1)
    after = waiting if isinstance(now, Syncing) else replace(now, sync=waiting)
    effects: list[MembershipEffect] = [Wait(at_ms + PATIENCE_MS)]
    silent = tuple(member for member in awaited if member not in done and member not in excluded)
    speakers = sorted(member for member in done if member not in excluded)[: waiting.waits]
    if silent and sync.facts.node in speakers:
        effects.append(Tell(Exclude(silent, f"no {what} within the time")))
    return after, tuple(effects)


def _exclude(
    now: Membership, sender: str, message: Exclude, at_ms: int, state_bytes: int
) -> tuple[Membership, Effects]:
    """Members are as if lost. Amid an agreement the others agree anew; an installed view is announced anew without them."""
    if isinstance(now, NoView):
        return now, ()
    sync = now if isinstance(now, Syncing) else now.sync
    named = {
        node: Exclusion.SILENT for node in message.nodes if node in sync.view.members and node not in sync.excluded
    }
    if not named or sender in sync.excluded:
        return now, ()
    if sync.facts.node in named:
        return NoView(), (_rejoin(Exclusion.SILENT),)
    excluded = {**sync.excluded, **named}
    match now:
        case Syncing():
            return _agree(replace(now, excluded=excluded), at_ms, state_bytes)
        case Transfer() | Readied():
            again = replace(sync, excluded=excluded, ready=frozenset())
            return _agree(again, at_ms, state_bytes)
        case InstalledView():
            left = tuple(member for member in sync.view.members if member not in excluded)
            return now, (Reannounce(announced_anew(sync.view, left)),)
        case _:
            assert_never(now)


def announced_anew(view: View, members: tuple[str, ...]) -> View:
    """A view that those left in another one agree on anew: nothing that was sent in the one before counts in it."""
    return replace(view, id=f"{view.id}'", members=members)


def _rejoin(why: Exclusion | None) -> JoinAnew:
    text = "the view has no member that can go on" if why is None else why.value
    strange = why in (Exclusion.FOREIGN, Exclusion.PROTOCOL)
    return JoinAnew(text, fenced=why is Exclusion.FENCED, for_good=strange)
