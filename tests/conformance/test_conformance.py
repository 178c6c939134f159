"""The published scheduler cases: every level of every case has to be as expected.

L0 status, L1 placement after the transition, L2 transition summary, L3 actions, L4 the whole graph, L5 scores.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from published_cases import CASES, catalogue, judge, needs_cases, xml_of

from reconciler.crm.simulate import for_conformance

ALLOWED: dict[str, dict[str, str]] = {level: {} for level in ("L0", "L1", "L2", "L3", "L4", "L5")}
"""By level: cases that may differ, and why."""


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, list[str]]]:
    """By level: the cases that fail there, with the lines that differ."""
    failed: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for case in catalogue():
        for level, lines in judged(case).items():
            if lines is not None:
                failed[level][case["name"]] = lines
    return failed


def judged(case: dict[str, Any]) -> dict[str, list[str] | None]:
    _, verdict, _ = judge().check_case(case, CASES, judge_runner, 60)
    found: dict[str, list[str] | None] = verdict
    return found


def judge_runner(*, xml: Any, args: Any, groups: Any, timeout: float) -> Any:
    text, dot = for_conformance(str(xml), list(args))
    return judge().from_text(text, dot, None, groups)


@needs_cases
@pytest.mark.parametrize("level", sorted(ALLOWED))
def test_all_cases_are_as_expected(level: str, verdicts: dict[str, dict[str, list[str]]]):
    unexpected = {name: lines[:5] for name, lines in verdicts.get(level, {}).items() if name not in ALLOWED[level]}
    assert unexpected == {}


@needs_cases
def test_the_judge_would_notice_a_difference():
    case = catalogue()[0]
    text, dot = for_conformance(str(xml_of(case["name"])), case.get("args", []))

    def wrong(*, xml: Any, args: Any, groups: Any, timeout: float) -> Any:
        return judge().from_text(text.replace("OFFLINE", "Online"), dot + '"x" [ style=bold]\n', None, groups)

    _, verdict, _ = judge().check_case(case, CASES, wrong, 60)
    assert verdict["L0"] is not None
    assert verdict["L4"] is not None
