"""Make a configuration the active one, and wait until the cluster has come to rest under it.

With a saved plan, exactly that plan is carried out, and refused when the cluster is no longer in the state it was made
from. With a directory the plan is shown first and confirmed on the terminal; a pipeline saves a plan and applies that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.cli.node.client import add_socket_argument
from reconciler.cli.terminal.paint import add_colour_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", nargs="?", default=".", help="a saved plan, a directory, or a git revision REV:PATH")
    add_applying_arguments(parser)


def add_applying_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every command that changes the configuration has."""
    parser.add_argument("--yes", action="store_true", help="don't ask (only with a saved plan)")
    parser.add_argument("--message", "-m", help="why; recorded in the history")
    parser.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="how long to wait for the cluster, in seconds (600)"
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="KIND:NAME", help="consent to what a guard holds back"
    )
    parser.add_argument("--json", action="store_true", help="a stream of JSON lines instead of the progress view")
    parser.add_argument("--json-into", metavar="FILE", help="write the JSON lines into FILE as well")
    add_colour_argument(parser)
    add_socket_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Apply; the exit code follows the design of the command line."""
    from reconciler.cli.planning import saved as plan_file
    from reconciler.cli.planning.applying import apply_configuration, apply_saved

    path = Path(args.path)
    if path.is_file() and plan_file.looks_like_plan(path):
        return apply_saved(args, plan_file.read(path))
    return apply_configuration(args, args.path)
