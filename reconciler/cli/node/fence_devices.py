"""Whether every node gets an answer from every fence device: asked now, or as it was the last time.

Exit codes: 0 every device works from everywhere where it may be used; 1 one failed, or a node has not answered.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.cli.node.client import Client
from reconciler.cli.node.fence_history import date_of, table
from reconciler.cli.terminal.printing import say
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen
from reconciler.printable import printable

_LOOK_AGAIN_S = 0.25
_MARGIN_S = 10.0
_HEAD = ("DEVICE", "NODE", "RESULT", "TESTED", "LAST SUCCESS", "WHY")
Json = Mapping[str, Any]


class UnknownName(ReconcilerError):
    """What is named is neither a fence device nor a member; nothing was asked."""

    code = "unknown-name"


class NoDevice(ReconcilerError):
    """There is nothing to be asked."""

    code = "no-device"


@frozen
class FenceTest:
    """The nodes that are to ask and the devices that are to be asked, by name; `last`: show only what is known."""

    names: tuple[str, ...]
    last: bool
    timeout: float | None
    json: bool
    socket: str | None


@frozen
class Tested:
    """One device as one node has it: `result` is ok, failed, untested, or `no answer` from the node."""

    device: str
    node: str
    result: str
    at: float | None
    success_at: float | None
    why: str

    @property
    def good(self) -> bool:
        """Whether it works from there."""
        return self.result == "ok"

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        times = ("never" if one is None else date_of(one) for one in (self.at, self.success_at))
        return tuple(
            printable(" ".join(cell.split())) for cell in (self.device, self.node, self.result, *times, self.why)
        )


def test_devices(options: FenceTest) -> int:
    """Have devices tested, and show what came of it."""
    client = Client(options.socket)
    known: Json = client.get("/v1/fencing/tests")
    nodes, devices = _chosen(options.names, known)
    if not devices:
        raise NoDevice("the configuration has no fence device that is enabled (fencing.devices)")
    answered: Mapping[str, bool | None] = dict.fromkeys(nodes)
    if not options.last:
        body = {"nodes": [name for name in options.names if name in nodes], "devices": devices}
        asked = client.post("/v1/fencing/tests", body)
        known = _wait(client, asked["id"], nodes, options.timeout or float(asked["within_s"]) + _MARGIN_S)
        answered = {node: known["nodes"].get(node, {}).get("id") == asked["id"] for node in nodes}
    found = tuple(_rows(known, nodes, devices, answered))
    _show(options, found, () if options.names else known["away"])
    return 0 if all(one.good for one in found) else 1


def _chosen(names: Sequence[str], known: Json) -> tuple[list[str], list[str]]:
    """The nodes and the devices that are meant; all of a kind of which none is named. Raises UnknownName."""
    members, devices = list(known["members"]), sorted(known["devices"])
    for name in names:
        if name not in members and name not in devices:
            there = f"nodes that take part: {', '.join(members) or 'none'}; devices: {', '.join(devices) or 'none'}"
            raise UnknownName(f"'{name}' is neither a node that takes part nor a fence device ({there})")
    return (
        [name for name in members if name in names] or members,
        [name for name in devices if name in names] or devices,
    )


def _wait(client: Client, id: str, nodes: Sequence[str], within_s: float) -> Json:
    """What is known once all nodes have answered, or the time is over."""
    until = time.monotonic() + within_s
    while True:
        known = client.get("/v1/fencing/tests")
        answered = all(known["nodes"].get(node, {}).get("id") == id for node in nodes)
        if answered or time.monotonic() > until:
            return known
        time.sleep(_LOOK_AGAIN_S)


def _rows(
    known: Json, nodes: Sequence[str], devices: Sequence[str], answered: Mapping[str, bool | None]
) -> Iterator[Tested]:
    for device in devices:
        for node in nodes:
            if node in known["devices"].get(device, ()):
                continue  # It may not use it.
            told = known["nodes"].get(node, {}).get("devices", {}).get(device)
            at, success_at = (None, None) if told is None else (told["at"], told["success_at"])
            if answered[node] is False:
                yield Tested(device, node, "no answer", at, success_at, f"{node} has not told in time")
            elif told is None:
                yield Tested(device, node, "untested", None, None, "")
            else:
                yield Tested(device, node, "ok" if told["works"] else "failed", at, success_at, told["why"])


def _show(options: FenceTest, found: Sequence[Tested], away: Sequence[str]) -> None:
    if options.json:
        rows = [
            {
                "device": one.device,
                "node": one.node,
                "result": one.result,
                "at": one.at,
                "success_at": one.success_at,
                "why": one.why,
            }
            for one in found
        ]
        print(json.dumps({"tests": rows, "away": list(away)}, sort_keys=True, indent=2))
        return
    for line in table([_HEAD, *(one.cells() for one in found)]):
        print(line)
    if away:
        say(f"Not asked, as they take no part: {', '.join(away)}")
