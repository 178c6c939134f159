"""Show what a configuration would change: its differences, what would start, stop and move, in which order, and why.

With a running node the plan is made from its live state. Elsewhere it is made from a recorded state (--snapshot), from the healthy
cluster under another configuration (--base), or from healthy nodes on which nothing runs yet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.node.client import add_socket_argument
from reconciler.cli.planning.arguments import PlannedFrom, add_consent_argument, add_planned_from_arguments
from reconciler.cli.terminal.paint import add_colour_argument
from reconciler.cli.terminal.printing import say
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.cli.planning.making import Made

CHANGES_PRESENT, GUARDED = 2, 3


@frozen
class Options:
    """What the command line asks for."""

    path: str
    state: PlannedFrom
    at: str | None
    json: bool
    markdown: bool
    dot: bool
    svg: str | None
    concise: bool
    out: str | None
    detailed_exitcode: bool
    allow: tuple[str, ...]
    color: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path", nargs="?", default=".", help="a directory, or a git revision REV:PATH (default: the current directory)"
    )
    add_planned_from_arguments(parser)
    forms = parser.add_argument_group("the form of the answer")
    form = forms.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--markdown", action="store_true", help="a comment for a pull request")
    form.add_argument("--dot", action="store_true", help="the graph of the actions, for graphviz")
    form.add_argument("--concise", action="store_true", help="only the summary, the dangers and the impact")
    forms.add_argument("--svg", metavar="FILE", help="write the graph as a picture (needs graphviz)")
    parser.add_argument("--out", metavar="FILE", help="save the plan, for apply FILE")
    parser.add_argument(
        "--detailed-exitcode", action="store_true", help="0: no changes, 2: changes, 1: error, 3: needs consent"
    )
    add_consent_argument(parser)
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Make and print the plan; the exit code follows the design of the command line."""
    from reconciler.cli.planning import saved as plan_file
    from reconciler.cli.planning.making import make

    made = make(options.path, options.state, options.at)
    if options.out is not None:
        plan_file.write(Path(options.out), made.saved(frozenset(options.allow)))
    _print(options, made)
    if any(not (guard.warns or guard.allowed_by(options.allow)) for guard in made.found.guards):
        return GUARDED
    return CHANGES_PRESENT if options.detailed_exitcode and not made.found.empty else 0


def _print(options: Options, made: Made) -> None:
    consented = frozenset(options.allow)
    if options.svg is not None:
        from reconciler.cli.planning.graph_form import graph
        from reconciler.cli.terminal.picture import write_svg

        write_svg(graph(made.found.plan, made.header.line()), Path(options.svg))
    if options.json:
        import json

        from reconciler.cli.planning.json_form import document

        print(json.dumps(document(made.found, made.header, consented), sort_keys=True, indent=2))
    elif options.markdown:
        from reconciler.cli.planning.markdown_form import comment

        print(comment(made.found, made.header, consented, f"reconciler plan {options.path}"), end="")
    elif options.dot:
        print(made.dot(), end="")
    else:
        _print_text(options, made, consented)


def _print_text(options: Options, made: Made, consented: frozenset[str]) -> None:
    from reconciler.cli.planning.text_form import lines
    from reconciler.cli.terminal.paint import Paint

    paint = Paint(sys.stdout, options.color)
    for line in lines(made.found, made.header, paint, concise=options.concise, consented=consented):
        print(paint.fitted(line))
    if options.out is not None and not made.found.empty:
        if made.base.version is None:
            say(f"Saved to {options.out}, for reading: it was not made from a live cluster, so it can't be applied.")
        else:
            say(f"Saved to {options.out}, good until the state changes. Apply: reconciler apply {options.out}")
