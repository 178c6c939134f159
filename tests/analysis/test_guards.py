"""What about a change needs consent or a warning, and which words consent to what."""

from __future__ import annotations

import time

import pytest

from reconciler.analysis.consequences import Consequences, consequences
from reconciler.analysis.guards import matches
from reconciler.analysis.steady import steady
from reconciler.language import load
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant

NOW = Instant(1_800_000_000)
HEAD = "cluster: {options: {fencing-enabled: false}}\nnodes: {n1: {}, n2: {}}\n"


def loaded(text: str) -> Configuration:
    answer = load({"c.yaml": (HEAD + text).encode()})
    assert answer.configuration is not None, answer.findings
    return answer.configuration


def change(before: str, after: str) -> Consequences:
    old, new = loaded(before), loaded(after)
    return consequences(steady(old, NOW).cib, new, NOW, old)


def primitives(*names: str, **params: str) -> str:
    lines = "".join(
        f"  {name}: {{agent: 'ocf:reconciler:Dummy', params: {{state: /run/{params.get(name, name)}}}}}\n"
        for name in names
    )
    return f"primitives:\n{lines}"


ORDER = "constraints:\n  orders:\n    o: {first: files, then: database}\n"


@pytest.mark.parametrize(
    ("pattern", "consent", "met"),
    [
        ("stop:web", "stop:web", True),
        ("stop:web", "stop:website", False),
        ("stop:*", "stop:web", True),
        ("stop", "stop:web", True),
        ("stop", "stop_all:resources", False),
        ("*", "fence:n1", True),
        ("*:web", "stop:web", True),
        ("*:web", "stop:web2", False),
        ("st*:w*b", "stop:web", True),
        ("st*:w*b*b", "stop:web", False),
        ("stop:ab*ba", "stop:aba", False),
        ("stop:ab*ba", "stop:abba", True),
    ],
)
def test_consent_is_a_pattern(pattern: str, consent: str, met: bool) -> None:
    assert matches(pattern, consent) is met


def test_a_pattern_costs_no_more_than_its_length() -> None:
    begun = time.monotonic()
    assert not matches("*a" * 5000 + "b", "stop:" + "a" * 5000)
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (primitives("a", "b", "c"), primitives("a", "b"), []),
        (primitives("a", "b", "c"), primitives("a"), ["mass_remove:resources"]),
        (primitives("a", "b"), "", ["mass_remove:resources", "stop_all:resources"]),
        (primitives("a", "b"), primitives("c", "d"), ["mass_remove:resources"]),
        (
            primitives("a", "b"),
            primitives("a", "b") + "defaults: {resources: {target-role: Stopped}}\n",
            ["stop:a", "stop:b", "stop_all:resources"],
        ),
        (primitives("a", "b"), primitives("a", "c", c="b"), ["renamed:b"]),
        (primitives("files", "database") + ORDER, primitives("database"), ["undermined:files"]),
        (primitives("files", "database") + ORDER, primitives("files"), []),
        (primitives("files", "database") + ORDER, primitives("database", database="else"), []),
        (
            primitives("a", "g"),
            primitives("a", "b") + "groups: {g: {members: [b]}}\n",
            ["reused_name:g"],
        ),
    ],
    ids=["one", "many", "all", "others", "role", "name", "below", "above", "restart", "reused"],
)
def test_what_is_held_or_said(before: str, after: str, found: list[str]) -> None:
    assert [guard.consent for guard in change(before, after).guards] == found


def test_what_is_removed_stops_in_the_order_it_had_and_says_so() -> None:
    made = change(primitives("files", "database", "web") + ORDER, primitives("web"))
    assert [(one.step, one.word, one.resource, [b.code for b in one.because]) for one in made.transitions] == [
        (1, "stop", "database", ["removed_resource"]),
        (2, "stop", "files", ["removed_resource"]),
    ]


def test_a_plan_without_changes_says_what_does_not_run() -> None:
    text = (
        primitives("a", "b")
        + "constraints:\n  locations:\n    o: {resource: b, rule: 'not_defined rack', score: -INFINITY}\n"
    )
    assert change(text, text).down == ("b",)
    stopped = primitives("a") + "defaults: {resources: {target-role: Stopped}}\n"
    assert change(stopped, stopped).down == ()
