"""Make an earlier version of the configuration the active one again, as a new commit with the old content.

Where the configuration comes from a git repository, the rollback holds until the repository moves on.
"""

from __future__ import annotations

import argparse
from typing import Any

from reconciler.cli.node.client import Client
from reconciler.cli.planning.arguments import Applying, add_applying_arguments
from reconciler.cli.terminal.printing import complain
from reconciler.frozen import frozen


@frozen
class Options:
    """What the command line asks for."""

    to: str | None
    applying: Applying
    no_plan: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "to",
        nargs="?",
        help="a version (0.3.0) or commit of reconciler history (default: the last one with other content)",
    )
    add_applying_arguments(parser)
    parser.add_argument("--no-plan", action="store_true", help="don't show the plan nor ask: at once")


def run(options: Options) -> int:
    """Show what the rollback would do, ask, and carry it out."""
    from reconciler.cli.planning.progress import errors_as_asked

    with errors_as_asked(options.applying.json):
        return _roll_back(options)


def _roll_back(options: Options) -> int:
    from reconciler.cli.inputs.configurations import from_texts
    from reconciler.cli.planning.applying import consent, nothing_to_do, propose
    from reconciler.cli.planning.making import live, moment, plan_from
    from reconciler.cli.planning.versions import known_version

    client = Client(options.applying.socket)
    target = _before(client) if options.to is None else known_version(options.to) or options.to
    complain(f"Rolling back to {target}; the next push to a repository that this node follows ends it.")
    if not options.no_plan:
        key = "version" if target.count(".") == 2 else "commit"
        answer = client.get("/v1/files", query={key: target})
        state = live(client, required=True)
        assert state is not None
        if consent(options.applying, plan_from(state, from_texts(answer["files"], answer["commit"][:12]), moment())):
            return nothing_to_do(options.applying, state.commit)
    return propose(options.applying, client, "/v1/rollback", {"to": target})


def _before(client: Client) -> str:
    from reconciler.cli.planning.applying import ApplyError

    entries = client.get("/v1/history", query={"limit": "50"})["entries"]
    active = next((index for index, entry in enumerate(entries) if entry["active"]), None)
    if active is None:
        raise ApplyError("there is no earlier version: no configuration is active")
    now = _files(client, entries[active])
    for entry in entries[active + 1 :]:
        if _files(client, entry) != now:
            return str(entry["version"])
    raise ApplyError("there is no earlier version to go back to that differs from the active one")


def _files(client: Client, entry: dict[str, Any]) -> object:
    return client.get("/v1/files", query={"commit": entry["commit"]})["files"]
