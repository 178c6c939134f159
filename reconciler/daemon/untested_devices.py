"""Which fence devices nobody knows to work: never tested from a node that may use them, or for long.

A device is known to work from a node by its test (`reconciler fence test`), by having fenced somebody, and by a recurring monitor of it
there. A password that was changed, a firewall, a controller that hangs are noticed by nothing else before the device is needed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reconciler.cib import Cib
from reconciler.controller.fencing.record import HistoryLine

LONG_S = 30 * 86_400
"""How long a success counts. Nothing in a machine room stays as it is for a month without anybody having looked."""
_MOST = 8
"""So many devices are named; a site of hundreds would fill the screen."""


def untested(
    cib: Cib,
    kept_from: Mapping[str, Collection[str]],
    members: Iterable[str],
    told: Mapping[str, Any],
    history: Iterable[HistoryLine],
    now_s: float,
) -> list[str]:
    """What status says of them, at most two lines. What failed the last time is told otherwise.

    `kept_from` has by device the nodes that may not use it, `told` by node what it knows of its own tests.
    """
    fenced = {(line.by, line.device): line.at_ms / 1000 for line in history if line.succeeded and line.device}
    watched = set(_watched(cib, kept_from))
    never: dict[str, list[str]] = {}
    long_ago: dict[str, list[str]] = {}
    for node in members:
        tests = told.get(node, {}).get("devices", {})
        for device, kept in kept_from.items():
            test = tests.get(device)
            if node in kept or (node, device) in watched or (test is not None and not test["works"]):
                continue
            last_s = max((fenced.get((node, device)) or 0, (test or {}).get("success_at") or 0))
            if not last_s:
                never.setdefault(device, []).append(node)
            elif last_s < now_s - LONG_S:
                long_ago.setdefault(device, []).append(f"{node} ({day(last_s)})")
    days = LONG_S // 86_400
    return [
        *_line("fence devices that were never tested", never),
        *_line(f"fence devices that last answered more than {days} days ago", long_ago),
    ]


def _line(what: str, found: Mapping[str, list[str]]) -> Iterator[str]:
    if found:
        named = [f"{device} from {', '.join(nodes)}" for device, nodes in sorted(found.items())]
        more = [f"and {len(named) - _MOST} more"] if len(named) > _MOST else []
        yield f"{what}: {'; '.join([*named[:_MOST], *more])} (reconciler fence test)"


def _watched(cib: Cib, devices: Collection[str]) -> Iterator[tuple[str, str]]:
    """Where a device is monitored again and again, and answers."""
    for state in cib.status.nodes:
        for resource in state.history:
            results = [entry.result for entry in resource.entries] if resource.id in devices else []
            if any(result.recurs and result.succeeded for result in results):
                yield state.name, resource.id


def day(seconds: float) -> str:
    """The day of an epoch time, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
