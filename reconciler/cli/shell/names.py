"""Print the names of resources, nodes, versions or agents, one in a line: what completion scripts ask for.

The running node is asked, for a second at most; where there is none, resources and nodes are those of the files in cluster.d. What
can't be told is left out, silently, as it is in the middle of somebody's typing.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable

from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

_PATIENCE_S = 1.0
_DIRECTORY = "cluster.d"


@frozen
class Options:
    """What the command line asks for."""

    of: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("of", metavar="KIND", choices=tuple(_KINDS), help="whose names")


def run(options: Options) -> int:
    """Print them; always 0."""
    from reconciler.cli.terminal.printing import say

    with contextlib.suppress(ReconcilerError, OSError):
        for name in sorted(set(_KINDS[options.of]())):
            say(name)
    return 0


def _resources() -> Iterable[str]:
    try:
        return [resource["id"] for resource in _ask("/v1/status")["resources"]]
    except ReconcilerError:
        from reconciler.cli.inputs.configurations import named

        return [resource.id for resource in named(_DIRECTORY).configuration.resources]


def _nodes() -> Iterable[str]:
    try:
        return [node["name"] for node in _ask("/v1/status")["nodes"]]
    except ReconcilerError:
        from reconciler.cli.inputs.configurations import named

        return [node.name for node in named(_DIRECTORY).configuration.nodes]


def _versions() -> Iterable[str]:
    return [entry["version"] for entry in _ask("/v1/history")["entries"]]


def _agents() -> Iterable[str]:
    from reconciler.agents.installed import Roots, installed

    return [str(agent) for agent in installed(Roots())]


def _ask(path: str) -> dict[str, list[dict[str, str]]]:
    from reconciler.cli.node.client import Client

    return Client(None, timeout_s=_PATIENCE_S).get(path)


_KINDS: dict[str, Callable[[], Iterable[str]]] = {
    "resources": _resources,
    "nodes": _nodes,
    "versions": _versions,
    "agents": _agents,
}
