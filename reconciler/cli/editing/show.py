"""Print the effective configuration: every file merged, templates and defaults filled in, and with --places where each value comes from.

A saved plan is printed as it was made.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from reconciler.cli.node.client import add_socket_argument
from reconciler.cli.options import only_one
from reconciler.cli.terminal.printing import say
from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    path: str
    format: str
    places: bool
    socket: str | None

    def __post_init__(self) -> None:
        only_one(("--format json", self.format == "json"), ("--places", self.places))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        help="a directory, REV:PATH, a Pacemaker CIB (XML), a version of the running node, or a saved plan",
    )
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="the form (yaml)")
    parser.add_argument(
        "--places", action="store_true", help="say of each value where it was written, or inherited from"
    )
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Print it."""
    from reconciler.cli.planning import saved as plan_file

    path = Path(options.path)
    if path.is_file() and plan_file.looks_like_plan(path):
        saved = plan_file.read(path)
        if options.format == "json" or not saved.shown:
            print(json.dumps(saved.plan, sort_keys=True, indent=2))
        for line in saved.shown if options.format != "json" else ():
            say(line)
        return 0
    from reconciler.cli.planning.versions import configuration_called

    configuration = configuration_called(options.path, options.socket).configuration
    if options.places:
        from reconciler.cli.editing.effective import lines

        for line in lines(configuration):
            say(line)
    elif options.format == "json":
        from reconciler.cib.canonical import to_json

        print(json.dumps(to_json(configuration), sort_keys=True, indent=2))
    else:
        from reconciler.language.writing.files import to_text

        print(to_text(configuration), end="")
    return 0
