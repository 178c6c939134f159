"""Compare two configurations by what they mean, not by their text.

Each of A and B is a directory, a git revision REV:PATH, a Pacemaker CIB (XML), or a version of reconciler history (0.3.0), which the
running node is asked for.

Exit codes: 0 they mean the same, 1 they differ, 2 error, 64 usage.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import TYPE_CHECKING

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.terminal.paint import Paint, add_colour_argument
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.inputs.configurations import Named

_VERSION = re.compile(r"\d+\.\d+\.\d+")
SAME, DIFFERENT, ERROR = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("a", metavar="A", help="a directory, REV:PATH, a CIB file, or a version")
    parser.add_argument("b", metavar="B", help="the same for what it is compared with")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Print the differences."""
    from reconciler.cib.difference import diff

    try:
        changes = diff(_configuration(args, args.a).configuration, _configuration(args, args.b).configuration)
    except ReconcilerError as error:
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        print(f"reconciler: error: {error}{cause} [{error.code}]", file=sys.stderr)
        return ERROR
    if args.json:
        from reconciler.cli.planning.json_form import config_change

        document = {"format_version": "1.0", "changes": [config_change(change) for change in changes]}
        print(json.dumps(document, sort_keys=True, indent=2))
    else:
        from reconciler.cli.planning.text_form import change_lines

        paint = Paint(sys.stdout, args.color)
        for line in change_lines(changes, paint):
            print(paint.signs(line))
    return DIFFERENT if changes else SAME


def _configuration(args: argparse.Namespace, spec: str) -> Named:
    from reconciler.cli.inputs.configurations import from_texts, named

    if not _VERSION.fullmatch(spec):
        return named(spec)
    answer = Client(args.socket).get("/v1/files", query={"version": spec})
    return from_texts(answer["files"], spec)
