"""Make a configuration the active one, and wait until the cluster has come to rest under it.

With a saved plan, exactly that plan is carried out, and refused when the cluster is no longer in the state it was made
from. With a directory the plan is shown first and confirmed on the terminal; a pipeline saves a plan and applies that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.cli.options import UsageError
from reconciler.cli.planning.arguments import Applying, add_applying_arguments
from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    path: str
    yes: bool
    applying: Applying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", nargs="?", default=".", help="a saved plan, a directory, or a git revision REV:PATH")
    parser.add_argument("--yes", action="store_true", help="don't ask (only with a saved plan)")
    add_applying_arguments(parser)


def run(options: Options) -> int:
    """Apply; the exit code follows the design of the command line."""
    from reconciler.cli.planning.progress import errors_as_asked

    with errors_as_asked(options.applying.json):
        return _apply(options)


def _apply(options: Options) -> int:
    from reconciler.cli.planning import saved as plan_file
    from reconciler.cli.planning.applying import apply_configuration, apply_saved

    path = Path(options.path)
    if path.is_file() and plan_file.looks_like_plan(path):
        return apply_saved(options.applying, plan_file.read(path), ask=not options.yes)
    if options.yes:
        raise UsageError(
            "argument --yes: only allowed with a saved plan: reconciler plan --out FILE, then reconciler apply --yes FILE"
        )
    return apply_configuration(options.applying, options.path)
