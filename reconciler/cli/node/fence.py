"""Have a node fenced now, show what was done to fence nodes, or tell the cluster that one is off, where nothing can fence it.

  NODE            fence it now: it is shown what runs there and where that goes, asked, and told how it ends (short for: node NODE)
  test [NAME …]   have every node ask every fence device whether it works, or these nodes, these devices; nothing is switched off
  confirm NODE    the node is off: what it ran may then run elsewhere, and a side that waited may go on
  history [NODE]  which nodes are to be fenced or are down, and every try: when, by whom, with which device, and what came of it

A demand is tried once, with all devices of the node as the configuration has them, and ends: the node is down, or it was not fenced and
goes on as before. It needs a quorum, and a device or its own watchdog. --reboot switches the machine on again, with --off it stays off.

Before you confirm, look: if the node is not really off, two nodes run the same service, and its data is lost. The history is what all
members share, the last 200 lines of it.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
from typing import assert_never

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.node.fence_demand import FenceDemand, demand
from reconciler.cli.node.fence_devices import FenceTest, test_devices
from reconciler.cli.node.fence_history import fence_lines
from reconciler.cli.options import seconds
from reconciler.cli.terminal.consent import confirm
from reconciler.cli.terminal.printing import say
from reconciler.frozen import frozen
from reconciler.printable import printable


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


Options = FenceDemand | FenceTest | FenceConfirmation | FenceHistory
_ACTIONS = ("node", "test", "confirm", "history")


def spelled_out(words: list[str]) -> list[str]:
    """The same with its action, where that was left out: `fence n2` is `fence node n2`."""
    if not words or words[0] in (*_ACTIONS, "-h", "--help"):
        return words
    return ["node", *words]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    node = actions.add_parser("node", help="fence a node now")
    node.set_defaults(kind=FenceDemand)
    node.add_argument("node", metavar="NODE", help="the node that is to be fenced")
    how = node.add_mutually_exclusive_group()
    how.add_argument("--reboot", action="store_false", dest="off", help="switch it off and on again (default)")
    how.add_argument("--off", action="store_true", help="switch it off; it stays off")
    node.add_argument("--yes", action="store_true", help="do not ask")
    node.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="wait this long for the end (default: as long as it may take)",
    )
    node.add_argument("--json", action="store_true", help="print JSON")
    node.set_defaults(off=False)
    test = actions.add_parser("test", help="ask fence devices whether they work, from every node")
    test.set_defaults(kind=FenceTest)
    test.add_argument("names", metavar="NAME", nargs="*", help="a node that is to ask, or a device that is to be asked")
    test.add_argument("--last", action="store_true", help="ask nobody: show what was found the last time")
    test.add_argument("--timeout", type=seconds, metavar="SECONDS", help="wait this long for answers")
    test.add_argument("--json", action="store_true", help="print JSON")
    confirm = actions.add_parser("confirm", help="a node is off, and stays off until it boots anew")
    confirm.set_defaults(kind=FenceConfirmation)
    confirm.add_argument("node", metavar="NODE", help="the node that is off")
    confirm.add_argument("--yes", action="store_true", help="do not ask: it was looked at")
    history = actions.add_parser("history", help="show what was done to fence nodes")
    history.set_defaults(kind=FenceHistory)
    history.add_argument("node", metavar="NODE", nargs="?", help="only what was done to this one")
    history.add_argument("--json", action="store_true", help="print JSON")
    for action in (node, test, confirm, history):
        add_socket_argument(action)


def run(options: Options) -> int:
    """Carry out one action."""
    match options:
        case FenceDemand():
            return demand(options, _operator())
        case FenceTest():
            return test_devices(options)
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
        confirm(
            f"Is {options.node} switched off, so that nothing runs on it any more? [y/N] ",
            unasked=f"nobody vouches for {options.node} being off; look at it, then: --yes",
            refused="not confirmed",
        )
    answer = Client(options.socket).post("/v1/fencing/confirm", {"node": options.node, "operator": _operator()})
    say(f"Told the cluster that {answer['node']} is off.")
    return 0


def _operator() -> str:
    """The user who became root, else the one who runs this."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
