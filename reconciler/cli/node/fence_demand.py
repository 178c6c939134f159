"""Having a node fenced: what that would mean, the operator's word, and then every try until it is over, one way or the other.

Exit codes: 0 the node is down; 1 it could not be fenced, or may not be; 3 nobody agreed; 124 it was not over in time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.cli.node.client import Client, ClientError, ClientTimeout, Refused
from reconciler.cli.node.fence_history import last_words
from reconciler.cli.terminal.consent import confirm
from reconciler.cli.terminal.printing import complain, say
from reconciler.frozen import field, frozen

Json = Mapping[str, Any]
_LOOK_AGAIN_S = 0.25
_HEARD_WITHIN_S = 10.0
"""How long it may take until what was asked for is in the state that all members share."""
_MARGIN_S = 30.0
_ASK = "ask"
"""What the history calls the line that says how a demand ended."""


@frozen
class FenceDemand:
    """The node that is to be fenced, how, and whether somebody agreed already."""

    node: str
    off: bool
    yes: bool
    timeout: float | None
    json: bool
    socket: str | None

    @property
    def action(self) -> str:
        """What its machine suffers."""
        return "off" if self.off else "reboot"


@frozen
class FenceEnd:
    """How it ended: whether the node is down, and why not; `tries` is what the history says of it, oldest first."""

    fenced: bool
    why: str = ""
    tries: tuple[Json, ...] = field(default_factory=tuple)


def demand(options: FenceDemand, operator: str) -> int:
    """Have a node fenced, and wait for the end."""
    client = Client(options.socket)
    body = {"node": options.node, "action": options.action, "operator": operator}
    client.post("/v1/fencing/fence", body | {"only_check": True})
    if not options.yes:
        _agree(client, options)
    known = client.get("/v1/fencing", query={"node": options.node})["history"]
    within_s = float(client.post("/v1/fencing/fence", body)["within_s"])
    end = _follow(client, options, operator, known, options.timeout or within_s + _MARGIN_S)
    if options.json:
        told = {"node": options.node, "action": options.action, "fenced": end.fenced, "why": end.why}
        print(json.dumps(told | {"tries": list(end.tries)}, sort_keys=True, indent=2))
    elif end.fenced:
        then = "it stays off until somebody switches it on" if options.off else "it takes part again once it has booted"
        say(
            f"{options.node} is down{f' ({end.why})' if end.why else ''}: what ran there may run elsewhere, and {then}."
        )
    else:
        complain(f"reconciler: error: {options.node} was not fenced: {end.why} [not-fenced]")
    return 0 if end.fenced else 1


def _agree(client: Client, options: FenceDemand) -> None:
    """Show what it means, and ask. **Raises** NotConfirmed."""
    from reconciler.cib import Cib
    from reconciler.cib.canonical import from_json
    from reconciler.cli.node.fence_review import review
    from reconciler.cli.terminal.paint import Paint
    from reconciler.controller.members import with_members
    from reconciler.model.date import Instant

    cib = with_members(from_json(Cib, client.get("/v1/cib")["cib"]))
    asked_at, paint = str(client.get("/v1/health")["node"]), Paint(sys.stderr)
    watchdog = client.get("/v1/status").get("watchdogs", {}).get(options.node)
    within_s = watchdog["resets_within_s"] if watchdog is not None and not watchdog["uncounted"] else None
    for line in review(cib, options.node, options.action, asked_at, Instant(int(time.time())), paint, within_s):
        print(paint.fitted(line), file=sys.stderr)
    confirm(
        f"Fence {options.node}? [y/N] ",
        unasked="there is no terminal to ask on; if that is wanted: --yes",
        refused="not agreed; nothing was done",
    )


def _follow(client: Client, options: FenceDemand, operator: str, known: list[Json], within_s: float) -> FenceEnd:
    """Tell every try until it is over. Raises ClientTimeout when it is not over in time."""
    begun, seen, told = time.monotonic(), False, 0
    while time.monotonic() < begun + within_s:
        answer = _asked(client, options.node)
        if answer is not None:
            tries = _since(known, answer["history"])
            for line in tries[told:]:
                if line["device"] and not options.json:
                    complain(last_words(line))
            told = len(tries)
            open_ = next((one for one in answer["records"] if one["state"] != "down"), None)
            seen = seen or open_ is not None
            end = _end(tries, answer["records"], operator, options.action) if open_ is None else None
            if end is not None:
                return end
            if open_ is None and (seen or time.monotonic() > begun + _HEARD_WITHIN_S):
                return FenceEnd(False, f"{_dropped(tries)}; ask again", tries)
        time.sleep(_LOOK_AGAIN_S)
    raise ClientTimeout(
        f"it is not over after {within_s:.0f} s: reconciler fence history {options.node} tells how it goes on"
    )


def _asked(client: Client, node: str) -> Json | None:
    """What the node tells of it; None while it can't, as it may be the one that is fenced."""
    try:
        return client.get("/v1/fencing", query={"node": node})
    except Refused:
        raise
    except ClientError:
        return None


def _since(known: list[Json], history: list[Json]) -> tuple[Json, ...]:
    """The lines that are new, oldest first; both lists begin with the newest."""
    newest = known[0] if known else None
    return tuple(reversed(history[: history.index(newest)] if newest in history else history))


def _end(tries: tuple[Json, ...], records: list[Json], operator: str, action: str) -> FenceEnd | None:
    """How it ended, once it has. What ended by another operator's demand counts where it came to the same."""
    asked = [line for line in tries if line["what"] == _ASK]
    own = next((line for line in reversed(asked) if line["by"] == operator), None)
    if own is not None:
        return FenceEnd(bool(own["succeeded"]), _because(own, tries), tries)
    if not asked:
        return FenceEnd(True, f"by {records[0]['by']}", tries) if records else None
    if not asked[-1]["succeeded"]:
        return None  # Ours may still be on its way.
    done = [line["what"] for line in _tries(tries) if line["succeeded"]]
    if action == "off" and done and done[-1] != "off":
        return FenceEnd(False, f"{asked[-1]['by']} had something else done to it ({done[-1]}); ask again", tries)
    because = _because(asked[-1], tries)
    return FenceEnd(True, f"{because}{', ' if because else ''}{asked[-1]['by']} had asked for it too", tries)


def _dropped(tries: tuple[Json, ...]) -> str:
    """Why nothing tells how it ended."""
    others = next((line for line in reversed(tries) if line["what"] == _ASK), None)
    if others is not None:
        return f"{others['by']} had asked for it too, and that failed{f' ({why})' if (why := others['why']) else ''}"
    happened = "nothing was tried" if not tries else "it was given up"
    return f"{happened}: the members changed meanwhile"


def _because(asked: Json, tries: tuple[Json, ...]) -> str:
    """Why it ended so: the device that did it, or how many could not."""
    if asked["why"] and asked["succeeded"]:
        return str(asked["why"])
    done = [line for line in _tries(tries) if line["succeeded"]]
    if asked["succeeded"]:
        return f"by {done[-1]['by']} with {done[-1]['device']}" if done else ""
    failed = {line["device"] for line in _tries(tries)}
    if not failed:
        return str(asked["why"])
    devices = f"{len(failed)} device{'s' if len(failed) != 1 else ''}"
    return f"{devices} failed, in {sum(1 for _ in _tries(tries))} tries; it is not tried again"


def _tries(lines: tuple[Json, ...]) -> Iterator[Json]:
    return (line for line in lines if line["device"])
