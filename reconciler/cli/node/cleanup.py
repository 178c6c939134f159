"""Forget the failures of a resource, so that it may run again where it failed; do this after mending what made it fail.

With --refresh everything known of it is forgotten too, and it is probed anew; without a resource that is done for all.
"""

from __future__ import annotations

import argparse
from urllib.parse import quote

from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.terminal.printing import say
from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    resource: str | None
    refresh: bool
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("resource", nargs="?", help="a resource; a group or clone stands for its members")
    parser.add_argument("--refresh", action="store_true", help="probe anew what runs here")
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Clean up; 0 when the node did."""
    client = Client(options.socket)
    if options.refresh or options.resource is None:
        count = client.post("/v1/refresh", {"resource": options.resource})["resources"]
        print(f"{count} resource{'s are' if count != 1 else ' is'} probed anew.")
        return 0
    count = client.post(f"/v1/resources/{quote(options.resource, safe='')}/cleanup", {})["entries"]
    say(f"Forgot {count} failed result{'s' if count != 1 else ''} of {options.resource}.")
    return 0
