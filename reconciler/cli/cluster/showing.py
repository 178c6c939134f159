"""A change as it is shown before it is made: what becomes of corosync.conf, and what is done on which host."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from reconciler.cli.cluster.stages import ChangeStage, ClusterChange
from reconciler.cli.terminal.paint import Paint
from reconciler.fabric.corosync.conf.text import Conf, render

FORMAT_VERSION = "1.0"


def change_lines(change: ClusterChange, paint: Paint) -> Iterator[str]:
    """The lines of a change."""
    yield paint("bold", change.title)
    yield ""
    found = diff(change)
    for line in found:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        yield paint(style, line) if style else line
    if found:
        yield ""
    for number, stage in enumerate(change.stages, 1):
        for what, hosts in _grouped(stage):
            yield f"{number:2}. on {', '.join(hosts)}: {what}"
    if change.votes:
        yield ""
        yield from change.votes
    if change.warnings:
        yield ""
        yield from (paint("yellow", f"! {warning}") for warning in change.warnings)


def diff(change: ClusterChange) -> list[str]:
    """What becomes of the file, as `diff -u` shows it."""
    before = [] if change.before is None else _lines(change.before)
    return list(difflib.unified_diff(before, _lines(change.after), "corosync.conf", "corosync.conf", lineterm=""))


def change_to_plain(change: ClusterChange) -> dict[str, Any]:
    """The same as JSON. Scripts are not part of it: they may have the key in them."""
    return {
        "format_version": FORMAT_VERSION,
        "title": change.title,
        "conf": render(change.after).decode("utf-8", "replace"),
        "diff": diff(change),
        "steps": [
            {"number": number, "stage": stage.key, "host": step.host, "what": step.what}
            for number, stage in enumerate(change.stages, 1)
            for step in stage.steps
        ],
        "votes": list(change.votes),
        "warnings": list(change.warnings),
    }


def _lines(conf: Conf) -> list[str]:
    return render(conf).decode("utf-8", "replace").splitlines()


def _grouped(stage: ChangeStage) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for step in stage.steps:
        found.setdefault(step.what, []).append(step.host)
    return list(found.items())
