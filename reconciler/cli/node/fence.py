"""Show what was done to fence nodes, or tell the cluster that a node is off, where nothing can fence it.

  confirm NODE    the node is off: what it ran may then run elsewhere, and a side that waited may go on
  history [NODE]  which nodes are to be fenced or are down, and every try: when, by whom, with which device, and what came of it

Before you confirm, look: if the node is not really off, two nodes run the same service, and its data is lost. The history is what all
members share, the last 200 lines of it.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys
from typing import assert_never

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.node.fence_history import fence_lines
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
class FenceConfirmation:
    """The node that is off, and whether that was looked at."""

    node: str
    yes: bool
    socket: str | None


@frozen
class FenceHistory:
    """Whose history is shown; without a node that of all."""

    node: str | None
    json: bool
    socket: str | None


Options = FenceConfirmation | FenceHistory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    confirm = actions.add_parser("confirm", help="a node is off, and stays off until it boots anew")
    confirm.set_defaults(kind=FenceConfirmation)
    confirm.add_argument("node", metavar="NODE", help="the node that is off")
    confirm.add_argument("--yes", action="store_true", help="do not ask: it was looked at")
    history = actions.add_parser("history", help="show what was done to fence nodes")
    history.set_defaults(kind=FenceHistory)
    history.add_argument("node", metavar="NODE", nargs="?", help="only what was done to this one")
    history.add_argument("--json", action="store_true", help="print JSON")
    for action in (confirm, history):
        add_socket_argument(action)


def run(options: Options) -> int:
    """Carry out one action."""
    match options:
        case FenceConfirmation():
            return _confirm(options)
        case FenceHistory():
            return _show(options)
        case _:
            assert_never(options)


def _show(options: FenceHistory) -> int:
    query = {} if options.node is None else {"node": options.node}
    answer = Client(options.socket).get("/v1/fencing", query=query)
    if options.json:
        print(json.dumps(answer, sort_keys=True, indent=2))
        return 0
    for line in fence_lines(answer):
        print(printable(line))
    return 0


def _confirm(options: FenceConfirmation) -> int:
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
