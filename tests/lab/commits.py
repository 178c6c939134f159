"""Commits that are applied by the API while things go wrong, and what became of each."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.cli.node.client import Client, ClientError, Refused

_APPLY_S = 20.0


@dataclass
class Outcomes:
    """What became of the commits that were asked for. Several threads may add to it."""

    asked: int = 0
    acknowledged: list[str] = field(default_factory=list)
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    """How often, by the reason."""
    unknown: int = 0
    """Nobody said what became of them."""


def apply(client: Client, files: Mapping[str, str], message: str, outcomes: Outcomes, over: threading.Event) -> None:
    """Apply files as `reconciler apply` does: once it reports success, the commit may not be lost."""
    outcomes.asked += 1
    try:
        answer = client.post("/v1/proposals", {"files": dict(files), "message": message})
        ended = _end_of(client, answer, over)
    except Refused as error:
        outcomes.refused[str(error)] += 1
        return
    except (ClientError, OSError):
        ended = {}
    match ended.get("type"):
        case "confirmed":
            outcomes.acknowledged.append(str(answer["commit"]))
        case "rejected":
            outcomes.refused[str(ended["reason"])] += 1
        case _:
            outcomes.unknown += 1


def apply_while(
    going_on: Callable[[], bool],
    client: Callable[[], Client],
    files: Callable[[int], Mapping[str, str]],
    outcomes: Outcomes,
    over: threading.Event,
    turn: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> None:
    """Apply commits one after the other, each by another client and when it is its turn, until that is told to end."""
    number = 0
    while going_on() and not over.is_set():
        number += 1
        before = outcomes.unknown
        with turn():
            apply(client(), files(number), f"commit {number}", outcomes, over)
        if outcomes.unknown > before:
            time.sleep(0.2)


def _end_of(client: Client, answer: Mapping[str, Any], over: threading.Event) -> dict[str, Any]:
    """The event that ends what was proposed. Empty when it did not come in time."""
    for event in client.events(since=answer["cursor"], within_s=_APPLY_S):
        if event.get("proposal") == answer["commit"] and event["type"] in ("confirmed", "rejected"):
            return event
        if over.is_set():
            break
    return {}
