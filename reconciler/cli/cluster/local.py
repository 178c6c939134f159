"""What is done on one host for a change of the cluster: the node there is asked by its socket."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import assert_never

from reconciler.cli.cluster.options import ClusterForget, ClusterLeave, ClusterTold
from reconciler.cli.node.client import Client, ClientError, Refused
from reconciler.cli.terminal.printing import say
from reconciler.errors import ReconcilerError

_LOOK_S = 0.2
_SOON = ("no-quorum", "node-takes-part")
"""Refusals that may be over in a moment."""


class NotGone(ReconcilerError):
    """A node could not be made to leave, or to be forgotten, in time."""

    code = "cluster-not-gone"


def act(options: ClusterTold | ClusterLeave | ClusterForget) -> int:
    """Ask the node of this host."""
    client = Client(_socket(options.config))
    match options:
        case ClusterTold():
            return _told(client)
        case ClusterLeave(_, timeout):
            return _leave(client, timeout)
        case ClusterForget(node, _, timeout):
            return _forget(client, node, timeout)
        case _:
            assert_never(options)


def _socket(config: str) -> str | None:
    """The socket that the node's configuration names; the usual one where there is no such file."""
    if not os.path.exists(config) or "RECONCILER_SOCKET" in os.environ:
        return None
    from reconciler.daemon.config import read_config

    return read_config(config).socket


def _told(client: Client) -> int:
    status = client.get("/v1/status")
    states = {one["name"]: one["state"] for one in status["nodes"]}
    configured = [one["name"] for one in status["nodes"] if one.get("configured")]
    told = {
        "node": status["node"],
        "members": status["members"],
        "quorate": status["quorate"],
        "nodes": states,
        "configured": configured,
    }
    print(json.dumps(told, sort_keys=True))
    return 0


def _leave(client: Client, timeout_s: int) -> int:
    """Whoever runs no daemon has left already."""
    end_s = time.monotonic() + timeout_s
    if _answers(client):
        client.post("/v1/shutdown", {"resources": True})
    _until(lambda: not _answers(client), end_s, f"the node still stops what it runs after {timeout_s} s")
    say("The node has stopped what it ran, and has ended.")
    return 0


def _answers(client: Client) -> bool:
    try:
        client.get("/v1/health")
    except Refused:
        return True
    except ClientError:
        return False
    return True


def _forget(client: Client, node: str, timeout_s: int) -> int:
    end_s = time.monotonic() + timeout_s
    if node not in _known(client):
        say(f"The cluster knows nothing of {node}.")
        return 0
    _until(lambda: _is_asked(client, node), end_s, f"{node} can't be forgotten now, and could not for {timeout_s} s")
    _until(lambda: node not in _known(client), end_s, f"{node} is still known after {timeout_s} s")
    say(f"The cluster has forgotten {node}.")
    return 0


def _is_asked(client: Client, node: str) -> bool:
    """Ask; False where it may be done soon: the members are just agreeing on who they are."""
    try:
        client.post("/v1/nodes/forget", {"node": node})
    except Refused as refused:
        if refused.reason not in _SOON:
            raise
        return False
    return True


def _known(client: Client) -> list[str]:
    return [str(one["name"]) for one in client.get("/v1/status")["nodes"]]


def _until(condition: Callable[[], bool], end_s: float, why: str) -> None:
    while not condition():
        if time.monotonic() > end_s:
            raise NotGone(why)
        time.sleep(_LOOK_S)
