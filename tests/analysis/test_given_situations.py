"""The situations that users of Pacemaker reported, each with what they need to hear; they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from given_situations import ASKED
from published_cases import SITUATIONS, needs_situations


@needs_situations
@pytest.mark.parametrize("name", ASKED)
def test_what_the_user_needs_to_hear_is_said(name: str, tmp_path: Path) -> None:
    for question in ASKED[name]:
        done = question.ask(name, str(tmp_path / "site"))
        assert done.returncode == question.code, done.stdout
        assert [one for one in question.said if one not in done.stdout] == [], done.stdout
        assert [one for one in question.unsaid if one in done.stdout] == [], done.stdout


@needs_situations
def test_every_situation_is_asked_about() -> None:
    assert {path.name for path in SITUATIONS.iterdir()} - {"README.md"} == ASKED.keys()
