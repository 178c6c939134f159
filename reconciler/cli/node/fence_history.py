"""What was done to fence nodes, as people read it: what is under way first, then every try with what came of it, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.printable import printable

_HEAD = ("WHEN", "NODE", "WHAT", "DEVICE", "BY", "RESULT", "WHY")


def fence_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The lines of an answer of `GET /v1/fencing`."""
    for record in document["records"]:
        yield f"{record['node']}: {_state(record)}"
    entries = document["history"]
    if not entries:
        yield "Nothing was fenced, as far as is remembered."
        return
    if document["records"]:
        yield ""
    yield from table([_HEAD, *map(_cells, entries)])


def last_words(entry: Mapping[str, Any]) -> str:
    """One try, as it is told while people wait."""
    what = f"{entry['what']} with {entry['device']}"
    if entry["succeeded"]:
        return f"{entry['by']}: {what}: done"
    return f"{entry['by']}: {what} failed: {' '.join(str(entry['why']).split())}"


def _state(record: Mapping[str, Any]) -> str:
    match record["state"]:
        case "down":
            return f"down since {date_of(record['at'])}, by {record['by']}: it stays out until its machine was booted"
        case "ordered":
            asked = f"{record['device']} is asked by {record['by']} to do it"
            return (
                f"{record['action']} is under way since {date_of(record['since_at'])}, because {record['why']}: {asked}"
            )
        case _:
            return f"{record['action']} is wanted since {date_of(record['since_at'])}, because {record['why']}"


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    result = "done" if entry["succeeded"] else "failed"
    told = (entry["node"], entry["what"], entry["device"] or "-", entry["by"] or "-", result, entry["why"])
    return (date_of(entry["at"]), *(printable(" ".join(str(text).split())) for text in told))


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of as many cells each, the first being the head, as columns."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def date_of(seconds: float) -> str:
    """A time in seconds of the epoch, as tables have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
