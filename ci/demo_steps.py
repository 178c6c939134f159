"""The steps of ci/demo that wait for something, and tell it: `python ci/demo_steps.py LAB URL STEP…`.

rest | page | where | pushed COMMIT | fault ACTION NODE | returned NODE | refused COMMIT GOOD
"""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reconciler.cli.lab.control import act, ask
from reconciler.cli.node.client import Client, ClientError

_PATIENCE_S = 60.0
LAB, URL = Path(sys.argv[1]), sys.argv[2]


def main(step: str, *words: str) -> None:
    """Do one step. Ends with an error when it does not come to its end."""
    match step, words:
        case "rest", ():
            wait("all nodes at rest", lambda: all(one.get("converged") and one.get("active") for one in statuses()))
        case "page", ():
            print(f"\033[2m$ curl {URL}\033[0m\n{page()}")
        case "where", ():
            print(server(page()))
        case "pushed", (commit,):
            pushed(commit)
        case "fault", (action, node):
            fault(action, node)
        case "returned", (node,):
            returned(node)
        case "refused", (commit, good):
            refused(commit, good)
        case _:
            sys.exit(f"no such step: {step}")


def pushed(commit: str) -> None:
    """The commit becomes active everywhere, and the cluster comes to rest with it."""
    begun = time.monotonic()

    def done() -> bool:
        return all(one.get("converged") and one["active"]["commit"] == commit for one in statuses())

    wait("the commit active on all nodes", done)
    took_s = time.monotonic() - begun
    print(f"{commit[:12]} is active on all {len(names())} nodes, and at rest, {took_s:.1f} s after the push")


def fault(action: str, node: str) -> None:
    """Something happens to a node: what the others do about it, by their own words, and how long the page was gone."""
    before = page()
    print(f"\033[2m$ reconciler lab {action} {node}\033[0m", flush=True)
    at, begun = time.time(), time.monotonic()
    act((action, node), None, str(LAB))
    gone_s = back_s = None
    while time.monotonic() - begun < _PATIENCE_S:
        now = page()
        if now is None and gone_s is None:
            gone_s = time.monotonic() - begun
        if now not in (None, before):
            back_s = time.monotonic() - begun
            break
        time.sleep(0.005)
    if back_s is None:
        sys.exit("error: the page did not come back")
    for after_s, text in story(node, at):
        if after_s <= back_s:
            print(f"  {after_s:6.3f} s  {text}")
    print(f"  {back_s:6.3f} s  the page is back: {page()}")
    print(f"The page was gone for \033[1m{back_s - (gone_s or back_s):.2f} s\033[0m.")


def story(lost: str, since: float) -> list[tuple[float, str]]:
    """What the other nodes said since then, each thing once, by when it was said first."""
    told: dict[str, float] = {}
    for node in names():
        if node == lost:
            continue
        for event in Client(socket_of(node)).events(since=0, follow=False):
            text = words(event)
            if text is not None and event["at"] >= since:
                told[text] = min(told.get(text, event["at"]), event["at"])
    return sorted((at - since, text) for text, at in told.items())


def words(event: dict[str, Any]) -> str | None:
    """An event for people who see their first failover; None for what is left out."""
    match event:
        case {"type": "daemon", "what": "view", "members": members, "quorate": True}:
            return f"{' and '.join(members)} go on by themselves: they are a majority"
        case {"type": "fencing", "what": "ordered" | "down" | "failed", "text": text}:
            return str(text)
        case {"type": "action_started", "operation": "start", "resource": resource, "node": node}:
            return f"{resource} is started on {node}"
        case {"type": "action_done", "operation": "start", "resource": resource, "node": node}:
            return f"{resource} runs on {node}"
    return None


def returned(node: str) -> None:
    """The node takes part again, and all is at rest."""
    wait(f"{node} to be back", lambda: all(members_of(one) == names() for one in statuses()))
    wait("rest", lambda: all(one.get("converged") for one in statuses()))
    print(f"{node} is back, and the cluster at rest")


def refused(commit: str, good: str) -> None:
    """All nodes refuse the commit, with the place and a hint, and keep the one that is active."""
    wait("the commit refused", lambda: all((one.get("rejected") or {}).get("commit") == commit for one in statuses()))
    found = statuses()
    if any(one["active"]["commit"] != good for one in found):
        sys.exit("error: the broken commit became active")
    rejected = found[0]["rejected"]
    print(f"{commit[:12]} is refused on all {len(found)} nodes: {rejected['reason']}")
    for finding in (one for one in rejected["findings"] if one["severity"] == "error"):
        print(f"  cluster.d/{finding['file']}:{finding['line']}:{finding['column']}: {finding['text']}")
        if finding["hint"]:
            print(f"    {finding['hint']}")
    print(f"{good[:12]} stays active on all of them")


def wait(what: str, reached: Callable[[], bool]) -> None:
    """Wait until it is so. Ends the program when that takes too long."""
    deadline = time.monotonic() + _PATIENCE_S
    while not reached():
        if time.monotonic() > deadline:
            sys.exit(f"error: waited in vain for {what}; the nodes' logs are in {LAB}/*/log")
        time.sleep(0.05)


def statuses() -> list[dict[str, Any]]:
    """What each node says; nothing of one that does not answer."""
    return list(_statuses())


def _statuses() -> Iterator[dict[str, Any]]:
    for node in names():
        try:
            yield dict(Client(socket_of(node), 2).get("/v1/status"))
        except ClientError:
            yield {}


def members_of(status: dict[str, Any]) -> list[str]:
    """The members of a node's view."""
    return list(status.get("members", ()))


def names() -> list[str]:
    """The nodes of the lab."""
    return [one["node"] for one in ask(LAB, {"do": "status"})["nodes"]]


def socket_of(node: str) -> str:
    """Where a node answers."""
    return str(LAB / node / "node.sock")


def page() -> str | None:
    """The page, or None when nobody serves it."""
    try:
        with urllib.request.urlopen(URL, timeout=2) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        return None


def server(text: str | None) -> str:
    """The node that serves it, by its own words."""
    return (text or "").rstrip(".").rpartition(" ")[2]


if __name__ == "__main__":
    main(*sys.argv[3:])
