"""`status --watch`: the status on the whole terminal, drawn again when the node says that something changed."""

from __future__ import annotations

import io
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from reconciler.cli.node.client import Client, ClientError
from reconciler.cli.node.status_changes import Changes
from reconciler.cli.node.status_text import lines
from reconciler.cli.terminal.paint import Paint

SHORTEST_S = 0.5
"""No more than this often it is drawn: a frame costs CPU that belongs to the services."""

LONGEST_S = 5.0
"""At least this often, so that ages stay true."""


def watch(client: Client, *, verbose: bool) -> int:
    """Draw until interrupted; 1 when the node is gone and does not come back before the interruption."""
    changes = Changes(client)
    console = Console()
    answered = True
    try:
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                view, answered = _view(client, console, verbose)
                live.update(view, refresh=True)
                time.sleep(SHORTEST_S)
                changes.wait(LONGEST_S - SHORTEST_S)
    except KeyboardInterrupt:
        return 0 if answered else 1


def _view(client: Client, console: Console, verbose: bool) -> tuple[Text, bool]:
    try:
        status = client.get("/v1/status")
    except ClientError as error:
        return Text(f"{error}\n\nwaiting for the node …", style="bold red"), False
    stream = io.TextIOWrapper(io.BytesIO(), encoding=console.encoding)
    paint = Paint(stream, "always" if console.color_system else "never")
    shown = [paint.signs(line) for line in lines(status, paint, verbose=verbose)]
    room = console.height - 1
    if len(shown) > room > 1:
        shown = [*shown[: room - 1], f"… {len(shown) - room + 1} more lines (reconciler status shows all)"]
    return Text.from_ansi("\n".join(shown), no_wrap=True, overflow="ellipsis"), True
