"""`status --watch --json`: the status as one line of JSON, and another one whenever it is different."""

from __future__ import annotations

import json
import time

from reconciler.cli.node.client import Client, ClientError
from reconciler.cli.node.status_changes import Changes

SHORTEST_S = 0.5
"""No more than this often it is asked for."""
_LONGEST_S = 5.0
"""At least this often: a node that is gone says nothing of it."""


def watch_lines(client: Client) -> int:
    """Print until interrupted; a node that can't be asked is a line, too. 1 when it was gone in the end."""
    changes = Changes(client)
    last, answered = "", True
    try:
        while True:
            line, answered = _line(client)
            if line != last:
                print(line, flush=True)
                last = line
            time.sleep(SHORTEST_S)
            changes.wait(_LONGEST_S - SHORTEST_S)
    except KeyboardInterrupt:
        return 0 if answered else 1


def _line(client: Client) -> tuple[str, bool]:
    try:
        status = client.get("/v1/status")
    except ClientError as error:
        return json.dumps({"error": error.code, "text": str(error)}, sort_keys=True), False
    for source in status["sources"]:
        source.pop("checked_at", None)  # That it was looked at once more is no news.
    return json.dumps(status, sort_keys=True), True
