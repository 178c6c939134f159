"""The page about the API names what the API has: requests, statuses, codes, events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from reconciler.daemon.api import _ROUTES

from .citations import DOCS, ROOT

PAGE = (DOCS / "reference" / "api.md").read_text()
PACKAGES = ("controller", "daemon")


def calls() -> Iterator[ast.Call]:
    for package in PACKAGES:
        for path in sorted((ROOT / "reconciler" / package).rglob("*.py")):
            yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def texts(call: ast.Call) -> list[str]:
    return [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]


def emitted() -> set[str]:
    """The types of all events: the first text of each call that makes one, and the words that `_reported` chooses from."""
    found = {texts(call)[0] for call in calls() if name_of(call) in ("Emit", "emit", "_event") and texts(call)[:1]}
    return found | {"action_failed", "action_done", "planned"}


def rows(title: str) -> list[str]:
    """The first cells of the table below a heading."""
    body = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (`[^|]+`|\d+) \|", body, re.MULTILINE)


def test_every_request_has_a_row_and_every_row_a_request() -> None:
    routes = {f"`{method} {path}`" for path, methods in _ROUTES.items() for method in methods}
    assert set(rows("Requests")) == routes | {"`POST /v1/resources/NAME/cleanup`"}


def test_every_event_has_a_row_and_every_row_an_event() -> None:
    assert {row.strip("`") for row in rows("Events")} == emitted()


def test_every_code_of_a_refusal_is_told_with_its_status() -> None:
    told = {
        (int(status), code)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.+) \|$", PAGE, re.MULTILINE)
        for code in re.findall(r"`([a-z-]+)`", codes)
    }
    used = set()
    for call in calls():
        if name_of(call) == "ApiError" and call.args and isinstance(call.args[0], ast.Constant) and texts(call):
            used.add((call.args[0].value, texts(call)[0]))
    assert used - told == set()
    assert told - used == set()


def test_every_what_of_the_daemon_is_told() -> None:
    used: dict[bool, set[str]] = {True: set(), False: set()}
    for package in PACKAGES:
        for path in sorted((ROOT / "reconciler" / package).rglob("*.py")):
            text = path.read_text()
            for found in re.finditer(r'("fencing", \{[^}"]*"target": [^"]*)?"what": "([a-z-]+)"', text):
                used[path.name == "fencer.py" or found[1] is not None].add(found[2])
    of_fencing, _, of_the_daemon = PAGE.rpartition("`what` is one of")
    assert used[False] == set(re.findall(r"`([a-z-]+)`", of_the_daemon))
    sentence = of_fencing.partition("Of `fencing` it is one of")[2].partition("\n\n")[0]
    assert used[True] == set(re.findall(r"`([a-z-]+)`", sentence))
