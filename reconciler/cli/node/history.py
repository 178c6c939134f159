"""List the versions of the configuration that were active on this node, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.options import count
from reconciler.cli.terminal.paint import Paint, add_colour_argument
from reconciler.frozen import frozen
from reconciler.printable import printable


@frozen
class Options:
    """What the command line asks for."""

    limit: int
    json: bool
    color: str
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--limit", type=count, default=50, help="how many versions to list (50)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Print the history; 0 when the node answered."""
    answer = Client(options.socket).get("/v1/history", query={"limit": str(options.limit)})
    if options.json:
        print(json.dumps(answer, sort_keys=True, indent=2))
        return 0
    paint = Paint(sys.stdout, options.color)
    entries = answer["entries"]
    widths = widths_of(entries)
    for entry in entries:
        print(paint.fitted(line(entry, paint, widths)))
    if not answer["entries"]:
        print("No configuration was ever active on this node.")
    return 0


def widths_of(entries: Sequence[dict[str, Any]]) -> list[int]:
    """How wide version, source and author are at most."""
    return [max((len(_cell(entry, name)) for entry in entries), default=0) for name in _COLUMNS]


_COLUMNS = ("version", "source", "author")


def _cell(entry: dict[str, Any], name: str) -> str:
    return printable(str(entry.get(name) or "").partition(" <")[0])


def line(entry: dict[str, Any], paint: Paint, widths: Sequence[int]) -> str:
    """One version on one line: which, when, from where, by whom, and what its author said."""
    when = datetime.fromtimestamp(entry["activated_at"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    mark = paint("green", "*") if entry["active"] else " "
    version, source, author = (f"{_cell(entry, name):<{width}}" for name, width in zip(_COLUMNS, widths, strict=True))
    return f"{mark} {version}  {entry['commit'][:12]}  {when}  {source}  {author}  {printable(entry['subject'])}"
