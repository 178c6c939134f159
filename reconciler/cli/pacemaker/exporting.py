"""Turn this configuration into a Pacemaker CIB, which `cibadmin --replace` or `crm_simulate` read.

The CIB holds the configuration only: no status. Secrets are never written; where a parameter refers to one, Pacemaker's own
`lrm://` stands for it, and its value is set on the nodes with `cibsecret`.
"""

from __future__ import annotations

import argparse

from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    path: str
    format: str
    out: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path", nargs="?", default=".", help="a directory, a git revision REV:PATH, or a Pacemaker CIB (XML)"
    )
    parser.add_argument("--format", choices=("cib-xml",), default="cib-xml", help="what to write")
    parser.add_argument("-o", "--out", metavar="FILE", default="-", help="where to write it (default: standard output)")


def run(options: Options) -> int:
    """Export; raises when the configuration has errors."""
    from reconciler.cib import FEATURE_SET, Cib, Version
    from reconciler.cli.inputs.cib_file import write_file
    from reconciler.cli.inputs.configurations import named
    from reconciler.interop.writing.cib import write_cib

    configuration = named(options.path).configuration
    write_file(options.out, write_cib(Cib(configuration, version=Version(0, 1, 0), feature_set=FEATURE_SET)))
    return 0
