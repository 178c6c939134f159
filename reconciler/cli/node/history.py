"""List the versions of the configuration that were active on this node, newest first."""

from __future__ import annotations

import argparse
import json
import sys
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
    for entry in answer["entries"]:
        print(paint.signs(line(entry, paint)))
    if not answer["entries"]:
        print("No configuration was ever active on this node.")
    return 0


def line(entry: dict[str, Any], paint: Paint) -> str:
    """One version on one line: which, when, from where, by whom, and what its author said."""
    when = datetime.fromtimestamp(entry["activated_at"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    mark = paint("green", "*") if entry["active"] else " "
    author = str(entry.get("author") or "").partition(" <")[0]
    said = printable(f"{entry['source']:<10} {author}  {entry['subject']}")
    return f"{mark} {entry['version']:<9} {entry['commit'][:12]}  {when}  {said}"
