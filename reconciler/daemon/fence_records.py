"""What is told of fencing: which nodes are to be fenced or down, and what was tried, from the state that all members share."""

from __future__ import annotations

from typing import Any, assert_never

from reconciler.controller.fencing.record import MOST_HISTORY, Down, Fencing, HistoryLine, Ordered, Record, Wanted


def fencing_document(fencing: Fencing, node: str | None = None) -> dict[str, Any]:
    """The records of all nodes, or of one, and the newest lines of what was done, the last one first; times are in seconds."""
    records = [_record(record) for name, record in sorted(fencing.records.items()) if node in (None, name)]
    lines = [line for line in fencing.history if node in (None, line.target)]
    return {"records": records, "history": [_line(line) for line in reversed(lines[-MOST_HISTORY:])]}


def _record(record: Record) -> dict[str, Any]:
    match record:
        case Down():
            return {"node": record.target, "state": "down", "by": record.by, "at": record.at_ms / 1000}
        case Wanted():
            return {"state": "wanted", **_wanted(record)}
        case Ordered():
            step = record.order.step
            called = {"device": step.device, "by": record.order.executor, "action": step.action}
            return {"state": "ordered", **_wanted(record.wanted), **called}
        case _:
            assert_never(record)


def _wanted(wanted: Wanted) -> dict[str, Any]:
    return {
        "node": wanted.target,
        "action": wanted.action,
        "cause": wanted.cause.value,
        "why": wanted.reason,
        "since_at": wanted.since_ms / 1000,
    }


def _line(line: HistoryLine) -> dict[str, Any]:
    return {
        "node": line.target,
        "what": line.what,
        "device": line.device,
        "by": line.by,
        "at": line.at_ms / 1000,
        "succeeded": line.succeeded,
        "why": line.why,
    }
