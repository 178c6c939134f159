"""Arguments that several commands share: the state to plan from, the state to explain, and how something is applied."""

from __future__ import annotations

import argparse

from reconciler.cli.node.client import add_socket_argument
from reconciler.cli.options import needs, only_one, seconds
from reconciler.cli.terminal.paint import add_colour_argument
from reconciler.frozen import frozen


@frozen
class PlannedFrom:
    """The state that a plan is made from: recorded, assumed, or the running node's."""

    base: str | None
    snapshot: str | None
    offline: bool
    node: tuple[str, ...]
    socket: str | None

    def __post_init__(self) -> None:
        only_one(("--base", self.base), ("--snapshot", self.snapshot), ("--socket", self.socket))
        only_one(("--offline", self.offline), ("--socket", self.socket))
        only_one(("--snapshot", self.snapshot), ("--node", self.node))


def add_planned_from_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `PlannedFrom`."""
    state = parser.add_argument_group("the state to plan from")
    state.add_argument(
        "--base",
        metavar="CONFIG",
        help="the healthy cluster running this configuration (a directory, REV:PATH, a version)",
    )
    state.add_argument(
        "--snapshot", metavar="FILE", help="a state recorded by status --snapshot, or a Pacemaker CIB (XML)"
    )
    state.add_argument("--offline", action="store_true", help="don't ask a running node, even if there is one")
    state.add_argument(
        "--node", action="append", default=[], metavar="NAME", help="a node that the configuration does not name"
    )
    state.add_argument("--at", metavar="DATE", help="plan as if it were this time (YYYY-MM-DDThh:mm:ssZ)")


@frozen
class Explained:
    """The state that is explained: that of the healthy cluster under a configuration, a recorded one, or the running node's."""

    path: str | None
    snapshot: str | None
    node: tuple[str, ...]
    socket: str | None

    def __post_init__(self) -> None:
        only_one(("--path", self.path), ("--snapshot", self.snapshot), ("--socket", self.socket))
        needs("--node", self.node, "--path", self.path)


def add_explained_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `Explained`."""
    state = parser.add_argument_group("the state to explain (default: the running node's)")
    state.add_argument("--path", default=None, metavar="CONFIG", help="the healthy cluster under this configuration")
    state.add_argument(
        "--snapshot", metavar="FILE", help="a state recorded by status --snapshot, or a Pacemaker CIB (XML)"
    )
    state.add_argument(
        "--node", action="append", default=[], metavar="NAME", help="a node that the configuration does not name"
    )
    state.add_argument("--at", metavar="DATE", help="as if it were this time")


@frozen
class Applying:
    """How something is applied: with which consent, how long it is waited for, and in which form the progress is shown."""

    message: str | None
    timeout: float
    allow: tuple[str, ...]
    json: bool
    json_into: str | None
    color: str
    socket: str | None


def _consent_pattern(text: str) -> str:
    """A pattern over `KIND:NAME` that some guard may have; what is none is a usage error."""
    from reconciler.analysis.guards import pattern_fault

    if (fault := pattern_fault(text)) is not None:
        raise argparse.ArgumentTypeError(fault)
    return text


def add_consent_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--allow`: what is consented to in advance; may be given several times."""
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        type=_consent_pattern,
        metavar="KIND:NAME",
        help="consent to what a guard holds back; * stands for anything",
    )


def add_applying_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every command that changes the configuration has."""
    parser.add_argument("--message", "-m", help="why; recorded in the history")
    parser.add_argument(
        "--timeout", type=seconds, default=600.0, metavar="S", help="how long to wait for the cluster, in seconds (600)"
    )
    add_consent_argument(parser)
    parser.add_argument("--json", action="store_true", help="a stream of JSON lines instead of the progress view")
    parser.add_argument("--json-into", metavar="FILE", help="write the JSON lines into FILE as well")
    add_colour_argument(parser)
    add_socket_argument(parser)
