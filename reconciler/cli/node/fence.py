"""Tell the cluster that a node is off, where nothing can fence it: what it ran may then run elsewhere, and a side that waited may go on.

Look first: if the node is not really off, two nodes run the same service, and its data is lost.
"""

from __future__ import annotations

import argparse
import os
import pwd
import sys

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.terminal.printing import say
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen
from reconciler.printable import printable

_UNVOUCHED = 3


class NotVouched(ReconcilerError):
    """Nobody vouches for the node being off; nothing was changed."""

    code = "consent"
    exit_code = _UNVOUCHED


@frozen
class Options:
    """What the command line asks for."""

    node: str
    yes: bool
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=["confirm"], help="confirm: a node is off, and stays off until it boots anew")
    parser.add_argument("node", help="the node that is off")
    parser.add_argument("--yes", action="store_true", help="do not ask: it was looked at")
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Confirm it; 0 when the cluster was told."""
    if not options.yes:
        _ask(options.node)
    answer = Client(options.socket).post("/v1/fencing/confirm", {"node": options.node, "operator": _operator()})
    say(f"Told the cluster that {answer['node']} is off.")
    return 0


def _ask(node: str) -> None:
    if not sys.stdin.isatty():
        raise NotVouched(f"nobody vouches for {node} being off; look at it, then: --yes")
    question = f"Is {node} switched off, so that nothing runs on it any more? [y/N] "
    print(printable(question), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotVouched("not confirmed")


def _operator() -> str:
    """The user who became root, else the one who runs this."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
