"""Simulate every failure, and say what the cluster would make of it.

Every loss of a node (and with --survive 2 of every pair), of every fence device, and every failure of a resource is
simulated to its end. With --base the outcomes are compared with those of another configuration. Properties in
tests/*.yaml beside the configuration are checked.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.cli.explaining.question import Form, Question
from reconciler.cli.options import count
from reconciler.cli.terminal.paint import add_colour_argument
from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    question: Question
    form: Form


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path", nargs="?", default=".", help="a directory, a git revision REV:PATH, or a Pacemaker CIB (XML)"
    )
    parser.add_argument(
        "--survive", type=int, choices=(1, 2), help="expect every service to survive the loss of any 1 or 2 nodes"
    )
    parser.add_argument(
        "--base", metavar="CONFIG", help="compare with this configuration: what it survived must stay so"
    )
    parser.add_argument(
        "--tests", metavar="DIR", type=Path, help="where the properties are (default: tests beside the configuration)"
    )
    parser.add_argument(
        "--node", action="append", default=[], metavar="NAME", help="a node that the configuration does not name"
    )
    parser.add_argument("--only", choices=("nodes", "devices", "resources"), help="simulate only failures of this kind")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--markdown", action="store_true", help="for a pull request")
    form.add_argument(
        "--junit", metavar="FILE", help="write JUnit XML into FILE, a test case for each failure and property"
    )
    add_colour_argument(parser)
    parser.add_argument("--all", action="store_true", help="list every case, not only those that matter")
    parser.add_argument("--jobs", type=count, metavar="N", help="processes to simulate in (default: one for each core)")


def run(options: Options) -> int:
    """0: the properties hold; 1: error; 2: a property or, against --base, a service is lost."""
    from reconciler.cli.explaining.verify_forms import report
    from reconciler.cli.explaining.verifying import verify

    result = verify(options.question)
    report(options.form, result)
    return 0 if result.holds else 2
