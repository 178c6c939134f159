"""How an apply is going: a live view on a terminal, plain lines elsewhere, and JSON lines on request.

Source: the design of the command line, "Machine formats": the types version, planned_change, step_start, step_done, step_failed,
aborted_replanned, diagnostic, summary.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from reconciler.cli.planning.proposal import Event, ProposalEnd
from reconciler.cli.terminal.excerpt import excerpt
from reconciler.cli.terminal.output import OutputError
from reconciler.errors import InputError, ReconcilerError
from reconciler.model.outcome import outcome_word
from reconciler.printable import printable
from reconciler.version import __version__


class Progress(Protocol):
    """Something that is told of events, and of the end."""

    def event(self, event: Event) -> None:
        """One event of the node."""

    def finish(self, outcome: ProposalEnd) -> None:
        """How it ended."""


@contextmanager
def open_progress(*, json: bool, json_into: str | None) -> Iterator[Progress]:
    """The views that the options ask for, closed at the end whatever happens."""
    with ExitStack() as stack:
        views: list[Progress] = []
        if json:
            views.append(JsonLines(sys.stdout))
        elif sys.stderr.isatty():
            views.append(stack.enter_context(_live()))
        else:
            views.append(PlainLines(sys.stderr))
        if json_into is not None:
            views.append(JsonLines(stack.enter_context(_opened(json_into))))
        yield _Several(views)


@contextmanager
def errors_as_asked(json: bool) -> Iterator[None]:
    """With `json` an error is one more line of the stream, with its exit code; otherwise it goes its usual way."""
    try:
        yield
    except ReconcilerError as error:
        if not json:
            raise
        findings = error.findings if isinstance(error, InputError) else ()
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        stream = JsonLines(sys.stdout)
        stream.error(f"{error}{cause}", error.code, [str(finding) for finding in findings])
        stream.finish(ProposalEnd(error.exit_code, f"not applied: {error.code}"))
        sys.stdout.flush()
        raise SystemExit(error.exit_code) from None


def _opened(path: str) -> TextIO:
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"write {path}: {error.strerror}") from None


class _Several:
    def __init__(self, views: list[Progress]) -> None:
        self._views = views

    def event(self, event: Event) -> None:
        for view in self._views:
            view.event(event)

    def finish(self, outcome: ProposalEnd) -> None:
        for view in self._views:
            view.finish(outcome)


class PlainLines:
    """One line for everything that happens, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def event(self, event: Event) -> None:
        """Print the event, if people want to know of it."""
        if (text := describe(event)) is not None:
            print(printable(text), file=self._stream, flush=True)
        for line in said(event):
            print(printable(line), file=self._stream, flush=True)

    def finish(self, outcome: ProposalEnd) -> None:
        """Print how it ended."""
        for line in ending(outcome):
            print(printable(line), file=self._stream, flush=True)


