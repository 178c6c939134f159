"""Show what runs where: nodes, resources, failures, sources, and what the node is doing now.

With --watch the view stays and follows the node's events. --snapshot records the state, for `plan --snapshot` on another machine.
"""

from __future__ import annotations

import argparse
import json
import sys

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.node.status_text import lines
from reconciler.cli.options import UsageError
from reconciler.cli.terminal.output import write_output
from reconciler.cli.terminal.paint import Paint, add_colour_argument
from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    json: bool
    watch: bool
    snapshot: str | None
    verbose: bool
    color: str
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON; with --watch a line for each change")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--watch", action="store_true", help="keep the view on the terminal and follow changes (end it with ctrl-c)"
    )
    form.add_argument("--snapshot", metavar="FILE", help="write the whole state to FILE, for plan --snapshot")
    parser.add_argument("-v", "--verbose", action="store_true", help="show agents' output and every last operation")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Print the status; 0 when the node answered, whatever it said."""
    client = Client(options.socket)
    if options.snapshot is not None:
        if options.json:
            raise UsageError("argument --json: not allowed with argument --snapshot")
        return _record(client, options.snapshot)
    if options.watch and options.json:
        from reconciler.cli.node.status_lines import watch_lines

        return watch_lines(client)
    if options.watch:
        from reconciler.cli.node.status_live import watch

        return watch(client, verbose=options.verbose)
    answer = client.get("/v1/status")
    if options.json:
        print(json.dumps(answer, sort_keys=True, indent=2))
        return 0
    paint = Paint(sys.stdout, options.color)
    for line in lines(answer, paint, verbose=options.verbose):
        print(paint.fitted(line))
    return 0


def _record(client: Client, path: str) -> int:
    write_output(path, json.dumps(client.get("/v1/cib"), sort_keys=True).encode() + b"\n")
    print(f"Wrote the state to {path}.")
    return 0
