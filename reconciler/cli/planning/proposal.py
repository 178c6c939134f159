"""Following a proposal through the node's events until the cluster has converged on it, or refused it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from reconciler.cli.node.client import Client, ClientError
from reconciler.errors import Place
from reconciler.frozen import frozen

Event = dict[str, Any]

FAILED, GUARDED, STALE, TIMED_OUT = 1, 3, 4, 124
"""Exit codes of `apply` (the design of the command line, "Exit codes")."""


@frozen
class ProposalEnd:
    """How a proposal ended: the exit code, a sentence, and the problems that are left."""

    exit_code: int
    text: str
    problems: tuple[str, ...] = ()
    commit: str | None = None


def standing_problems(client: Client) -> frozenset[str]:
    """What is not as wanted now, before anything is proposed."""
    return frozenset(map(_told, client.get("/v1/status")["problems"]))


def follow(
    client: Client,
    answer: Event,
    timeout_s: float,
    seen: Callable[[Event], None],
    before: frozenset[str] = frozenset(),
) -> ProposalEnd:
    """Pass every event to `seen` until the proposal is rejected, or active where most votes are, durably, and the cluster at rest.

    Problems that were there `before` are told and are no failure of this proposal, unless the resource failed again under it.
    """
    commit = str(answer["commit"])
    proposal = answer.get("proposal")
    if proposal is None:
        return ProposalEnd(0, f"{commit[:12]} is the active configuration already", commit=commit)
    deadline = time.monotonic() + timeout_s
    active = confirmed = False
    failed: set[str] = set()
    rest: Event | None = None
    try:
        for event in client.events(since=answer["cursor"], within_s=timeout_s):
            seen(event)
            if event.get("proposal") == proposal and event["type"] == "rejected":
                return _rejected(event, commit)
            if event.get("proposal") == proposal and event["type"] == "activated":
                active = True
            if event.get("proposal") == proposal and event["type"] == "confirmed":
                confirmed = True
            if active and event["type"] == "action_failed":
                failed.add(str(event["resource"]))
            if active and event["type"] == "converged":
                rest = event
            if confirmed and rest is not None:
                return _converged(rest, commit, before, failed)
            if time.monotonic() > deadline:  # `within_s` bounds the waits alone, not what `seen` takes.
                break
    except ClientError as error:
        if error.code != "timeout":
            raise
    state = "was not activated"
    if active:
        state = "is active, but the cluster has not come to rest"
    if active and not confirmed:
        state = (
            "is active here, but may be lost: members with most of the votes have not said that they have it on disk"
        )
    return ProposalEnd(TIMED_OUT, f"{commit[:12]} {state} within {timeout_s:g} s", commit=commit)


def _rejected(event: Event, commit: str) -> ProposalEnd:
    findings = tuple(map(_finding, event.get("findings", ())))
    codes = {finding.get("code") for finding in event.get("findings", ())}
    return ProposalEnd(
        STALE if "stale-plan" in codes else GUARDED if "needs-consent" in codes else FAILED,
        f"{commit[:12]} was rejected by {event.get('by', 'the node')}: {event['reason']}",
        findings,
        commit,
    )


def _finding(finding: Event) -> str:
    """A finding on one line, with as much of its place as is known, and what to do about it."""
    place = Place(finding["file"], finding["line"], finding["column"])
    hint = f" ({finding['hint']})" if finding.get("hint") else ""
    return f"{f'{place}: ' if place.file else ''}{finding['text']}{hint} [{finding['code']}]"


def _converged(event: Event, commit: str, before: frozenset[str], failed: Collection[str]) -> ProposalEnd:
    found = event.get("problems", ())
    problems = tuple(map(_told, found))
    if any(_told(one) not in before or one["resource"] in failed for one in found):
        return ProposalEnd(FAILED, f"{commit[:12]} is active, with problems", problems, commit)
    rest = f"{commit[:12]} is active, and the cluster is at rest"
    return ProposalEnd(0, f"{rest}, with the problems that it had before" if problems else rest, problems, commit)


def _told(problem: Event) -> str:
    return f"{problem['resource']}: {problem['text']}"