class JsonLines:
    """One JSON object on a line for everything that happens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._write("version", f"reconciler {__version__}", {"tool_version": __version__, "format_version": "1.0"})

    def event(self, event: Event) -> None:
        """Write the event under its stable type."""
        for kind, text, fields in _machine(event):
            self._write(kind, text, fields)

    def finish(self, outcome: ProposalEnd) -> None:
        """Write the summary."""
        fields = {"exit_code": outcome.exit_code, "commit": outcome.commit, "problems": list(outcome.problems)}
        self._write("summary", outcome.text, fields, level="info" if outcome.exit_code == 0 else "error")

    def error(self, text: str, code: str, findings: list[str]) -> None:
        """Write what went wrong before anything was done."""
        self._write("diagnostic", text, {"code": code, "findings": findings})

    def _write(self, kind: str, text: str, fields: dict[str, Any], level: str | None = None) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        level = level or ("error" if kind in ("step_failed", "diagnostic") else "info")
        line = {"@level": level, "@message": text, "@timestamp": at, "type": kind, **fields}
        print(json.dumps(line, sort_keys=True), file=self._stream, flush=True)


_STEPS = {"action_started": "step_start", "action_done": "step_done", "action_failed": "step_failed"}


def _machine(event: Event) -> Iterator[tuple[str, str, dict[str, Any]]]:
    text = describe(event) or event["type"]
    fields = {name: value for name, value in event.items() if name not in ("type", "cursor", "at")}
    match event["type"]:
        case "planned":
            for change in event["summary"]:
                yield "planned_change", f"{change['verb']} {change['subject']}", change
        case "action_started" | "action_done" | "action_failed" as kind:
            yield _STEPS[kind], text, fields
        case "transition_aborted":
            yield "aborted_replanned", text, fields
        case "rejected":
            yield "diagnostic", text, fields
        case "accepted" | "activated" | "confirmed" | "converged" | "transition_done":
            yield "step_progress", text, fields | {"event": event["type"]}


def describe(event: Event) -> str | None:
    """The event as one line for people; None for what they need not see."""
    match event["type"]:
        case "accepted":
            return f"accepted by {event['by']}"
        case "activated":
            return f"active: {event['commit'][:12]} as version {event['version']}"
        case "confirmed" if event["of"] > 1:
            return f"durable on {', '.join(event['by'])}: {event['votes']} of {event['of']} votes"
        case "planned":
            number = event["actions"]
            return f"transition {event['transition']}: {number} action{'s' * (number != 1)}"
        case "action_done" if event["interval_ms"] == 0:
            return f"  {event['operation']} {event['resource']} on {event['node']}: done in {event['execution_ms']} ms"
        case "action_failed":
            reason = f": {event['exit_reason']}" if event.get("exit_reason") else ""
            return f"  {event['operation']} {event['resource']} on {event['node']}: FAILED, {_outcome(event)}{reason}"
        case "transition_aborted":
            return f"  planning again: {event['why']}"
        case "rejected":
            return f"rejected by {event['by']}: {event['reason']}"
        case _:
            return None


def _outcome(event: Event) -> str:
    """What a failure is, in words."""
    code = event.get("rc")
    return str(event["status"]) if code is None or event["status"] != "done" else outcome_word(code, 0)


def said(event: Event) -> Iterator[str]:
    """What the agent printed that failed."""
    if event["type"] == "action_failed":
        yield from (f"    {line}" for line in excerpt(event.get("output", "")))


def ending(outcome: ProposalEnd) -> Iterator[str]:
    """The lines that say how it ended."""
    yield outcome.text
    for problem in outcome.problems:
        yield f"  {problem}"


@contextmanager
def _live() -> Iterator[Progress]:
    """A spinner with what is running now, above it what has happened; rich is loaded only here."""
    from rich.console import Console
    from rich.status import Status

    console = Console(stderr=True, highlight=False)
    with Status("proposed", console=console) as status:
        yield _Live(console, status)


class _Live:
    def __init__(self, console: Any, status: Any) -> None:
        self._console = console
        self._status = status
        self._running: dict[tuple[int, int], str] = {}

    def event(self, event: Event) -> None:
        key = (event.get("transition", 0), event.get("id", 0))
        match event["type"]:
            case "action_started" if event["interval_ms"] == 0:
                self._running[key] = f"{event['operation']} {event['resource']} on {event['node']}"
            case "action_done" | "action_failed":
                self._running.pop(key, None)
        self._status.update(", ".join(self._running.values()) or "waiting")
        if (text := describe(event)) is not None:
            style = "red" if event["type"] in ("action_failed", "rejected") else None
            self._console.print(printable(text), style=style, markup=False)
        for line in said(event):
            self._console.print(printable(line), markup=False)

    def finish(self, outcome: ProposalEnd) -> None:
        self._status.stop()
        for line in ending(outcome):
            self._console.print(printable(line), style="green" if outcome.exit_code == 0 else "red", markup=False)
