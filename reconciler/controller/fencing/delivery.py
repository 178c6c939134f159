"""How the shared record of fencing changes: by a delivered message, and by an installation. What no longer fits changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import assert_never

from reconciler.controller.fencing.demand import ACTIONS, given_up, met, unmet
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
    FencingMessage,
)
from reconciler.controller.fencing.record import (
    LONGEST_REASON,
    MOST_HISTORY,
    Down,
    FenceCause,
    FenceOrder,
    FenceProgress,
    Fencing,
    HistoryLine,
    Ordered,
    Record,
    Wanted,
)
from reconciler.frozen import frozen, replace

_FIRST_PAUSE_MS = 1_000
_LONGEST_PAUSE_MS = 300_000


@frozen
class Present:
    """A member of the installed view: which run of its process, which start of its machine."""

    incarnation: str
    boot: str


def delivered(now: Fencing, message: FencingMessage, members: Mapping[str, Present]) -> Fencing:
    """The record after a message, in a view of these members.

    A target that was only lost, and is there again, needs no fencing as soon as none is under way.
    """
    after = _deliver(now, message, members)
    left, present = after.records.get(message_target(message)), members.get(message_target(message))
    if isinstance(left, Wanted) and left.cause is FenceCause.LOST and present is not None and present.boot == left.boot:
        return _drop(after, left.target)
    return after


def message_target(message: FencingMessage) -> str:
    """Whom a message is about."""
    return message.order.target if isinstance(message, FenceOrdered) else message.target


def _deliver(now: Fencing, message: FencingMessage, members: Mapping[str, Present]) -> Fencing:
    match message:
        case FenceWanted():
            return _want(now, message)
        case FenceOrdered(order):
            return _order(now, order, members)
        case FenceEnded():
            return _ended(now, message)
        case FenceGivenUp(number=0):
            return _give_up(now, message)
        case FenceGivenUp():
            known = _awaited(now, message.term, message.target, message.number)
            return now if known is None else _failed(now, known, "no answer came in time", message.at_ms)
        case FenceConfirmed():
            return _confirm(now, message, members)
        case _:
            assert_never(message)


def installed(
    now: Fencing, members: Mapping[str, Present], unclean: Mapping[str, str], action: str, at_ms: int
) -> Fencing:
    """The record at an installation: who is back is clean, whose executor is lost is wanted again, who is unclean is wanted.

    `unclean` names the nodes whose fencing is wanted because they were lost, with the last boot that is known of each; none when
    fencing is off. `action` is what lost nodes suffer.
    """
    records: dict[str, Record] = {}
    history = now.history
    for target, record in sorted(now.records.items()):
        kept = _at_installation(record, target, members)
        if kept is not None:
            records[target] = kept
        elif target in members:
            returned = HistoryLine(target, "return", "", "", at_ms, True)
            history = met(replace(now, history=(*history, returned)), record, at_ms, "it has booted anew").history
    for target, boot in sorted(unclean.items()):
        if target not in records and target not in members:
            records[target] = Wanted(target, boot, FenceCause.LOST, action, "it was lost", at_ms)
    return replace(now, records=records, history=history[-MOST_HISTORY:])


def interrupted(now: Fencing, goes_on: Callable[[FenceOrder], bool] = lambda order: False) -> Fencing:
    """The record once it is not certain any more that a target was not heard meanwhile: whose watchdog is waited for is wanted anew.

    A view that somebody was in whom the members of the next one have left may have taken the target in, and so have had it fed. What
    `goes_on` says so of is waited for as before.
    """
    records = {
        target: record.wanted
        if isinstance(record, Ordered) and record.order.step.waits and not goes_on(record.order)
        else record
        for target, record in now.records.items()
    }
    return now if records == now.records else replace(now, records=records)


def unwanted(now: Fencing) -> Fencing:
    """The record once nothing is fenced any more: who was lost, or failed, has not to be fenced for that. What is under way goes on."""
    kept = {
        target: record
        for target, record in now.records.items()
        if not (isinstance(record, Wanted) and record.cause in (FenceCause.LOST, FenceCause.FAILED))
    }
    return now if len(kept) == len(now.records) else replace(now, records=kept)


def has_fenced(before: Fencing, after: Fencing, node: str, boot: str) -> bool:
    """Whether a node that lives in this boot learns by this change that it was fenced: from now on it begins nothing."""
    return after.fenced.get(node) == boot and before.fenced.get(node) != boot


def _at_installation(record: Record, target: str, members: Mapping[str, Present]) -> Record | None:
    """What is left of a record; None: its target is clean."""
    present = members.get(target)
    wanted = _wanted_of(record)
    if present is not None and present.boot != record_boot(record):
        return None
    if wanted is not None and wanted.cause is FenceCause.UNFENCE and present is None:
        return None
    if isinstance(record, Ordered):
        executor = members.get(record.order.executor)
        if executor is not None and executor.incarnation == record.order.incarnation:
            return record
        record = record.wanted
    if isinstance(record, Wanted) and present is not None and record.cause is FenceCause.LOST:
        return None
    return record


def record_boot(record: Record) -> str:
    """The life of the target that a record is about."""
    return record.wanted.boot if isinstance(record, Ordered) else record.boot


def _wanted_of(record: Record) -> Wanted | None:
    match record:
        case Wanted():
            return record
        case Ordered(wanted):
            return wanted
        case Down():
            return None
        case _:
            assert_never(record)


def _want(now: Fencing, message: FenceWanted) -> Fencing:
    """Wanted once more for the same life is wanted once; a stronger cause takes the place of a weaker one.

    What an operator demands does not wait for the next try of what has failed.
    """
    known, asked = now.records.get(message.target), message.cause is FenceCause.ASKED
    if asked and message.action not in ACTIONS:
        return now
    if isinstance(known, Down) and message.boot in ("", known.boot):
        return now
    wanted = Wanted(
        message.target, message.boot, message.cause, message.action, message.why[:LONGEST_REASON], message.at_ms
    )
    if isinstance(known, Wanted | Ordered):
        open_one = _wanted_of(known)
        if open_one is None or open_one.cause is not FenceCause.LOST or message.cause is FenceCause.LOST:
            return now
        if asked and isinstance(known, Ordered) and known.wanted.action != message.action:
            return unmet(now, wanted, f"its {known.wanted.action} was under way already", message.at_ms)
        stronger = replace(open_one, cause=message.cause, action=message.action, why=wanted.why)
        if asked and isinstance(known, Wanted):
            stronger = replace(stronger, place=FenceProgress(rounds=known.place.rounds), not_before_ms=0)
        return _set(now, replace(known, wanted=stronger) if isinstance(known, Ordered) else stronger)
    return _set(now, wanted)


def _give_up(now: Fencing, message: FenceGivenUp) -> Fencing:
    """Nobody can meet a demand: no device is left for it, or no member that may use one."""
    known = now.records.get(message.target)
    if not isinstance(known, Wanted) or known.cause is not FenceCause.ASKED:
        return now
    return given_up(now, known, "no device can do that from here", message.at_ms)


def _order(now: Fencing, order: FenceOrder, members: Mapping[str, Present]) -> Fencing:
    """An order takes effect only for what is wanted as it says, by a process that is a member."""
    known = now.records.get(order.target)
    executor = members.get(order.executor)
    if not isinstance(known, Wanted) or executor is None or executor.incarnation != order.incarnation:
        return now
    number = now.numbers.get(order.target, 0) + 1
    if (order.number, order.boot) != (number, known.boot) or order.place.step >= len(order.steps):
        return now
    counted = replace(now, numbers={**now.numbers, order.target: number})
    return _set(counted, Ordered(replace(known, place=order.place), order))


def _ended(now: Fencing, message: FenceEnded) -> Fencing:
    known = _awaited(now, message.term, message.target, message.number)
    if known is None or known.order.executor != message.executor:
        return now
    order = known.order
    if not message.succeeded:
        return _failed(now, known, message.why, message.at_ms)
    noted = _note(now, order, True, "", message.at_ms)
    return _next_step(noted, known, message.at_ms)


def _awaited(now: Fencing, term: int, target: str, number: int) -> Ordered | None:
    """The order that is told of, if it is the one under way."""
    known = now.records.get(target)
    return known if isinstance(known, Ordered) and known.order.id == (term, target, number) else None


def _next_step(now: Fencing, known: Ordered, at_ms: int) -> Fencing:
    """A step is done: the next one of the level, or the target is down."""
    order, wanted = known.order, known.wanted
    place = order.place
    if place.step + 1 < len(order.steps):
        return _set(now, replace(wanted, place=replace(place, step=place.step + 1, tries=0), not_before_ms=0))
    if wanted.cause is FenceCause.UNFENCE:
        return _drop(now, order.target)
    return met(_set(now, Down(order.target, order.boot, order.executor, at_ms)), wanted, at_ms)


def _failed(now: Fencing, known: Ordered, why: str, at_ms: int) -> Fencing:
    """A step failed: once more, then the next level, and after the last one all again after a pause, unless an operator demands it.

    Once all that makes the target down has been done, what fails is told and goes on: the target is down.
    """
    order, wanted, place = known.order, known.wanted, known.order.place
    noted = _note(now, order, False, why, at_ms)
    if any(step.decides for step in order.steps[: place.step]):
        return _next_step(noted, known, at_ms)
    if place.tries + 1 < order.tries:
        return _set(noted, replace(wanted, place=replace(place, tries=place.tries + 1)))
    if not order.last_level:
        return _set(noted, replace(wanted, place=FenceProgress(level=place.level + 1, rounds=place.rounds)))
    if wanted.cause is FenceCause.ASKED:
        return given_up(noted, wanted, "no device could do it", at_ms)
    pause_ms = min(_FIRST_PAUSE_MS << min(place.rounds, 16), _LONGEST_PAUSE_MS)
    again = FenceProgress(rounds=place.rounds + 1)
    return _set(noted, replace(wanted, place=again, not_before_ms=at_ms + pause_ms))


def _confirm(now: Fencing, message: FenceConfirmed, members: Collection[str]) -> Fencing:
    known = now.records.get(message.target)
    wanted = None if known is None else _wanted_of(known)
    if message.target in members or wanted is None or message.boot not in ("", wanted.boot):
        return now
    line = HistoryLine(message.target, "confirm", "", message.operator, message.at_ms, True)
    down = Down(message.target, wanted.boot, message.operator, message.at_ms)
    confirmed = replace(now, history=(*now.history, line)[-MOST_HISTORY:])
    return met(_set(confirmed, down), wanted, message.at_ms, "it was confirmed to be off")


def _note(now: Fencing, order: FenceOrder, succeeded: bool, why: str, at_ms: int) -> Fencing:
    step = order.step
    line = HistoryLine(order.target, step.action, step.device, order.executor, at_ms, succeeded, why[:LONGEST_REASON])
    return replace(now, history=(*now.history, line)[-MOST_HISTORY:])


def _set(now: Fencing, record: Record) -> Fencing:
    target = record.wanted.target if isinstance(record, Ordered) else record.target
    return replace(now, records={**now.records, target: record})


def _drop(now: Fencing, target: str) -> Fencing:
    return replace(now, records={name: record for name, record in now.records.items() if name != target})
