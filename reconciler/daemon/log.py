"""The daemon's log: constant texts with fields, as text for people or as JSON lines for programs, on standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any

from reconciler.printable import printable

LOG = logging.getLogger("reconciler")
_MOST_ITEMS = 20
"""Of a list that are written: what is wrong with ten thousand files is in the status, and needs no megabytes of log at each look."""
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def set_up(format: str, level: str) -> None:
    """Write from now on in this format (text or json) what is at least of this level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if format == "json" else _TextFormatter("JOURNAL_STREAM" in os.environ))
    LOG.handlers[:] = [handler]
    LOG.propagate = False
    LOG.setLevel(level.upper())


def say(level: int, text: str, /, **fields: Any) -> None:
    """One line: a constant text and its fields."""
    if LOG.isEnabledFor(level):
        LOG.log(level, text, extra={"fields": {name: _first(value) for name, value in fields.items()}})


def _first(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) <= _MOST_ITEMS:
        return value
    return [*value[:_MOST_ITEMS], f"and {len(value) - _MOST_ITEMS} more"]


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "text": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _TextFormatter(logging.Formatter):
    def __init__(self, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={_shown(value)}" for name, value in getattr(record, "fields", {}).items())
        text = f"{record.getMessage()} {fields}".rstrip()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        if self._journal:  # The journal knows the time; a line's priority is told in front of it.
            return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}"
        at = time.localtime(record.created)
        stamp = f"{time.strftime('%Y-%m-%d %H:%M:%S', at)}.{int(record.msecs):03d}{time.strftime('%z', at)}"
        return f"{stamp} {record.levelname.lower():7} {text}"


def _shown(value: Any) -> str:
    text = printable(value) if isinstance(value, str) else json.dumps(value, default=str)
    return json.dumps(text) if " " in text and isinstance(value, str) else text
