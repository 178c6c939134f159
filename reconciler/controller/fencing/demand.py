"""What an operator demands: that a target is fenced now. It is tried once at all levels, and then it has ended, one way or the other.

Nothing that fails is tried again later, and nothing waits for a quorum: nobody expects a machine to be switched off an hour after it was
asked for. How each ended is a line of the history, with who asked.
Source: the design of the cluster, "Fencing, per target".
"""

from __future__ import annotations

from reconciler.controller.fencing.record import (
    LONGEST_REASON,
    MOST_HISTORY,
    FenceCause,
    Fencing,
    HistoryLine,
    Ordered,
    Record,
    Wanted,
)
from reconciler.frozen import replace

ASK = "ask"
"""What a line of the history was that says how a demand ended."""
ACTIONS = ("reboot", "off")
"""What may be demanded."""


def demand_of(record: Record | None) -> Wanted | None:
    """What an operator demands of a target, as long as it has not ended."""
    wanted = record.wanted if isinstance(record, Ordered) else record
    return wanted if isinstance(wanted, Wanted) and wanted.cause is FenceCause.ASKED else None


def met(now: Fencing, record: Record | None, at_ms: int, how: str = "") -> Fencing:
    """The record in which a demand is met, if `record` was one: its target's life has ended."""
    wanted = demand_of(record)
    return now if wanted is None else _noted(now, wanted, True, how, at_ms)


def unmet(now: Fencing, wanted: Wanted, why: str, at_ms: int) -> Fencing:
    """The record once a demand has ended before anything was done for it."""
    return _noted(now, wanted, False, why, at_ms)


def given_up(now: Fencing, wanted: Wanted, why: str, at_ms: int) -> Fencing:
    """The record once nobody goes on with a demand."""
    left = {target: record for target, record in now.records.items() if target != wanted.target}
    return _noted(replace(now, records=left), wanted, False, why, at_ms)


def undemanded(now: Fencing, at_ms: int) -> Fencing:
    """The record where nothing may be fenced: no demand waits for better times. What is under way goes on."""
    for record in now.records.values():
        if isinstance(record, Wanted) and record.cause is FenceCause.ASKED:
            now = given_up(now, record, "those who are here may fence nobody now", at_ms)
    return now


def _noted(now: Fencing, wanted: Wanted, succeeded: bool, why: str, at_ms: int) -> Fencing:
    line = HistoryLine(wanted.target, ASK, "", wanted.why, at_ms, succeeded, why[:LONGEST_REASON])
    return replace(now, history=(*now.history, line)[-MOST_HISTORY:])
