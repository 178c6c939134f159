"""Compare two configurations by what they mean, not by their text.

Each of A and B is a directory, a git revision REV:PATH, a Pacemaker CIB (XML), or a version of reconciler history (0.3.0), which the
running node is asked for.

Exit codes: 0 they mean the same, 1 they differ, 2 error, 64 usage.
"""

from __future__ import annotations

import argparse
import json
import sys

from reconciler.cli.node.client import add_socket_argument
from reconciler.cli.terminal.paint import Paint, add_colour_argument
from reconciler.cli.terminal.printing import complain
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

SAME, DIFFERENT, ERROR = 0, 1, 2


@frozen
class Options:
    """What the command line asks for."""

    a: str
    b: str
    json: bool
    color: str
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("a", metavar="A", help="a directory, REV:PATH, a CIB file, or a version")
    parser.add_argument("b", metavar="B", help="the same for what it is compared with")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Print the differences."""
    from reconciler.cib.difference import diff
    from reconciler.cli.planning.file_words import in_file_words
    from reconciler.cli.planning.versions import configuration_called

    try:
        old, new = (configuration_called(spec, options.socket).configuration for spec in (options.a, options.b))
        changes = in_file_words(diff(old, new))
    except ReconcilerError as error:
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        complain(f"reconciler: error: {error}{cause} [{error.code}]")
        return ERROR
    if options.json:
        from reconciler.cli.planning.json_form import config_change

        document = {"format_version": "1.0", "changes": [config_change(change) for change in changes]}
        print(json.dumps(document, sort_keys=True, indent=2))
    else:
        from reconciler.cli.planning.text_form import change_lines

        paint = Paint(sys.stdout, options.color)
        for line in change_lines(changes, paint):
            print(paint.fitted(line))
    return DIFFERENT if changes else SAME
