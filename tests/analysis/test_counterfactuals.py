"""Reasons are so: what a line of a plan cites is taken away, and the line has to be another one."""

from __future__ import annotations

import pytest
from counterfactuals import Trial, published
from published_cases import needs_cases


@pytest.fixture(scope="module")
def found() -> list[Trial]:
    return list(published(6))


@needs_cases
def test_what_is_cited_decides(found: list[Trial]) -> None:
    """The rest have two sufficient reasons (a lost node and its ticket), or one that has the same cause as the line itself."""
    judged = [trial for trial in found if trial.holds is not None]
    assert len(judged) > 80
    assert sum(bool(trial.holds) for trial in judged) / len(judged) > 0.9


@needs_cases
def test_nothing_that_went_well_is_a_reason(found: list[Trial]) -> None:
    texts = [trial.reason.text for trial in found if trial.reason is not None]
    assert [text for text in texts if "rc 0" in text or "no node is better" in text or text.count(" is ") > 2] == []
